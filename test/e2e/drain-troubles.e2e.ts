import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { openRedis, startCluster } from './harness/cluster.ts';
import { bridgeTo } from './harness/kafka.ts';
import { Nomad } from './harness/nomad.ts';
import { RawClient } from './harness/raw-client.ts';
import { Scope } from './harness/scope.ts';

const DEADLINE_MS = 40_000;
/** Nothing listens there. */
const NO_KAFKA = '127.0.0.1:1';

jest.setTimeout(120_000);

const scope = new Scope();
afterEach(() => scope.close());

async function nomadsAt(count: number, ...nodes: readonly Broker[]): Promise<Nomad[]> {
  const nomads = Array.from({ length: count }, (_, at) => new Nomad(scope, at, nodes));
  await until(() => nomads.every(({ connects }) => connects === 1), DEADLINE_MS);
  return nomads;
}

const moved = (nomads: readonly Nomad[]): number =>
  nomads.filter(({ connects }) => connects === 2).length;
const isUnready = async ({ ops }: Broker): Promise<boolean> => (await ops.health('ready')) === 503;

/** What a client is told that comes now: the reason code of its CONNACK, and where it is sent. */
async function refusalOf(node: Broker): Promise<readonly unknown[]> {
  const client = await RawClient.open(scope, node.port);
  client.send({ cmd: 'connect', clientId: 'late', clean: true, keepalive: 60 } as never);
  await until(() => client.packets.length > 0, DEADLINE_MS);
  const [connack] = client.packets;
  if (connack?.cmd !== 'connack') throw new Error('no CONNACK');
  return [connack.reasonCode, connack.properties?.serverReference];
}

it('a node that ends is not ready and refers new clients elsewhere before the first of the others goes', async () => {
  const settings = {
    ...{ DRAIN_LAME_DUCK_SECONDS: 4, DRAIN_SERVER_REFERENCE: 'elsewhere:1883' },
    DRAIN_CONNECTIONS_PER_SECOND: 1_000,
  };
  const { nodes } = await startCluster(scope, settings);
  const [ending, staying] = nodes;
  const nomads = await nomadsAt(20, ending, staying);
  const begunAtMs = performance.now();
  const stopped = ending.child.stop();
  await until(() => isUnready(ending), DEADLINE_MS);
  expect(await refusalOf(ending)).toEqual([0x9c, 'elsewhere:1883']);
  expect(nomads.every(({ closes }) => closes === 0)).toBe(true);
  expect(await stopped).toBe(0);
  const first = Math.min(...nomads.map(({ leftAtMs }) => leftAtMs));
  expect(first - begunAtMs).toBeGreaterThan(3_900);
  await until(() => moved(nomads) === nomads.length, DEADLINE_MS);
});

it('an API drain tells new clients where it sends the others, and meets its deadline whatever its rate', async () => {
  const { nodes } = await startCluster(scope);
  const [drained, other] = nodes;
  const api = await Api.start(scope, drained.settings);
  const nomads = await nomadsAt(60, drained, other);
  const path = { node_id: drained.id };
  const begunAtMs = performance.now();
  const body = { connections_per_second: 1, deadline_seconds: 8, server_reference: 'other:1883' };
  expect((await api.call('startDrain', { path, body })).status).toBe(202);
  expect(await refusalOf(drained)).toEqual([0x9c, 'other:1883']);
  await until(() => nomads.every(({ leftAtMs }) => leftAtMs > 0), DEADLINE_MS);
  const last = Math.max(...nomads.map(({ leftAtMs }) => leftAtMs));
  expect(last - begunAtMs).toBeLessThan(9_000);
  await until(() => moved(nomads) === nomads.length, DEADLINE_MS);
  await api.call('stopDrain', { path });
  await Client.connect(scope, drained.url, { clientId: 'again' });
});

it('a rebalance that is stopped in the middle leaves the others where they are, and the donor ready', async () => {
  const { nodes } = await startCluster(scope);
  const [donor, other] = nodes;
  const api = await Api.start(scope, donor.settings);
  const nomads = await nomadsAt(90, donor, other);
  const body = {
    ...{ absolute_threshold: 10, connections_per_second: 5 },
    ...{ wait_health_check_seconds: 0, wait_takeover_seconds: 60 },
  };
  const begun = await api.call('startRebalance', { body });
  const path = { rebalance_id: (begun.body as { id: string }).id };
  await until(() => moved(nomads) >= 5, DEADLINE_MS);
  expect(await isUnready(donor)).toBe(true);
  expect((await api.call('stopRebalance', { path })).status).toBe(204);
  const { body: stopped } = await api.call('getRebalance', { path });
  const { nodes: donors } = stopped as { nodes: readonly { gone: number; remaining: number }[] };
  expect(stopped).toMatchObject({ state: 'stopped', nodes: [{ node: donor.id }] });
  const { gone, remaining } = donors[0] ?? { gone: 0, remaining: 0 };
  expect(gone + remaining).toBe(60);
  expect(remaining).toBeGreaterThan(0);
  await until(async () => !(await isUnready(donor)), DEADLINE_MS);
  await until(() => moved(nomads) === gone, DEADLINE_MS);
  // At its rate more would have gone by the time a new client has come and a message has been through.
  const client = await Client.connect(scope, donor.url, { clientId: 'new' });
  await client.subscribe('t', 1);
  await client.publish('t', 'served');
  await client.receives(1, DEADLINE_MS);
  expect(moved(nomads)).toBe(gone);
  expect(nomads.every(({ closes }) => closes <= 1)).toBe(true);
});

it('SIGTERM goes on where a drain of the API was, at its own rate', async () => {
  const { nodes } = await startCluster(scope, { DRAIN_CONNECTIONS_PER_SECOND: 100 });
  const [ending, staying] = nodes;
  const api = await Api.start(scope, ending.settings);
  const nomads = await nomadsAt(60, ending, staying);
  const path = { node_id: ending.id };
  await api.call('startDrain', { path, body: { connections_per_second: 1 } });
  await until(() => moved(nomads) > 0, DEADLINE_MS);
  expect(await ending.child.stop()).toBe(0);
  await until(() => moved(nomads) === nomads.length, DEADLINE_MS);
  expect(nomads.every(({ closes }) => closes === 1)).toBe(true);
});

it('nodes that are told to skip their drain end in a moment', async () => {
  const settings = { DRAIN_CONNECTIONS_PER_SECOND: 1, DRAIN_LAME_DUCK_SECONDS: 60 };
  const { nodes } = await startCluster(scope, settings);
  const api = await Api.start(scope, nodes[0].settings);
  await nomadsAt(60, ...nodes);
  const set = await api.call('setDrainSkip', { body: { seconds: 60 } });
  expect(set.body).toMatchObject({ meta: { partial: false }, nodes: nodes.map(() => ({})) });
  const begunAtMs = performance.now();
  expect(await Promise.all(nodes.map(({ child }) => child.stop()))).toEqual([0, 0, 0]);
  expect(performance.now() - begunAtMs).toBeLessThan(10_000);
});

it('the last node is drained by the API only if that is meant, and SIGTERM loses no session of it', async () => {
  const redis = await openRedis(scope);
  const node = await Broker.start(scope, { REDIS_URL: redis.url });
  const api = await Api.start(scope, node.settings);
  const nomads = await nomadsAt(20, node);
  const keeper = await Client.connect(scope, node.url, {
    ...{ clientId: 'keeper', clean: false, properties: { sessionExpiryInterval: 300 } },
  });
  await keeper.subscribe('wills/#', 1);
  const path = { node_id: node.id };
  const refused = await api.call('startDrain', { path, body: {} });
  expect(refused.body).toMatchObject({ code: 'conflict' });
  expect(await isUnready(node)).toBe(false);
  await node.stop();
  await node.start();
  await until(() => nomads.every(({ mqtt }) => mqtt.connected), DEADLINE_MS);
  const again = await Client.connect(scope, node.url, {
    ...{ clientId: 'keeper', clean: false, properties: { sessionExpiryInterval: 300 } },
  });
  expect(again.sessionPresent).toBe(true);
  await again.publish('wills/marker', 'the end');
  await again.receives(1, DEADLINE_MS);
  expect(again.received.map(({ topic }) => topic)).toEqual(['wills/marker']);
  const body = { even_if_last: true, connections_per_second: 1_000 };
  expect((await api.call('startDrain', { path, body })).status).toBe(202);
});

it('a node ends while Redis is away: it says so, and what it had acknowledged is there afterwards', async () => {
  const redis = await openRedis(scope);
  const { nodes } = await startCluster(scope, {
    ...{ REDIS_URL: redis.url, DRAIN_CONNECTIONS_PER_SECOND: 1_000 },
  });
  const [ending, staying] = nodes;
  const session = { clean: false, properties: { sessionExpiryInterval: 300 } };
  const asleep = await Client.connect(scope, ending.url, { clientId: 'asleep', ...session });
  await asleep.subscribe('t', 1);
  await asleep.mqtt.endAsync();
  const sender = await Client.connect(scope, ending.url, { clientId: 'sender', ...session });
  await sender.publish('t', 'acknowledged');
  await redis.kill();
  const begunAtMs = performance.now();
  const code = await ending.child.stop();
  expect([code, ending.child.output]).toEqual([0, expect.stringContaining('shutdown-done')]);
  expect(performance.now() - begunAtMs).toBeLessThan(28_000);
  expect(sender.closes).toBe(1);
  await redis.restart();
  await until(async () => !(await isUnready(staying)), DEADLINE_MS);
  // The node could not tell that it ends: the others wait for the end of its lease, and clients try again meanwhile.
  const awake = new Client(scope, staying.url, {
    ...{ clientId: 'asleep', ...session, reconnectPeriod: 500, reconnectOnConnackError: true },
  });
  await awake.receives(1, DEADLINE_MS);
  expect(awake.payloads).toEqual(['acknowledged']);
});

it('a node ends while Kafka is away: its spool keeps what it has acknowledged', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skein-spool-'));
  scope.add(() => rmSync(dir, { recursive: true, force: true }));
  const rule = { id: 'r', direction: 'mqtt-to-kafka', filter: 'devices/#', topic: 't' };
  const node = await Broker.start(scope, {
    ...bridgeTo(NO_KAFKA, [{ ...rule, ack: 'spool' }]),
    ...{ BRIDGE_SPOOL_DIR: dir },
  });
  const client = await Client.connect(scope, node.url, { clientId: 'd1' });
  for (let number = 0; number < 20; number += 1) await client.publish('devices/d1', 'reading');
  await until(async () => {
    expect(await node.ops.metric('skein_bridge_spool_records')).toBe(20);
  }, DEADLINE_MS);
  const begunAtMs = performance.now();
  await node.stop();
  expect(performance.now() - begunAtMs).toBeLessThan(20_000);
  expect(client.disconnects).toEqual([0x8b]);
  await node.start();
  await until(async () => {
    expect(await node.ops.metric('skein_bridge_spool_records')).toBe(20);
  }, DEADLINE_MS);
});
