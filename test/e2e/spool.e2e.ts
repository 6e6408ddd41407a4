import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { freePort, openTcpGate, until } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { openRedis } from './harness/cluster.ts';
import { KafkaForTests, bridgeTo } from './harness/kafka.ts';
import { Scope } from './harness/scope.ts';

const START_MS = 300_000;
/** What is published at once, and how often, until the node is killed. */
const BURST = 50;
const BURSTS = 40;
const DRAIN_MS = 30_000;
/** So that a node is found dead soon. */
const LEASE_MS = 2_000;

jest.setTimeout(90_000);

const scope = new Scope();
afterEach(() => scope.close());

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'skein-spool-'));
  scope.add(async () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const rule = (topic: string) => ({
  id: 'telemetry',
  direction: 'mqtt-to-kafka',
  filter: 'devices/#',
  topic,
});

/** Publishes numbered messages in bursts; resolves with those that were acknowledged when the connection breaks or all are. */
async function load(client: Client, name: string, onBurst: (burst: number) => void) {
  const acknowledged: string[] = [];
  for (let burst = 0; burst < BURSTS && client.closes === 0; burst += 1) {
    onBurst(burst);
    const texts = Array.from({ length: BURST }, (_, index) => `${name}.${burst * BURST + index}`);
    const sent = texts.map(async (text) => {
      await client.publish(`devices/${name}`, text);
      acknowledged.push(text);
    });
    await Promise.race([Promise.allSettled(sent), client.closed()]);
  }
  return acknowledged;
}

const waiting = (node: Broker) => node.ops.metric('skein_bridge_spool_records');

/** All that was acknowledged is there, and what each client sent stands in its order when it comes first. */
function expectAll(
  values: readonly string[],
  acknowledged: readonly string[],
  names: readonly string[],
): void {
  const present = new Set(values);
  expect(acknowledged.filter((text) => !present.has(text))).toEqual([]);
  for (const name of names) {
    const first = [...present].filter((text) => text.startsWith(`${name}.`));
    const order = first.map((text) => Number(text.split('.')[1]));
    expect(order).toEqual(order.toSorted((one, other) => one - other));
  }
}

describe('a node that acknowledges from its spool', () => {
  const shared = new Scope();
  let kafka: KafkaForTests;

  beforeAll(async () => {
    kafka = await KafkaForTests.open(shared);
  }, START_MS);
  afterAll(() => shared.close(), START_MS);

  it('has lost nothing of it when it is killed under load and starts again', async () => {
    const topic = await kafka.topic('spooled');
    const node = await Broker.start(scope, {
      ...bridgeTo(kafka.brokers, [rule(topic)]),
      BRIDGE_SPOOL_DIR: directory(),
    });
    const names = ['c1', 'c2', 'c3'];
    const clients = await Promise.all(
      names.map((clientId) => Client.connect(scope, node.url, { clientId })),
    );
    let killed: Promise<void> | undefined;
    const loads = clients.map((client, index) =>
      load(client, names[index] ?? '', (burst) => {
        if (burst === BURSTS / 2) killed ??= node.kill();
      }),
    );
    const acknowledged = (await Promise.all(loads)).flat();
    await killed;
    expect(acknowledged.length).toBeGreaterThan(BURST * BURSTS);

    await node.start();
    await until(async () => (await waiting(node)) === 0, DRAIN_MS);
    expectAll(await stored(topic), acknowledged, names);
    await node.stop();
  });

  it('leaves a spool in Redis to another node, when it is killed while Kafka is away and nobody of its name returns', async () => {
    const topic = await kafka.topic('inherited');
    const gate = await openTcpGate(Number(kafka.brokers.split(/[:,]/u)[1]));
    scope.add(() => gate.close());
    gate.shut();
    const { url } = await openRedis(scope);
    const settings = {
      ...bridgeTo(`127.0.0.1:${String(gate.port)}`, [rule(topic)]),
      ...{ REDIS_URL: url, REDIS_LEASE_MS: LEASE_MS, BRIDGE_SPOOL_KIND: 'redis' },
    };
    const [dead, ...heirs] = await Promise.all(
      Array.from({ length: 3 }, () => Broker.start(scope, settings)),
    );
    if (dead === undefined) throw new Error('no node');
    const names = ['c1', 'c2'];
    let killed: Promise<void> | undefined;
    const loads = names.map(async (name) => {
      const client = await Client.connect(scope, dead.url, { clientId: name });
      return load(client, name, (burst) => {
        if (burst === BURSTS - 5) killed ??= dead.kill();
      });
    });
    const acknowledged = (await Promise.all(loads)).flat();
    await killed;
    expect(acknowledged.length).toBeGreaterThan(BURST * BURSTS);

    const waitingAtHeirs = async () =>
      (await Promise.all(heirs.map(waiting))).reduce((a, b) => a + b);
    await until(async () => (await waitingAtHeirs()) >= acknowledged.length, DRAIN_MS);
    gate.open();
    await until(async () => (await waitingAtHeirs()) === 0, DRAIN_MS);
    const values = await stored(topic);
    expectAll(values, acknowledged, names);
    expect(values).toHaveLength(new Set(values).size);
    await Promise.all(heirs.map((node) => node.stop()));
  });

  it('keeps as dead letters what it has acknowledged and can never send', async () => {
    const [topic, dead] = [await kafka.topic('wanted'), await kafka.topic('dead')];
    const node = await Broker.start(scope, {
      ...bridgeTo(kafka.brokers, [
        { ...rule('${topic[1]}'), allowTopics: [topic], deadLetterTopic: dead },
      ]),
      BRIDGE_SPOOL_DIR: directory(),
    });
    const client = await Client.connect(scope, node.url, { clientId: 'c1' });
    await client.publish(`devices/${topic}`, '1');
    await client.publish('devices/elsewhere', '2');
    await client.publish(`devices/${topic}`, '3');
    await until(async () => (await waiting(node)) === 0, DRAIN_MS);
    expect((await stored(topic)).toSorted((one, other) => one.localeCompare(other))).toEqual([
      '1',
      '3',
    ]);
    const [letter = '', ...others] = await kafka.readAll(scope, dead);
    expect(others).toEqual([]);
    const [key, headers, value] = letter.split('|');
    expect([key, value]).toEqual(['c1', '2']);
    expect(headers?.split(',')).toEqual(
      expect.arrayContaining([
        'mqtt-topic=devices/elsewhere',
        'skein-rule=telemetry',
        'skein-error=the rule may not write to it',
        'skein-error-stage=topic',
        'skein-error-reason=invalid_topic',
        'skein-target=elsewhere',
      ]),
    );
    expect(await node.ops.metric('skein_bridge_dead_letters_total')).toBe(1);
    expect(await node.ops.metric('skein_bridge_records_total', 'reason="invalid_topic"')).toBe(1);
    await node.stop();
  });

  it('takes messages while Kafka is away, stops without it, and sends them when it is there', async () => {
    const topic = await kafka.topic('away');
    const dir = directory();
    const away = await Broker.start(scope, {
      ...bridgeTo(`127.0.0.1:${String(await freePort())}`, [rule(topic)]),
      BRIDGE_SPOOL_DIR: dir,
    });
    const client = await Client.connect(scope, away.url, { clientId: 'c1' });
    const acknowledged = await load(client, 'c1', () => undefined);
    expect(acknowledged).toHaveLength(BURST * BURSTS);
    await until(async () => (await waiting(away)) === acknowledged.length, DRAIN_MS);
    await away.stop();

    const node = await Broker.start(scope, {
      ...bridgeTo(kafka.brokers, [rule(topic)]),
      BRIDGE_SPOOL_DIR: dir,
    });
    const next = await Client.connect(scope, node.url, { clientId: 'c1' });
    await next.publish('devices/c1', 'live');
    await until(async () => (await waiting(node)) === 0, DRAIN_MS);
    expect(await stored(topic)).toEqual([...acknowledged, 'live']);
    await node.stop();
  });

  /** The values of a topic, by partition in their order. */
  async function stored(topic: string): Promise<readonly string[]> {
    const records = await kafka.readAll(scope, topic);
    return records.map((record) => record.split('|')[2] ?? '');
  }
});

it('a node without a spool says what its rule lacks', async () => {
  const node = await Broker.prepare(scope, bridgeTo('127.0.0.1:9092', [rule('t')]));
  node.launch();
  expect(await node.child.exit()).toBe(2);
  expect(node.child.output).toContain('bridge.spool.dir (SKEIN_BRIDGE_SPOOL_DIR)');
});
