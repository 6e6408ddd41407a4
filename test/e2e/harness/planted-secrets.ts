import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scope } from './scope.ts';

/** Secrets that nobody can have by chance, to be looked for wherever a process says something. */
export class PlantedSecrets {
  readonly #secrets = new Map<string, string>();
  readonly #directory = mkdtempSync(join(tmpdir(), 'skein-secrets-'));

  constructor(scope: Scope) {
    scope.add(() => rmSync(this.#directory, { recursive: true, force: true }));
  }

  /** A new secret, known by a name. */
  plant(name: string): string {
    const secret = `planted-${name}-${randomBytes(12).toString('hex')}`;
    this.#secrets.set(name, secret);
    return secret;
  }

  /** The file with a new secret, or with a text around it. */
  plantFile(name: string, text: (secret: string) => string = (secret) => secret): string {
    return this.write(name, `${text(this.plant(name))}\n`);
  }

  /** Writes a file that a setting names. */
  write(name: string, text: string): string {
    const file = join(this.#directory, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  /** The names of the secrets that a text holds, as they are or in base64, whatever stands before them. */
  foundIn(text: string): readonly string[] {
    return [...this.#secrets]
      .filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)))
      .map(([name]) => name);
  }
}

function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const encoded = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    // The characters at both ends also hold bits of what stands beside them.
    return text.slice(4, -4);
  });
  return [secret, encodeURIComponent(secret), bytes.toString('hex'), ...encoded];
}
