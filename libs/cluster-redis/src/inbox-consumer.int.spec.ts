import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { countingMeter, silentLog, startRedis, until, type RedisServer } from '#libs/testkit';
import { ClusterCommands } from './cluster-commands.ts';
import { InboxConsumer } from './inbox-consumer.ts';
import { ClusterKeys } from './keys.ts';
import { processTimers, turnOf } from './timers.ts';

const SENDER = { nodeId: 'n1', incarnation: 1 };
const NODE = { nodeId: 'n2', incarnation: 1 };
/** Four of them are what one turn hands out. */
const FRAME = Buffer.alloc(64 * 1024);

const timers = processTimers;
let server: RedisServer;
let redis: Redis;
let commands: ClusterCommands;
let consumer: InboxConsumer;
let received: (() => void)[] = [];

/** Puts frames into the inbox and reads them back. */
async function entries(count: number): ReturnType<ClusterCommands['readInbox']> {
  for (let sequence = 1; sequence <= count; sequence += 1) {
    await commands.append({ to: NODE, from: SENDER, sequence, frame: FRAME });
  }
  return commands.readInbox(NODE, '', count);
}

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});

beforeEach(async () => {
  const { meter } = countingMeter();
  const wait = { replicas: 0, timeoutMs: 0 };
  const keys = new ClusterKeys('test');
  const bounds = { leaseMs: 10_000, inboxBatchesMax: 1_000 };
  commands = new ClusterCommands({ redis, keys, wait, meter, ...bounds });
  await commands.join({ ...NODE, version: '1', startedAtMs: 1, state: 'alive' }, 0);
  received = [];
  const deliver = (_batch: unknown, done: () => void): unknown => received.push(done);
  consumer = new InboxConsumer({ node: NODE, commands, timers, deliver, log: silentLog });
});

afterEach(async () => {
  await consumer.close();
  await redis.flushall();
});

afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

describe('an inbox with large frames', () => {
  it('is handed out over several turns', async () => {
    const taken = consumer.take(await entries(10));
    expect(received).toHaveLength(4);
    await turnOf(timers);
    expect(received).toHaveLength(8);
    await taken;
    expect(received).toHaveLength(10);
  });

  it('is left to the heir when the node leaves meanwhile; what is done is removed', async () => {
    const taken = consumer.take(await entries(10));
    consumer.stop();
    await taken;
    expect(received).toHaveLength(4);
    for (const done of received) done();
    await until(async () => (await commands.readInbox(NODE, '', 10)).length === 6, 10_000);
  });
});
