import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { freePort, until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { openRedis } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 20_000;
const IN_FORCE_MS = 2_000;

const shared = new Scope();
const scope = new Scope();
let nodes: readonly [Broker, Broker];
let api: Api;

beforeAll(async () => {
  const settings = { REDIS_URL: (await openRedis(shared)).url };
  nodes = [await Broker.start(shared, settings), await Broker.start(shared, settings)];
  api = await Api.start(shared, settings, 'open-sesame-open-sesame');
});
afterEach(() => scope.close());
afterAll(() => shared.close());

interface Listener {
  readonly refused: readonly unknown[];
  readonly nodes: readonly {
    readonly node: string;
    readonly state: string;
    readonly address: string;
    readonly last_error: string | null;
  }[];
}

async function get(id: string): Promise<{ readonly etag: string; readonly body: Listener }> {
  const { headers, body } = await api.call('getListener', { path: { listener_id: id } });
  return { etag: headers.get('etag') ?? '', body: body as Listener };
}

async function patch(id: string, settings: Readonly<Record<string, unknown>>): Promise<Listener> {
  const reply = await api.call('patchListener', {
    path: { listener_id: id },
    body: { settings },
    headers: { 'if-match': (await get(id)).etag },
  });
  expect(reply.status).toBe(200);
  return reply.body as Listener;
}

async function connects(url: string): Promise<boolean> {
  const client = new Client(scope, url);
  await until(() => client.isConnected || client.closes > 0, WAIT_MS);
  return client.isConnected;
}

const urlsOf = ({ nodes: places }: Listener) => places.map(({ address }) => address);

it('a listener that is made takes clients on both nodes, after a restart too, until it is removed', async () => {
  const made = await api.call('createListener', {
    body: { id: 'plant', settings: { transport: 'tcp', host: '127.0.0.1', port: 0 } },
  });
  const madeAt = performance.now();
  expect(made.status).toBe(201);
  const urls = urlsOf(made.body as Listener);
  expect(urls).toHaveLength(nodes.length);
  const [first = ''] = urls;
  const client = await Client.connect(scope, first);
  for (const url of urls) expect(await connects(url)).toBe(true);
  expect(performance.now() - madeAt).toBeLessThan(IN_FORCE_MS);

  const ruled = await patch('plant', { rules: { qosMax: 0 } });
  expect(ruled.refused).toEqual([]);
  for (const url of urlsOf(ruled)) {
    const other = await Client.connect(scope, url);
    const [grant] = await other.mqtt.subscribeAsync({ a: { qos: 2 } });
    expect(grant?.qos).toBe(0);
  }
  const [grant] = await client.mqtt.subscribeAsync({ a: { qos: 2 } });
  expect(grant?.qos).toBe(2);

  await nodes[1].stop();
  await nodes[1].start();
  await until(async () => {
    const { body } = await get('plant');
    return body.nodes.filter(({ state }) => state === 'listening').length === nodes.length;
  }, WAIT_MS);
  const again = await get('plant');
  for (const url of urlsOf(again.body)) expect(await connects(url)).toBe(true);

  const gone = await api.call('deleteListener', {
    path: { listener_id: 'plant' },
    headers: { 'if-match': again.etag },
  });
  expect(gone.status).toBe(204);
  for (const url of urlsOf(again.body)) expect(await connects(url)).toBe(false);
  expect(client.isConnected).toBe(true);
});

it('a node that cannot open a listener as it is set keeps it as it was, and says why', async () => {
  const [own, other] = nodes;
  const taken = await freePort();
  const holder = await Broker.start(scope, { LISTENERS_TCP_PORT: taken });
  const changed = await patch('tcp', { host: '127.0.0.1', port: taken });
  expect(changed.nodes.map(({ node }) => node)).toEqual([own.id, other.id]);
  for (const { state, last_error: fault } of changed.nodes) {
    expect({ state, fault }).toEqual({
      state: 'listening',
      fault: expect.stringContaining('EADDRINUSE'),
    });
  }
  for (const node of nodes) expect(await connects(node.url)).toBe(true);
  await holder.stop();

  const { etag } = await get('tcp');
  const back = await api.call('deleteListener', {
    path: { listener_id: 'tcp' },
    headers: { 'if-match': etag },
  });
  expect(back.status).toBe(204);
  const { body } = await get('tcp');
  expect(body.nodes.map((each) => each.last_error)).toEqual([null, null]);
});

it('a listener of the configuration is changed on its port, for clients that come', async () => {
  const before = await Client.connect(scope, nodes[0].url);
  const changed = await patch('tcp', { rules: { qosMax: 1 } });
  expect(changed.nodes.map(({ state, last_error: fault }) => [state, fault])).toEqual(
    nodes.map(() => ['listening', null]),
  );
  for (const node of nodes) {
    const client = await Client.connect(scope, node.url);
    const [grant] = await client.mqtt.subscribeAsync({ a: { qos: 2 } });
    expect(grant?.qos).toBe(1);
  }
  const [grant] = await before.mqtt.subscribeAsync({ a: { qos: 2 } });
  expect(grant?.qos).toBe(2);
  await patch('tcp', { rules: null });
});

it('a listener is closed for good and opened again', async () => {
  const client = await Client.connect(scope, nodes[0].wsUrl);
  await patch('ws', { enabled: false });
  for (const node of nodes) expect(await connects(node.wsUrl)).toBe(false);
  expect(client.isConnected).toBe(true);
  await patch('ws', { enabled: null });
  for (const node of nodes) expect(await connects(node.wsUrl)).toBe(true);
});
