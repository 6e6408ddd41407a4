import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
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
let settings: Readonly<Record<string, string>>;

beforeAll(async () => {
  settings = { REDIS_URL: (await openRedis(shared)).url };
  nodes = [await Broker.start(shared, settings), await Broker.start(shared, settings)];
  api = await Api.start(shared, settings, 'open-sesame-open-sesame');
});
afterEach(() => scope.close());
afterAll(() => shared.close());

interface Change {
  readonly version: number;
  readonly applied: readonly string[];
}

async function patch(body: unknown): Promise<Change> {
  const etag = (await api.call('getConfig')).headers.get('etag') ?? '';
  const reply = await api.call('patchConfig', { body, headers: { 'if-match': etag } });
  expect(reply.status).toBe(200);
  return reply.body as Change;
}

/** What a client is granted for another filter: its QoS, or why not. */
async function granted(client: Client, filter: string): Promise<number> {
  const [grant] = await client.mqtt.subscribeAsync({ [filter]: { qos: 0 } }).catch(() => []);
  return grant?.qos ?? 0x97;
}

/** The Receive Maximum that a node tells a client that comes. */
async function receiveMaximumAt(node: Broker): Promise<number | undefined> {
  const client = new Client(scope, node.url);
  const told = new Promise<number | undefined>((resolve) => {
    client.mqtt.once('connect', ({ properties }) => resolve(properties?.receiveMaximum));
  });
  await client.connected();
  return told;
}

it('a limit holds for clients of both nodes within two seconds, after a restart too, until it is rolled back', async () => {
  const clients = await Promise.all(nodes.map((node) => Client.connect(scope, node.url)));
  for (const client of clients) expect(await granted(client, 'one')).toBe(0);

  const changed = await patch({ limits: { subscriptionsMax: 1, receiveMaximum: 17 } });
  const storedAt = performance.now();
  expect(changed.applied).toEqual(nodes.map(({ id }) => id));
  for (const client of clients) expect(await granted(client, 'two')).toBe(0x97);
  for (const node of nodes) expect(await receiveMaximumAt(node)).toBe(17);
  expect(performance.now() - storedAt).toBeLessThan(IN_FORCE_MS);

  await nodes[1].stop();
  await nodes[1].start();
  expect(await receiveMaximumAt(nodes[1])).toBe(17);
  const joined = await Broker.start(scope, settings);
  expect(await receiveMaximumAt(joined)).toBe(17);
  await joined.stop();

  const back = await api.call('rollBackConfig', { body: { version: 0 } });
  expect(back.body).toMatchObject({ overrides: {} });
  expect(await Promise.all(clients.slice(0, 1).map((client) => granted(client, 'two')))).toEqual([
    0,
  ]);
  for (const node of nodes) expect(await receiveMaximumAt(node)).toBe(1_024);
});

it('a rate holds for a client that is there: one that goes on is told 0x97', async () => {
  const client = await Client.connect(scope, nodes[1].url);
  const rates = { client: { messagesPerSecond: 1 }, burstSeconds: 1, heldSecondsMax: 1 };
  await patch({ rates });
  await until(async () => {
    for (let sent = 0; sent < 20; sent += 1) client.mqtt.publish('t', 'x', () => undefined);
    return client.disconnects.includes(0x97);
  }, WAIT_MS);
  const back = await patch({ rates: null });
  expect(back.applied).toHaveLength(nodes.length);
});

it('a level of the log of one node comes at once, for one component, and is taken back', async () => {
  const [chosen, other] = nodes;
  const own = { component: 'node', node: chosen.id };
  const set = await api.call('setLogLevel', {
    body: { ...own, level: 'debug', ttl_seconds: 60 },
  });
  expect(set.status).toBe(200);
  for (const node of [other, chosen]) {
    const [clientId, taken] = [`twice-${node.id}`, 0x8e];
    const first = await Client.connect(scope, node.url, { clientId });
    await Client.connect(scope, node.url, { clientId });
    await until(() => first.disconnects.includes(taken), WAIT_MS);
  }
  await until(() => chosen.child.output.includes('connection-closed'), WAIT_MS);
  expect(other.child.output).not.toContain('connection-closed');

  const silenced = await api.call('setLogLevel', {
    body: { level: 'error', component: 'process', node: chosen.id },
  });
  expect(silenced.status).toBe(200);
  const before = chosen.child.output.length;
  const { version, applied } = await patch({ limits: { inflightMax: 64 } });
  expect(applied).toHaveLength(nodes.length);
  const told = new RegExp(`config-changed.*version\\W+${String(version)}\\b`);
  await until(() => told.test(other.child.output), WAIT_MS);
  expect(chosen.child.output.slice(before)).not.toMatch(told);
  const back = await api.call('setLogLevel', { body: { ...own, level: null } });
  expect(back.body).toMatchObject({
    nodes: [{ components: expect.arrayContaining([expect.objectContaining({ until: null })]) }],
  });
});
