import type { Operation, OperationId } from '#libs/api-contracts';
import type { Walk, WalkCall } from './walk.ts';

/** What the usual failures are made with. */
export interface UsualFailuresOptions {
  /** A value of `Authorization` with scopes that no operation asks for alone, from an address that is not its own. */
  readonly elsewhere: string;
  /** An API that serves one request a second to each caller. */
  readonly slow: { readonly origin: string };
  /** More bytes than a body may have. */
  readonly tooManyBytes: number;
}

const NOBODY = 'nobody-has-this-id';

/** How else what there is not is asked for. */
const ABSENT: Partial<Record<OperationId, WalkCall>> = {
  setLogLevel: { body: { level: 'debug', node: NOBODY } },
  reloadCertificates: { query: { node: NOBODY } },
  getStatsHistory: { query: { node: NOBODY } },
  deleteRetainedMessages: { query: { topic: NOBODY } },
  deleteRetainedMessage: { query: { topic: NOBODY } },
  getDelayedMessage: { path: { delayed_message_id: '0000000000999999' } },
  deleteDelayedMessage: { path: { delayed_message_id: '0000000000999999' } },
};
const TOO_LARGE_A_HEAD = 1024 * 1024;
const TRIES_MAX = 12;

/** What an operation is called with by its example. */
function exampleOf({ example }: Operation): WalkCall {
  const { path, query, body } = (example ?? {}) as {
    readonly path?: Readonly<Record<string, string>>;
    readonly query?: Readonly<Record<string, unknown>>;
    readonly body?: unknown;
  };
  return {
    ...(path !== undefined && { path }),
    ...(query !== undefined && {
      query: Object.fromEntries(
        Object.entries(query).map(([name, value]) => [name, String(value)]),
      ),
    }),
    ...(body !== undefined && { body }),
  };
}

/** Asks an operation for each failure that all have in common, as far as it documents it. */
export async function usualFailures(
  walk: Walk,
  [id, operation]: readonly [OperationId, Operation],
  { elsewhere, slow, tooManyBytes }: UsualFailuresOptions,
): Promise<readonly string[]> {
  const usual = exampleOf(operation);
  const nobody = Object.fromEntries(Object.keys(usual.path ?? {}).map((name) => [name, NOBODY]));
  const isNamed = typeof usual.body === 'object' && usual.body !== null && 'id' in usual.body;
  const body = isNamed && operation.method === 'put' && { body: { ...usual.body, id: NOBODY } };
  const ways: Readonly<Record<number, WalkCall>> = {
    400: { ...usual, query: { ...usual.query, never_heard_of: '1' } },
    401: { ...usual, authorization: '' },
    403: { ...usual, authorization: elsewhere },
    404: ABSENT[id] ?? { ...usual, ...body, path: nobody, headers: { 'if-match': '*' } },
    406: { ...usual, headers: { accept: 'image/png' } },
    413: { ...usual, text: `"${'x'.repeat(tooManyBytes)}"` },
    415: { ...usual, text: 'x', headers: { 'content-type': 'text/plain' } },
    431: { ...usual, headers: { 'x-filler': 'x'.repeat(TOO_LARGE_A_HEAD) } },
  };
  const missed: string[] = [];
  const documented = walk.documented(id);
  for (const [name, call] of Object.entries(ways)) {
    const status = Number(name);
    if (!documented.includes(status)) continue;
    const answer = await walk.callAgain(id, call);
    if (answer.status !== status) missed.push(`${id} gives ${answer.status} in place of ${status}`);
  }
  if (documented.includes(429)) {
    for (let tries = 0; tries < TRIES_MAX && !walk.hasSeen(id, 429); tries += 1) {
      await walk.callAgain(id, { ...usual, ...slow });
    }
  }
  return missed;
}

/** Asks an operation for what a key of idempotency may come to: another body under it, and the same body while it is at work. */
export async function keyFailures(
  walk: Walk,
  [id, operation]: readonly [OperationId, Operation],
): Promise<void> {
  if (operation.method !== 'post') return;
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const path = Object.fromEntries(names.map((name) => [name, NOBODY]));
  const send = (key: string, number: number) =>
    walk.call(id, {
      ...{ path, text: JSON.stringify({ never_heard_of: number }) },
      headers: { 'idempotency-key': `${id}-${key}` },
    });
  await send('other-body', 1);
  await send('other-body', 2);
  for (let tries = 0; tries < TRIES_MAX && !walk.hasSeen(id, 409); tries += 1) {
    await Promise.all([0, 1, 2, 3].map(() => send(`at-once-${tries}`, 1)));
  }
}
