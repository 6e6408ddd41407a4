import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { InboxBatch } from '#libs/broker-ports';
import { countingMeter, silentLog, startRedis, until, type RedisServer } from '#libs/testkit';
import { ClusterCommands } from './cluster-commands.ts';
import { InboxConsumer } from './inbox-consumer.ts';
import { ClusterKeys } from './keys.ts';
import { processTimers, turnOf } from './timers.ts';

const SENDER = { nodeId: 'n1', incarnation: 1 };
const NODE = { nodeId: 'n2', incarnation: 1 };
const HEIR = { nodeId: 'n3', incarnation: 1 };
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
  for (let index = 0; index < count; index += 1) {
    await commands.append({ to: NODE, from: SENDER, frame: FRAME });
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
  const bounds = { leaseMs: 10_000, inboxBatchesMax: 10_000 };
  commands = new ClusterCommands({ redis, keys, wait, meter, ...bounds });
  for (const node of [NODE, HEIR]) {
    await commands.join({ ...node, version: '1', startedAtMs: 1, state: 'alive' }, 0);
  }
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

describe('an append that finds the inbox gone', () => {
  it('is no repeat to the heir, however many later ones come before it', async () => {
    const send = (to: typeof NODE, text: string) =>
      commands.append({ to, from: SENDER, frame: Buffer.from(text) });
    await send(NODE, 'first');
    await commands.leave(NODE);
    expect(await commands.claim(HEIR, NODE)).toBe('claimed');
    expect(await commands.forget(HEIR, NODE)).toBe('forgotten');
    const sent = [send(NODE, 'late')];
    for (let count = 0; count < 1_100; count += 1) sent.push(send(HEIR, 'direct'));
    expect(new Set(await Promise.all(sent))).toEqual(new Set(['stored']));
    const texts: string[] = [];
    const deliver = ({ frame }: InboxBatch): unknown => texts.push(Buffer.from(frame).toString());
    const heir = new InboxConsumer({ node: HEIR, commands, timers, deliver, log: silentLog });
    await heir.take(await commands.readInbox(HEIR, '', 2_000));
    await heir.close();
    expect(texts).toHaveLength(1_102);
    expect(texts.slice(-1)).toEqual(['late']);
  });
});
