import type { ApiKeySecretView } from '#libs/api-contracts';
import type { ApiProcess } from '../../apps/api/src/api-process.ts';
import { DEADLINE_MS, KEY, call, operate, type Answer } from './api-harness.ts';

/** The header of a caller that shows a secret. */
export const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });

/** The same by Basic. */
export const basic = (user: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`,
});

/** Makes a key, by default as the key of the configuration. */
export async function makeKey(
  api: ApiProcess,
  json: Readonly<Record<string, unknown>>,
  secret = KEY,
): Promise<ApiKeySecretView> {
  const wanted = { name: 'a key', ...json };
  const made = await operate(api, 'createApiKey', { json: wanted, headers: bearer(secret) });
  if (made.status !== 201) throw new Error(`createApiKey: ${JSON.stringify(made.body)}`);
  return made.body as ApiKeySecretView;
}

/** Who the API takes a caller for. */
export function whoami(api: ApiProcess, headers: Record<string, string>): Promise<Answer> {
  return operate(api, 'whoami', { headers });
}

/** A request that shows nothing. */
export async function anonymous(
  api: ApiProcess,
  path: string,
  init: RequestInit = {},
): Promise<{ readonly status: number; readonly body: unknown }> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const response = await fetch(`${api.url}${path}`, { ...init, signal });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

/** The code of the problem that a call came to; undefined when it came to none. */
export function codeOf({ body }: Pick<Answer, 'body'>): string | undefined {
  return (body as { readonly code?: string } | null)?.code;
}

/** Calls a path with a secret. */
export function callAs(
  api: ApiProcess,
  secret: string,
  {
    path,
    ...init
  }: Omit<NonNullable<Parameters<typeof call>[2]>, 'headers'> & {
    readonly path: string;
  },
): Promise<Answer> {
  return call(api, path, { ...init, headers: bearer(secret) });
}
