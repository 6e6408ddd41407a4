import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { MockKafka, openTcpGate, startRedis, until, type TcpGate } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { run } from './harness/child.ts';
import { Client } from './harness/client.ts';
import { bridgeTo } from './harness/kafka.ts';
import { Scope } from './harness/scope.ts';

const LEASE_MS = 2_000;
const DRAIN_MS = 30_000;
/** What a client publishes at a node before it goes on to the next one. */
const BURST = 100;
const MOVES = 4;

jest.setTimeout(90_000);

const scope = new Scope();
afterEach(() => scope.close());

/** Each rule has a topic of its own: one takes the way over the disk, one is in memory alone. */
const RULES = [
  { id: 'spooled', direction: 'mqtt-to-kafka', filter: 'devices/#', topic: 'spooled' },
  { id: 'hasty', direction: 'mqtt-to-kafka', filter: 'devices/#', topic: 'hasty', ack: 'none' },
];

/** Two nodes and a Kafka that the first one does not find until its gate is open. */
interface Plant {
  readonly kafka: MockKafka;
  readonly gate: TcpGate;
  readonly first: Broker;
  readonly second: Broker;
}

async function plant(settings: Readonly<Record<string, string | number>> = {}): Promise<Plant> {
  const redis = await startRedis();
  scope.add(() => redis.stop());
  const kafka = await MockKafka.start();
  scope.add(() => kafka.stop());
  for (const { topic } of RULES) await kafka.topic(topic, 3, 1);
  const [, port] = (kafka.brokers.split(',')[0] ?? '').split(':');
  const gate = await openTcpGate(Number(port));
  scope.add(() => gate.close());
  gate.shut();
  const start = (brokers: string): Promise<Broker> => {
    const dir = mkdtempSync(join(tmpdir(), 'skein-order-'));
    scope.add(async () => rmSync(dir, { recursive: true, force: true }));
    return Broker.start(scope, {
      ...bridgeTo(brokers, RULES),
      ...{ REDIS_URL: redis.url, REDIS_LEASE_MS: LEASE_MS, BRIDGE_SPOOL_DIR: dir },
      ...settings,
    });
  };
  const first = await start(`127.0.0.1:${String(gate.port)}`);
  return { kafka, gate, first, second: await start(kafka.brokers) };
}

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

/** Publishes numbered messages; resolves when all are acknowledged. */
async function publish(client: Client, from: number, to: number): Promise<void> {
  await Promise.all(numbers(from, to).map((each) => client.publish('devices/d1', String(each))));
}

/** What Kafka has of a topic. The mock's partitions are read one after the other; those of a client are in one. */
async function stored({ brokers }: MockKafka, topic: string): Promise<number[]> {
  const args = ['-b', brokers, '-C', '-t', topic, '-o', 'beginning', '-e', '-f', '%s\\n', '-q'];
  const stdout = await run(scope, { command: 'kcat', args });
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [Number(line)]));
}

const held = (node: Broker) => node.ops.metric('skein_bridge_held_records');
const ended = (node: Broker, outcome: string) =>
  node.ops.metric('skein_bridge_holds_total', `outcome="${outcome}"`);

describe.each([
  ['that has a session', { clean: false, properties: { sessionExpiryInterval: 600 } }],
  ['that starts anew each time', { clean: true }],
])('a client %s', (_, options) => {
  it('changes nodes while one of them does not find Kafka, and its records come in order', async () => {
    const world = await plant();
    const nodes = [world.first, world.second];
    for (let move = 0; move < MOVES; move += 1) {
      const url = nodes[move % 2]?.url ?? '';
      const client = await Client.connect(scope, url, { clientId: 'd1', ...options });
      await publish(client, move * BURST, (move + 1) * BURST);
      // Every other time it is the other node that ends the connection.
      if (move % 2 === 1) await client.leave();
    }
    await until(async () => (await held(world.second)) > 0, DRAIN_MS);
    expect(await stored(world.kafka, 'spooled')).toEqual([]);

    world.gate.open();
    const all = numbers(0, MOVES * BURST);
    for (const topic of ['spooled', 'hasty']) {
      await until(async () => (await stored(world.kafka, topic)).length >= all.length, DRAIN_MS);
      expect(await stored(world.kafka, topic)).toEqual(all);
    }
    for (const node of nodes) expect(await ended(node, 'timed_out')).toBe(0);
    for (const node of nodes) await node.stop();
  });
});

describe('records that wait for another node', () => {
  it('go on when that is killed, and what it had comes when it is back', async () => {
    const { first, second, gate, kafka } = await plant();
    const before = await Client.connect(scope, first.url, { clientId: 'd1' });
    await publish(before, 0, BURST);
    const after = await Client.connect(scope, second.url, { clientId: 'd1' });
    await publish(after, BURST, 2 * BURST);
    expect(await stored(kafka, 'spooled')).toEqual([]);

    await first.kill();
    const later = numbers(BURST, 2 * BURST);
    await until(async () => (await stored(kafka, 'spooled')).length >= BURST, DRAIN_MS);
    expect(await stored(kafka, 'spooled')).toEqual(later);
    expect(await ended(second, 'node_gone')).toBeGreaterThan(0);

    gate.open();
    await first.start();
    await until(async () => (await stored(kafka, 'spooled')).length >= 2 * BURST, DRAIN_MS);
    expect(await stored(kafka, 'spooled')).toEqual([...later, ...numbers(0, BURST)]);
    for (const node of [first, second]) await node.stop();
  });

  it('go on when their time is up', async () => {
    const { first, second, kafka } = await plant({ BRIDGE_TAKEOVER_WAIT_MS: 500 });
    const before = await Client.connect(scope, first.url, { clientId: 'd1' });
    await publish(before, 0, 1);
    const after = await Client.connect(scope, second.url, { clientId: 'd1' });
    await publish(after, 1, 2);
    await until(async () => (await stored(kafka, 'spooled')).length === 1, DRAIN_MS);
    expect(await stored(kafka, 'spooled')).toEqual([1]);
    expect(await ended(second, 'timed_out')).toBeGreaterThan(0);
    for (const node of [first, second]) await node.stop();
  });
});
