import { beforeEach, expect, it } from '@jest/globals';
import type { Condition, NodeAnswers, SessionCommand, WireClientQuery } from '#libs/api-contracts';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, fakeClock, quiet } from '#libs/testkit';
import { SessionCommands } from './session-commands.ts';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 60 } };
const GONE = { nodeId: 'node-gone', incarnation: 1 };
const clock = fakeClock();

let memory: MemoryNode;
let store: LocalSessionStore;
let commands: SessionCommands;

const query = (where: readonly Condition[] = [], more: Partial<WireClientQuery> = {}) => ({
  ...{ limit: 10, order: 'client_id' as const, descending: false, where },
  ...more,
});

const ask = (command: SessionCommand) => commands.answer(command);

beforeEach(async () => {
  store = new LocalSessionStore({ clock: clock.now });
  const retained = new LocalRetainedStore({ clock: clock.now });
  memory = new MemoryNode({ clock, sessions: store, retained });
  commands = new SessionCommands({
    ...{ admin: memory.node.admin, store },
    checkAccess: async () => ({ verdicts: [{ allowed: true }] }),
  });
  for (const clientId of ['a', 'b', 'c']) {
    const client = await memory.connected(clientId, { username: `user-${clientId}`, ...DURABLE });
    await client.subscribe('t/#', { qos: 1 });
    if (clientId === 'c') client.cut();
  }
  await quiet();
});

/** Sessions of a node that is not there any more. */
async function orphans(...ids: readonly string[]): Promise<void> {
  for (const clientId of ids) {
    const base = { clientId, node: GONE, nowMs: clock.now(), cleanStart: false, durable: true };
    await store.take({ ...base, expiryIntervalSeconds: 60, connected: true, user: 'u' });
  }
}

it.each([
  [[], ['a', 'b', 'c']],
  [[{ field: 'client_id', operator: 'eq', value: 'b' }], ['b']],
  [[{ field: 'state', operator: 'eq', value: 'disconnected' }], ['c']],
  [[{ field: 'username', operator: 'in', value: ['user-a', 'user-c'] }], ['a', 'c']],
  [[{ field: 'subscriptions', operator: 'gte', value: 2 }], []],
  [[{ field: 'mqtt_version', operator: 'eq', value: '5' }], ['a', 'b', 'c']],
  [[{ field: 'ip', operator: 'eq', value: '192.0.2.0/24' }], ['a', 'b', 'c']],
  [[{ field: 'ip', operator: 'eq', value: '10.0.0.0/8' }], []],
  [[{ field: 'nothing', operator: 'eq', value: 'x' }], []],
] as [Condition[], string[]][])('lists the clients that meet %j', async (where, ids) => {
  const answer = await ask({ kind: 'clients', query: query(where) });

  expect(answer).toMatchObject({ items: ids.map((clientId) => ({ clientId })), hasMore: false });
});

it('lists sessions of a node that has gone, and no others', async () => {
  await orphans('o1', 'o2', 'o3');
  const all = await ask({ kind: 'unowned-sessions', query: query() });
  const like = [{ field: 'client_id', operator: 'like', value: 'o3' }] as const;
  const one = await ask({ kind: 'unowned-sessions', query: query(like) });
  const down = { descending: true, limit: 1, after: { clientId: 'o3' } };
  const next = await ask({ kind: 'unowned-sessions', query: query([], down) });
  const byTime = { order: 'connected_at', after: { clientId: 'b', connectedAtMs: 1 } } as const;
  const none = await ask({ kind: 'unowned-sessions', query: query([], byTime) });

  const ids = (answer: unknown) =>
    (answer as { items: { session: { clientId: string } }[] }).items.map((i) => i.session.clientId);
  expect(ids(all)).toEqual(['o1', 'o2', 'o3']);
  expect([ids(one), ids(next), ids(none)]).toEqual([['o3'], ['o2'], []]);
  expect(next).toMatchObject({ hasMore: true });
  expect(await ask({ kind: 'unowned-session', clientId: 'o1' })).toMatchObject({
    unowned: { nodeId: 'node-gone', session: { username: 'u', isDurable: true } },
  });
  for (const clientId of ['a', 'nobody']) {
    expect(await ask({ kind: 'unowned-session', clientId })).toEqual({ unowned: undefined });
  }
});

it('lists subscriptions of sessions whose node has gone, in pages, as those of its own', async () => {
  await orphans('o1', 'o2');
  const fields = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  for (const clientId of ['o1', 'o2']) {
    for (const filter of ['t/+', '$share/g/u', 'a/#']) {
      const subscription = { ...fields, filter, subscriptionIdentifier: 0 };
      const epoch = (await store.load(clientId))?.epoch ?? NaN;
      const subscriptions = [subscription];
      const outcomes = await store.write([{ kind: 'subscribe', clientId, epoch, subscriptions }]);
      expect(outcomes).toEqual(['done']);
    }
  }
  const list = async (more: object = {}, node?: string) => {
    const query = { limit: 10, ...more };
    const answer = await ask({ kind: 'unowned-subscriptions', query, node });
    const { items, hasMore } = answer as NodeAnswers['unowned-subscriptions'];
    const seen = items.map(({ nodeId, subscription: { clientId, filter } }) => [
      nodeId,
      `${clientId} ${filter}`,
    ]);
    return { hasMore, seen: seen.map(([, each]) => each), nodes: new Set(seen.map(([id]) => id)) };
  };
  const all = ['o1 $share/g/u', 'o1 a/#', 'o1 t/+', 'o2 $share/g/u', 'o2 a/#', 'o2 t/+'];
  expect(await list()).toEqual({ hasMore: false, seen: all, nodes: new Set([GONE.nodeId]) });
  const after = { clientId: 'o1', filter: 'a/#' };
  expect(await list({ after, limit: 2 })).toMatchObject({ hasMore: true, seen: all.slice(2, 4) });
  expect((await list({ clientId: 'o2', matchTopic: 't/1' })).seen).toEqual(['o2 t/+']);
  expect((await list({ group: 'g' })).seen).toEqual(['o1 $share/g/u', 'o2 $share/g/u']);
  expect((await list({ qos: 2 })).seen).toEqual([]);
  expect((await list({}, GONE.nodeId)).seen).toEqual(all);
  expect((await list({}, 'another')).seen).toEqual([]);
});

it('shows what waits for a client, a page at a time, with payloads only when asked for', async () => {
  const publisher = await memory.connected('publisher');
  for (const text of ['one', 'two']) publisher.publish('t/1', text, { qos: 1 });
  await quiet();
  const base = { kind: 'queued', clientId: 'c', limit: 1 } as const;
  const first = await ask({ ...base, payload: true });
  const payload = Buffer.from('one').toString('base64');

  expect(first).toMatchObject({
    page: { items: [{ topic: 't/1', payload, publisher: 'publisher' }], hasMore: true },
  });
  const after = (first as { page: { items: { position: never }[] } }).page.items[0]?.position;
  const second = await ask({ ...base, after, payload: false });
  expect(second).toMatchObject({ page: { items: [{ payloadBytes: 3 }], hasMore: false } });
  expect(JSON.stringify(second)).not.toContain('"payload"');
  expect(await ask({ kind: 'clear-queue', clientId: 'c' })).toEqual({ removed: 2 });
  expect(await ask({ ...base, payload: false })).toEqual({ page: { items: [], hasMore: false } });
  expect(await ask({ kind: 'inflight', clientId: 'a', payload: true })).toMatchObject({
    items: [{ awaits: 'puback' }, { awaits: 'puback' }],
  });
});

it('changes one session', async () => {
  const request = {
    ...({ filter: 'x', qos: 1, noLocal: false, retainAsPublished: false } as const),
    ...({ retainHandling: 0, subscriptionIdentifier: 0 } as const),
  };
  const clientId = 'a';
  expect(await ask({ kind: 'subscribe-client', clientId, requests: [request] })).toEqual({
    reasonCodes: [1],
  });
  expect(await ask({ kind: 'unsubscribe-client', clientId, filters: ['x'] })).toEqual({
    reasonCodes: [0],
  });
  expect(await ask({ kind: 'set-expiry', clientId, seconds: 9 })).toEqual({ outcome: 'done' });
  expect(await ask({ kind: 'verdicts', clientId })).toEqual({ items: [] });
  expect(await ask({ kind: 'forget-verdicts', clientId })).toEqual({ found: true });
  expect(await ask({ kind: 'check-access', clientId, requests: [] })).toMatchObject({
    verdicts: [{ allowed: true }],
  });
  const how = { reasonCode: 0x98, withWill: true, endSession: true };
  const many = { kind: 'disconnect-many', clientIds: [clientId, 'nobody'], ...how } as const;
  const states = ['connected', 'absent'];
  expect(await ask({ ...many, dryRun: true })).toEqual({ states });
  expect(await ask({ kind: 'client', clientId })).toMatchObject({ client: { clientId } });
  expect(await ask({ kind: 'disconnect', clientId, ...how })).toEqual({ found: true });
  expect(await ask({ kind: 'client', clientId })).toEqual({ client: undefined });
});
