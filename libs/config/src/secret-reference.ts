import { readFileSync } from 'node:fs';
import { z } from 'zod';

const FAULT = 'must be { file: PATH } or { env: NAME }';

/** The names of variables that may hold a secret: those of ours are settings. */
export const SECRET_VARIABLE = /^(?!SKEIN_)[A-Za-z_][A-Za-z0-9_]{0,255}$/;

/** Where a secret is kept, as the file states it. Variables of ours are settings, so a secret cannot be one. */
export const secretReference = z.union(
  [
    z.strictObject({ file: z.string().regex(/^.{1,4096}$/, { error: FAULT }) }),
    z.strictObject({
      env: z.string().regex(SECRET_VARIABLE, { error: FAULT }),
    }),
  ],
  { error: FAULT },
);

/** A secret that cannot be read; the message says which, and nothing of it. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
  readonly code = 'SECRET_UNREADABLE';
}

/**
 * Reads a secret: the first line of its file, or its environment variable, as it is now.
 *
 * @throws SecretError
 */
export function readSecret(reference: z.output<typeof secretReference>): string {
  if ('env' in reference) {
    const value = process.env[reference.env];
    if (!value) throw new SecretError(`the variable ${reference.env} is not set`);
    return value;
  }
  let line: string | undefined;
  try {
    [line] = readFileSync(reference.file, 'utf8').split(/\r?\n/u);
  } catch {
    throw new SecretError(`the file ${reference.file} cannot be read`);
  }
  if (!line) throw new SecretError(`the first line of ${reference.file} is empty`);
  return line;
}
