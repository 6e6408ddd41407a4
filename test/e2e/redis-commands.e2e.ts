import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { until } from '#libs/testkit';
import { Client } from './harness/client.ts';
import { openRedis, startCluster, type Cluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const MESSAGES = 2_000;
const WAIT_MS = 20_000;
/** Leases are renewed too seldom to be seen. */
const LEASE_MS = 300_000;
/** A command that is called less often than this has nothing to do with messages: nodes look after what is due. */
const BY_THE_WAY = MESSAGES / 10;

const shared = new Scope();
const scope = new Scope();
let nodes: Cluster['nodes'];
let redis: Redis;

beforeAll(async () => {
  const { url } = await openRedis(shared);
  redis = new Redis(url);
  shared.add(() => redis.disconnect());
  ({ nodes } = await startCluster(shared, { REDIS_URL: url, REDIS_LEASE_MS: LEASE_MS }));
});
afterEach(() => scope.close());
afterAll(() => shared.close());

type Calls = ReadonlyMap<string, number>;

/** Calls of each command so far; what a script calls counts, too. */
async function calls(): Promise<Calls> {
  const found = (await redis.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gmu);
  return new Map([...found].map(([, name = '', count]) => [name, Number(count)]));
}

/** What was called since then, by name. */
async function since(before: Calls): Promise<Calls> {
  const now = [...(await calls())].map(([name, count]): [string, number] => [
    name,
    count - (before.get(name) ?? 0),
  ]);
  return new Map(now.filter(([, count]) => count > 0));
}

const total = (counts: Calls): number => [...counts.values()].reduce((sum, count) => sum + count);

/** Those that can only have been called for messages. */
const forMessages = (counts: Calls): readonly string[] =>
  [...counts]
    .filter(([name, count]) => /^(?:xadd|xdel|publish)$/u.test(name) || count >= BY_THE_WAY)
    .map(([name, count]) => `${name} ${String(count)}`);

const payloads = Array.from({ length: MESSAGES }, (_, index) => String(index));

/** With MQTT 3.1.1 the node reads on when it can; MQTT.js minds no Receive Maximum. */
function connectPublisher(node: 0 | 1): Promise<Client> {
  return Client.connect(scope, nodes[node].url, { protocolVersion: 4 });
}

async function publishAll(publisher: Client, topic: string, qos: 0 | 1): Promise<void> {
  await Promise.all(payloads.map((payload) => publisher.publish(topic, payload, { qos })));
}

/** Waits until Redis has removed as many entries as were delivered: that is the end of a QoS 1 delivery. */
async function settled(before: Calls, count: number): Promise<Calls> {
  await until(async () => {
    const queues = await redis.keys('skein:s:*:queue');
    const lengths = await Promise.all(queues.map((queue) => redis.xlen(queue)));
    return lengths.every((length) => length === 0);
  }, WAIT_MS);
  const counts = new Map(await since(before));
  for (const own of ['keys', 'xlen', 'info']) counts.delete(own);
  expect(counts.get('xadd')).toBeGreaterThanOrEqual(count);
  return counts;
}

const durable = (clientId: string) => ({ clientId, clean: false, protocolVersion: 4 as const });

describe('commands of Redis for each message', () => {
  it.each([
    ['its own node', 0],
    ['another node', 1],
  ] as const)(
    'are at most two per QoS 1 delivery to a durable session that comes from %s',
    async (_place, node) => {
      const subscriber = await Client.connect(scope, nodes[0].url, durable(`from-${String(node)}`));
      await subscriber.subscribe(`durable/${String(node)}`);
      const publisher = await connectPublisher(node);
      const before = await calls();

      await publishAll(publisher, `durable/${String(node)}`, 1);

      await subscriber.receivesAll(payloads);
      const counts = await settled(before, MESSAGES);
      expect(total(counts) / MESSAGES).toBeLessThanOrEqual(2);
    },
  );

  it('are an append and a removal for one that comes alone', async () => {
    const alone = 200;
    const subscriber = await Client.connect(scope, nodes[0].url, durable('alone'));
    await subscriber.subscribe('alone');
    const publisher = await connectPublisher(0);
    const before = await calls();

    for (let index = 0; index < alone; index += 1) await publisher.publish('alone', String(index));

    await subscriber.receives(alone);
    const counts = await settled(before, alone);
    expect(counts.get('xadd')).toBe(alone);
    expect(counts.get('xdel')).toBeLessThanOrEqual(alone);
    const others = [...counts].filter(([name]) => name !== 'xadd' && name !== 'xdel');
    expect(others.filter(([, count]) => count >= alone / 2)).toEqual([]);
  });

  it('are none for QoS 1 to receivers of the same node whose sessions end with their connection', async () => {
    const subscriber = await Client.connect(scope, nodes[0].url);
    await subscriber.subscribe('live/+');
    const publisher = await connectPublisher(0);
    const before = await calls();

    await publishAll(publisher, 'live/local', 1);

    await subscriber.receivesAll(payloads);
    expect(forMessages(await since(before))).toEqual([]);
  });

  it('are none for QoS 0 that nobody wants at another node', async () => {
    const subscriber = await Client.connect(scope, nodes[0].url, durable('of-qos-0'));
    await subscriber.subscribe('qos0/+', 0);
    const publisher = await connectPublisher(0);
    const before = await calls();

    await publishAll(publisher, 'qos0/local', 0);

    await subscriber.receivesAll(payloads);
    expect(forMessages(await since(before))).toEqual([]);
  });
});
