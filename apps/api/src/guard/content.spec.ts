import { expect, it } from '@jest/globals';
import { OPERATIONS, type Operation, type OperationId, type Scope } from '#libs/api-contracts';
import { requireContent } from './content.ts';

const callerOf = (scopes: readonly Scope[], topicPrefixes?: readonly string[]) => ({
  ...({ kind: 'api_key', id: 'key:k', name: 'k', roles: [], cidrs: [] } as const),
  ...{ scopes: new Set(scopes), topicPrefixes, expiresAtMs: undefined },
});
const asks = (id: OperationId, payload: string, caller: ReturnType<typeof callerOf>) => () => {
  const operation: Operation = OPERATIONS[id];
  requireContent(operation, { path: {}, query: { payload }, body: undefined }, caller);
};

/** Those that show content on demand. */
const SHOWING = Object.entries<Operation>(OPERATIONS).filter(
  ([, { query }]) => query !== undefined && 'payload' in query.shape,
);

it.each(SHOWING.map(([id]) => id as OperationId))('%s shows content by right alone', (id) => {
  expect(asks(id, 'text', callerOf([]))).toThrow('payloads:read');
  expect(asks(id, 'none', callerOf([]))).not.toThrow();
  expect(asks(id, 'text', callerOf(['payloads:read']))).not.toThrow();
});

it.each(SHOWING.filter(([, { topics }]) => topics === undefined).map(([id]) => id as OperationId))(
  '%s, which names no topics, shows none to whoever is bound to some',
  (id) => {
    const bound = callerOf(['payloads:read'], ['a']);
    expect(asks(id, 'text', bound)).toThrow('for some topics alone');
    expect(asks(id, 'none', bound)).not.toThrow();
  },
);
