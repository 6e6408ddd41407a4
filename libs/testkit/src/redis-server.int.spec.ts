import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { startRedis, type RedisServer, type RedisServerOptions } from './redis-server.ts';
import { until } from './until.ts';

const TEST_DEADLINE_MS = 20_000;

describe('startRedis', () => {
  let server: RedisServer | undefined;
  const clients: Redis[] = [];

  afterEach(async () => {
    for (const client of clients.splice(0)) client.disconnect();
    await server?.stop();
    server = undefined;
  });

  async function start(options?: RedisServerOptions): Promise<RedisServer> {
    server = await startRedis(options);
    return server;
  }

  function clientOf({ url }: RedisServer): Redis {
    const client = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  }

  it('starts servers that know nothing of each other', async () => {
    const one = await start();
    const two = await startRedis({ args: ['--maxmemory', '3mb'] });
    try {
      await clientOf(one).set('key', 'one');
      expect(await clientOf(two).get('key')).toBeNull();
      expect(await clientOf(two).config('GET', 'maxmemory')).toEqual(['maxmemory', '3145728']);
    } finally {
      await two.stop();
    }
    expect(isRunning(one.pid)).toBe(true);
  });

  it(
    'comes back after a kill with what it had acknowledged',
    async () => {
      const redis = await start({ appendOnly: true });
      const client = clientOf(redis);
      await client.set('key', 'value');
      const { pid, port } = redis;
      await redis.kill();
      expect(isRunning(pid)).toBe(false);
      expect(() => redis.pid).toThrow('not running');
      await redis.restart();
      expect(redis.port).toBe(port);
      expect(await client.get('key')).toBe('value');
    },
    TEST_DEADLINE_MS,
  );

  it(
    'answers nothing while it is paused',
    async () => {
      const redis = await start();
      const client = clientOf(redis);
      await client.ping();
      redis.pause();
      let answer: string | undefined;
      const answered = client.ping().then((reply) => {
        answer = reply;
      });
      await expect(until(() => answer !== undefined, 200)).rejects.toThrow('not so within 200 ms');
      redis.resume();
      await answered;
      expect(answer).toBe('PONG');
    },
    TEST_DEADLINE_MS,
  );

  it('says why it does not start', async () => {
    await expect(startRedis({ args: ['--no-such-option', 'x'] })).rejects.toThrow(
      'redis-server ended',
    );
  });

  it('stops also while it is paused, and twice', async () => {
    const redis = await start();
    const { pid } = redis;
    redis.pause();
    await redis.stop();
    await redis.stop();
    expect(isRunning(pid)).toBe(false);
  });
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
