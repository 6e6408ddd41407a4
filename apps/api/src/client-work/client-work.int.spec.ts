import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { DisconnectResults, LongOperation, OperationId } from '#libs/api-contracts';
import { KEY, configOf, endOf, open, operate } from '../../../../test/api/api-harness.ts';
import { FAKE_BANS_MAX } from '../../../../test/api/fake-bans.ts';
import { FakeNode, clientOf } from '../../../../test/api/fake-node.ts';
import type { ApiProcess } from '../api-process.ts';

let api: ApiProcess;
let node: FakeNode;

beforeAll(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY });
  // The other one never answers.
  node = new FakeNode('n1', config, ['n1', 'frozen']);
  await node.server.open();
  api = await open(config);
});

beforeEach(() => {
  node.clients.clear();
  node.bans.clear();
  node.received.length = 0;
  node.sessions.unowned = [];
});

afterAll(async () => {
  await api.stop();
  await node.server.close();
});

function put(...ids: string[]): void {
  for (const id of ids) node.clients.set(id, clientOf(id));
}

async function disconnect(json: object): Promise<DisconnectResults> {
  const { status, body } = await operate(api, 'disconnectClients', { json });
  expect(status).toBe(200);
  return body as DisconnectResults;
}

async function ended(id: OperationId, json: object): Promise<LongOperation> {
  return endOf(api, await operate(api, id, { json }));
}

it('disconnects the clients that are named, whatever their names are', async () => {
  const long = 'é'.repeat(32_767);
  put('.', '..', '/+#%?😀', long);
  const names = ['..', '.', '/+#%?😀', long, '..'];
  const { items } = await disconnect({
    ...{ client_ids: names, reason_code: 139, publish_will: false, clear_session: true },
  });

  expect(items).toEqual(
    names.map((id, index) => ({ index, status: 204, client_id: id, was: 'connected' })),
  );
  expect(node.clients.size).toBe(0);
  expect(node.received.findLast(({ kind }) => kind === 'disconnect-many')).toEqual({
    ...{ kind: 'disconnect-many', clientIds: names.slice(0, 4), dryRun: false },
    ...{ reasonCode: 139, withWill: false, endSession: true },
  });
});

it('says of each whether it was there, and of a silent node what that means', async () => {
  put('a');
  node.clients.set('b', clientOf('b', 'disconnected'));
  node.sessions.unowned = [{ nodeId: 'gone', session: clientOf('o', 'disconnected') }];
  const dry = await disconnect({ client_ids: ['a', 'b', 'c', 'o'], dry_run: true });
  expect(dry).toMatchObject({
    dry_run: true,
    items: [
      { status: 204, was: 'connected' },
      { status: 204, was: 'disconnected' },
      {
        status: 503,
        was: null,
        problem: { code: 'node-unavailable', detail: expect.stringContaining('frozen') },
      },
      {
        status: 503,
        was: null,
        problem: { detail: expect.stringMatching(/^Not done: gone/) },
      },
    ],
  });
  expect(node.clients.size).toBe(2);
});

it.each([
  {},
  { client_ids: [] },
  { client_ids: ['a'], filter: { state: 'connected' } },
  { client_ids: ['a'], per_second: 1 },
  { filter: {} },
  { filter: { nothing: 'a' } },
  { filter: { state: 'away' } },
  { filter: { client_id: {} } },
  { filter: { queue: { gte: -1 } } },
  { filter: { queue: 1 } },
  { filter: { client_id: { gte: 'a' } } },
  { client_ids: ['a'], reason_code: 1 },
  { client_ids: ['a'], ban_for_seconds: 0 },
])('refuses to disconnect %j', async (json) => {
  expect((await operate(api, 'disconnectClients', { json })).status).toBe(400);
});

it('takes a thousand ids, and no more', async () => {
  const idsOf = (length: number) => Array.from({ length }, (_, index) => `c${index}`);
  expect((await disconnect({ client_ids: idsOf(1_000) })).items).toHaveLength(1_000);
  const json = { client_ids: idsOf(1_001) };
  expect((await operate(api, 'disconnectClients', { json })).status).toBe(400);
});

it('bans those that it has disconnected, if its caller may, and says which it could not', async () => {
  const ids = Array.from({ length: FAKE_BANS_MAX + 1 }, (_, index) => `c${index}`);
  put(...ids);
  const { items } = await disconnect({ client_ids: [...ids, 'nobody'], ban_for_seconds: 60 });
  const statuses = items.map(({ status }) => status);
  expect(statuses).toEqual([...ids.map((_, i) => (i < FAKE_BANS_MAX ? 204 : 409)), 503]);
  expect(items[FAKE_BANS_MAX]).toMatchObject({
    was: 'connected',
    problem: { code: 'limit-reached', detail: expect.stringMatching(/^Disconnected, and not/) },
  });
  const { body } = await operate(api, 'listBans');
  expect((body as { items: { value: string; until: string }[] }).items).toHaveLength(FAKE_BANS_MAX);

  const created = await operate(api, 'createApiKey', {
    json: { name: 'k', scopes: ['clients:execute'] },
  });
  const { secret } = created.body as { secret: string };
  const headers = { authorization: `Bearer ${secret}` };
  const json = { client_ids: ['a'], ban_for_seconds: 60 };
  expect((await operate(api, 'disconnectClients', { json, headers })).status).toBe(403);
  const plain = { json: { client_ids: ['a'] }, headers };
  expect((await operate(api, 'disconnectClients', plain)).status).toBe(200);
});

it('disconnects those that a filter finds, at a rate, and counts them', async () => {
  put('press/1', 'press/2', 'press/3', 'saw/1');
  node.clients.set('press/4', clientOf('press/4', 'disconnected'));
  const json = { filter: { client_id: { like: 'press/' } }, per_second: 2 };
  const operation = await ended('disconnectClients', json);

  expect(operation).toMatchObject({
    ...{ kind: 'client-disconnects', state: 'succeeded', progress: { done: 3, total: null } },
    result_scope: 'clients:read',
    result: {
      ...{ dry_run: false, matched: 3, disconnected: 3, banned: 0, not_done: 0, problems: [] },
      unavailable_nodes: ['frozen'],
    },
  });
  expect(operation.result).not.toHaveProperty('client_ids');
  expect([...node.clients.keys()]).toEqual(['saw/1', 'press/4']);
  const begun = Date.parse(operation.created_at);
  expect(Date.parse(operation.ended_at ?? '') - begun).toBeGreaterThan(900);
});

it('ends sessions that a filter finds, or names those that it would end', async () => {
  put('a', 'b');
  node.clients.set('c', clientOf('c', 'disconnected'));
  const filter = { state: 'disconnected' };
  const dry = await ended('purgeSessions', { filter, dry_run: true });
  expect(dry.result).toMatchObject({ dry_run: true, matched: 1, ended: 0, client_ids: ['c'] });
  expect(node.clients.size).toBe(3);

  const { result } = await ended('purgeSessions', { filter: { client_id: 'a' } });
  expect(result).toMatchObject({ matched: 1, ended: 1 });
  expect([...node.clients.keys()]).toEqual(['b', 'c']);
  expect((await operate(api, 'purgeSessions', { json: { filter: {} } })).status).toBe(400);
});
