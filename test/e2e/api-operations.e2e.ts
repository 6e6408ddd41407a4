import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { LongOperation } from '#libs/api-contracts';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Client } from './harness/client.ts';
import { startCluster, type Cluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const KEY = 'open-sesame-open-sesame';
/** A lease has to end first. */
const WAIT_MS = 40_000;
const CLIENTS = 8;
const MOVED = 0x9d;

const shared = new Scope();
const scope = new Scope();
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster(shared);
});
afterEach(() => scope.close());
afterAll(() => shared.close());

const start = (): Promise<Api> => Api.start(scope, cluster.redis, KEY);

async function clientsOf(name: string): Promise<readonly Client[]> {
  const urls = cluster.nodes.map(({ url }) => url);
  return Promise.all(
    Array.from({ length: CLIENTS }, (_, index) =>
      Client.connect(scope, urls[index % urls.length] ?? '', { clientId: `${name}/${index}` }),
    ),
  );
}

/** Has clients disconnected one a second, and waits until some are. */
async function underWay(api: Api, name: string): Promise<string> {
  const body = { filter: { client_id: { like: `${name}/` } }, per_second: 1, reason_code: MOVED };
  const begun = await api.call('disconnectClients', { body });
  expect(begun.status).toBe(202);
  const { id } = begun.body as LongOperation;
  await until(async () => (await operation(api, id)).progress.done >= 2, WAIT_MS);
  return id;
}

async function operation(api: Api, id: string): Promise<LongOperation> {
  const { status, body } = await api.call('getOperation', { path: { operation_id: id } });
  expect(status).toBe(200);
  return body as LongOperation;
}

async function ended(api: Api, id: string): Promise<LongOperation> {
  await until(async () => (await operation(api, id)).ended_at !== null, WAIT_MS);
  return operation(api, id);
}

it('an operation whose API is killed goes on where it was when the API is back', async () => {
  const clients = await clientsOf('killed');
  const first = await start();
  const id = await underWay(first, 'killed');
  await first.child.kill();
  expect(clients.some(({ closes }) => closes === 0)).toBe(true);

  const second = await start();
  const { state, attempts, result } = await ended(second, id);
  expect({ state, attempts }).toEqual({ state: 'succeeded', attempts: 2 });
  for (const client of clients) await client.closed();
  expect(clients.map(({ disconnects }) => disconnects)).toEqual(clients.map(() => [MOVED]));
  // The one that was being disconnected is not counted when the kill came before its checkpoint.
  const { matched } = result as { matched: number };
  expect([CLIENTS - 1, CLIENTS]).toContain(matched);
  expect(await second.ops.metric('skein_api_operations', 'state="running"')).toBe(0);
});

it('an operation whose API is stopped goes on at another one at once', async () => {
  const clients = await clientsOf('stopped');
  const first = await start();
  const second = await start();
  const id = await underWay(first, 'stopped');
  expect(await first.child.stop()).toBe(0);
  const { state, attempts } = await ended(second, id);
  expect({ state, attempts }).toEqual({ state: 'succeeded', attempts: 2 });
  for (const client of clients) await client.closed();
  expect(clients.map(({ disconnects }) => disconnects)).toEqual(clients.map(() => [MOVED]));
});

it('an operation that is cancelled at another replica leaves the others connected', async () => {
  const clients = await clientsOf('cancelled');
  const [first, second] = [await start(), await start()];
  const id = await underWay(first, 'cancelled');
  const path = { operation_id: id };
  expect((await second.call('cancelOperation', { path })).status).toBe(202);
  expect(await ended(first, id)).toMatchObject({ state: 'cancelled' });
  expect((await first.call('cancelOperation', { path })).status).toBe(409);
  expect(clients.at(-1)?.closes).toBe(0);
});

it('a client that is disconnected by its id hears why, and stays away while it is banned', async () => {
  const api = await start();
  const [{ url }] = cluster.nodes;
  const client = await Client.connect(scope, url, { clientId: '..' });
  const body = { client_ids: ['..'], reason_code: MOVED, ban_for_seconds: 600 };
  expect((await api.call('disconnectClients', { body })).body).toMatchObject({
    items: [{ status: 204, client_id: '..', was: 'connected' }],
  });
  await client.closed();
  expect(client.disconnects).toEqual([MOVED]);
  await until(async () => {
    const again = new Client(scope, url, { clientId: '..' });
    await until(() => again.isConnected || again.closes > 0, WAIT_MS);
    return !again.isConnected;
  }, WAIT_MS);
});

it('sessions that a filter finds are ended, with what waits in them', async () => {
  const api = await start();
  const [{ url }] = cluster.nodes;
  const lasting = { clean: false, properties: { sessionExpiryInterval: 600 } } as const;
  for (const clientId of ['purge/a', 'purge/b']) {
    const client = await Client.connect(scope, url, { clientId, ...lasting });
    await client.subscribe('purged/#', 1);
    await client.mqtt.endAsync();
  }
  const filter = { client_id: { like: 'purge/' }, state: 'disconnected' };
  const purge = async (dryRun: boolean) => {
    const { body } = await api.call('purgeSessions', { body: { filter, dry_run: dryRun } });
    return (await ended(api, (body as LongOperation).id)).result;
  };
  await until(async () => {
    const { matched } = (await purge(true)) as { matched: number };
    return matched === 2;
  }, WAIT_MS);
  expect(await purge(true)).toMatchObject({ client_ids: ['purge/a', 'purge/b'], ended: 0 });
  expect(await purge(false)).toMatchObject({ matched: 2, ended: 2 });
  const back = await Client.connect(scope, url, { clientId: 'purge/a', ...lasting });
  expect(back.sessionPresent).toBe(false);
});
