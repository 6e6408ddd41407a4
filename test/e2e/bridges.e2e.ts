import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { KafkaForTests } from './harness/kafka.ts';
import { Scope } from './harness/scope.ts';

const START_MS = 300_000;
const WAIT_MS = 20_000;
const BURST = 20;
const BURSTS = 60;

jest.setTimeout(90_000);

const scope = new Scope();
const shared = new Scope();
let kafka: KafkaForTests;

beforeAll(async () => {
  kafka = await KafkaForTests.open(shared);
}, START_MS);
afterEach(() => scope.close());
afterAll(() => shared.close(), START_MS);

/** Publishes numbered messages in bursts; those that were acknowledged. */
async function load(client: Client, topic: string, onBurst: (burst: number) => void) {
  const acknowledged: string[] = [];
  for (let burst = 0; burst < BURSTS; burst += 1) {
    onBurst(burst);
    const sent = Array.from({ length: BURST }, async (_, index) => {
      const text = `${topic}.${String(burst * BURST + index)}`;
      await client.publish(topic, text);
      acknowledged.push(text);
    });
    await Promise.all(sent);
  }
  return acknowledged;
}

it('a bridge that is made over REST carries messages, and goes on without a loss when it is changed', async () => {
  const topic = await kafka.topic('rest');
  const { nodes, redis } = await startCluster(scope, { BRIDGE_SPOOL_KIND: 'redis' });
  const api = await Api.start(scope, redis);
  const brokers = kafka.brokers.split(',');
  const bridge = { id: 'shop', kind: 'kafka', brokers };
  const path = { bridge_id: 'shop' };

  const tested = await api.call('testUnsavedBridge', { body: { bridge, target: topic } });
  expect(tested.body).toMatchObject({
    ok: true,
    results: [{ ok: true }, { ok: true }, { ok: true }],
  });
  const made = await api.call('createBridge', { body: bridge });
  expect(made.status).toBe(201);
  // At once, before the nodes have looked.
  for (const ack of ['spool', 'kafka']) {
    const body = {
      id: ack,
      bridge: 'shop',
      direction: 'mqtt-to-kafka',
      filter: `${ack}/#`,
      topic,
      ack,
    };
    expect((await api.call('createBridgeRule', { body })).status).toBe(201);
  }
  await until(async () => {
    const { body } = await api.call('listBridgeRules');
    const { items } = body as { items: { states: { state: string }[] }[] };
    expect(items.flatMap(({ states }) => states.map(({ state }) => state))).toEqual(
      Array(2 * nodes.length).fill('running'),
    );
  }, WAIT_MS);

  let etag = made.headers.get('etag') ?? '';
  let changes: Promise<void> = Promise.resolve();
  const change = async (compression: string): Promise<void> => {
    const headers = { 'if-match': etag };
    const changed = await api.call('replaceBridge', {
      ...{ path, headers, body: { ...bridge, compression, client_id: `skein-${compression}` } },
    });
    expect(changed).toMatchObject({ status: 200, body: { compression } });
    etag = changed.headers.get('etag') ?? '';
  };
  const loads = nodes.flatMap((node, place) =>
    ['spool', 'kafka'].map(async (ack) => {
      const name = `${ack}/c${String(place)}`;
      const client = await Client.connect(scope, node.url, { clientId: name });
      return load(client, name, (burst) => {
        if (name !== 'kafka/c0') return;
        if (burst === 10) changes = change('gzip');
        if (burst === 40) changes = changes.then(() => change('none'));
      });
    }),
  );
  const acknowledged = (await Promise.all(loads)).flat();
  await changes;
  expect(acknowledged).toHaveLength(6 * BURST * BURSTS);

  const waiting = await Promise.all(
    nodes.map((node) =>
      until(async () => (await node.ops.metric('skein_bridge_spool_records')) === 0, WAIT_MS),
    ),
  );
  expect(waiting).toHaveLength(nodes.length);
  const values = (await kafka.readAll(scope, topic)).map((record) => record.split('|')[2] ?? '');
  const present = new Set(values);
  expect(acknowledged.filter((text) => !present.has(text))).toEqual([]);
  for (const name of new Set(acknowledged.map((text) => text.split('.')[0]))) {
    const order = [...present]
      .filter((text) => text.startsWith(`${String(name)}.`))
      .map((text) => Number(text.split('.')[1]));
    expect(order).toEqual(order.toSorted((one, other) => one - other));
  }

  const headers = { 'if-match': '*' };
  expect((await api.call('deleteBridge', { path, headers })).status).toBe(409);
  for (const rule_id of ['spool', 'kafka']) {
    await api.call('deleteBridgeRule', { path: { rule_id }, headers });
  }
  expect((await api.call('deleteBridge', { path, headers })).status).toBe(204);
  expect((await api.call('getBridge', { path })).status).toBe(404);
  await Promise.all(nodes.map((node) => node.stop()));
});

it('a bridge that is made over REST reads no file and no variable of the node', async () => {
  const { nodes, redis } = await startCluster(scope);
  const api = await Api.start(scope, redis);
  const sasl = (password: object) => ({ mechanism: 'plain', username: 'u', password });
  const bridge = { id: 'x', kind: 'kafka', brokers: ['127.0.0.1:1'] };
  for (const secret of [{ file: '/etc/passwd' }, { env: 'PATH' }]) {
    const body = { ...bridge, sasl: sasl(secret) };
    expect((await api.call('createBridge', { body })).status).toBe(422);
    expect((await api.call('testUnsavedBridge', { body: { bridge: body } })).status).toBe(422);
  }
  expect((await api.call('listBridges')).body).toMatchObject({ items: [] });
  await Promise.all(nodes.map((node) => node.stop()));
});

it('a rule that is paused over REST takes nothing, on any node, until it is resumed', async () => {
  const topic = await kafka.topic('paused');
  const { nodes, redis } = await startCluster(scope, { BRIDGE_SPOOL_KIND: 'redis' });
  const api = await Api.start(scope, redis);
  const bridge = { id: 'shop', kind: 'kafka', brokers: kafka.brokers.split(',') };
  expect((await api.call('createBridge', { body: bridge })).status).toBe(201);
  const rule = { id: 'r', bridge: 'shop', direction: 'mqtt-to-kafka', filter: 'p/#', topic };
  const body = { ...rule, ack: 'spool' };
  let etag = (await api.call('createBridgeRule', { body })).headers.get('etag') ?? '';
  const path = { rule_id: 'r' };
  const clients = await Promise.all(
    nodes.map((node, place) => Client.connect(scope, node.url, { clientId: `p${String(place)}` })),
  );

  const enable = async (enabled: boolean) => {
    const headers = { 'if-match': etag };
    const changed = await api.call('patchBridgeRule', { path, headers, body: { enabled } });
    expect(changed).toMatchObject({ status: 200, body: { id: 'r', enabled, ack: 'spool' } });
    etag = changed.headers.get('etag') ?? '';
  };
  const publishWhile = async (state: string) => {
    await until(async () => {
      const { states } = (await api.call('getBridgeRule', { path })).body as {
        states: { state: string }[];
      };
      expect(states.map((each) => each.state)).toEqual(nodes.map(() => state));
    }, WAIT_MS);
    await Promise.all(clients.map((client) => client.publish('p/1', state)));
  };
  await publishWhile('running');
  await enable(false);
  await publishWhile('stopped');
  await enable(true);
  await publishWhile('running');

  await until(async () => {
    const values = (await kafka.readAll(scope, topic)).map((record) => record.split('|')[2]);
    expect(values).toEqual(Array(2 * nodes.length).fill('running'));
  }, WAIT_MS);
  await Promise.all(nodes.map((node) => node.stop()));
});
