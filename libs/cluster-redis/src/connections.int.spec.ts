import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { countingMeter, silentLog, startRedis, until, type RedisServer } from '#libs/testkit';
import { RedisConnections } from './connections.ts';

const WAIT_MS = 10_000;

let redis: RedisServer;
let connections: RedisConnections;

afterEach(async () => {
  connections.close();
  await redis.stop();
});

describe('a subscriber', () => {
  it('keeps the channel that it was given between connecting and being ready', async () => {
    redis = await startRedis();
    const { meter } = countingMeter();
    connections = new RedisConnections({
      url: redis.url,
      key: 'test',
      commandTimeoutMs: 5_000,
      log: silentLog,
      meter,
    });
    const subscriber = connections.open('subscriber');
    const heard: string[] = [];
    subscriber.on('message', (_channel, message) => heard.push(message));
    await once(subscriber, 'connect');
    await subscriber.subscribe('early');
    await until(() => connections.isUp || subscriber.status === 'ready', WAIT_MS);

    const publisher = connections.open('publisher');
    await once(publisher, 'ready');
    expect(await publisher.publish('early', 'x')).toBe(1);
    await until(() => heard.length > 0, WAIT_MS);
    expect(heard).toEqual(['x']);
  });
});
