import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import type { Scope } from './scope.ts';

const PROGRAM = fileURLToPath(new URL('../../../tools/skein.mjs', import.meta.url));

/** What the command line has said. */
export interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly notes: string;
}

/** The command line `skein` as users run it, against one API. */
export class Skein {
  readonly #scope: Scope;
  readonly #env: Readonly<Record<string, string>>;

  constructor(scope: Scope, { server, key }: { readonly server: string; readonly key: string }) {
    this.#scope = scope;
    this.#env = {
      PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
      HOME: '/nonexistent',
      XDG_CONFIG_HOME: '/nonexistent',
      SKEINCTL_SERVER: server,
      SKEINCTL_KEY: key,
    };
  }

  /** The environment that the program reads, for shells that run it. */
  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }

  /** Starts it. */
  start(args: readonly string[], more: Readonly<Record<string, string>> = {}, input = ''): Child {
    return new Child(this.#scope, {
      command: process.execPath,
      args: [PROGRAM, ...args],
      env: { ...this.#env, ...more },
      input,
    });
  }

  /** Runs it to its end, whatever that is. */
  async run(
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
    input = '',
  ): Promise<Said> {
    const child = this.start(args, more, input);
    const code = await child.exit();
    return { code, out: child.stdout, notes: child.stderr };
  }

  /** Runs it with --json; what it has printed. @throws Error unless it succeeds. */
  async json(args: readonly string[]): Promise<unknown> {
    const { code, out, notes } = await this.run([...args, '--json']);
    if (code !== 0) throw new Error(`skein ${args.join(' ')} ended with ${String(code)}: ${notes}`);
    return JSON.parse(out);
  }
}
