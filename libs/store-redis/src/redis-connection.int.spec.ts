import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError, type Meter, type RedisOperation } from '#libs/broker-ports';
import {
  messageOf,
  RecordingLog,
  retainedMessages,
  startRedis,
  until,
  type RedisServer,
} from '#libs/testkit';
import { connectRedis, type RedisConnection } from './redis-connection.ts';
import { RedisDefinitionStore } from './redis-definition-store.ts';
import { RedisRetainedStore } from './redis-retained-store.ts';
import { RedisSessionStore } from './redis-session-store.ts';

const TIMEOUT_MS = 500;
const DEADLINE_MS = 20_000;

let server: RedisServer;
let log: RecordingLog;
let metered: string[];
const open: RedisConnection[] = [];

beforeEach(async () => {
  server = await startRedis({ appendOnly: true });
  log = new RecordingLog();
  metered = [];
});

afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
  await server.stop();
});

async function connect(url = server.url, waitReplicas = 0): Promise<RedisConnection> {
  const counted: Partial<Meter> = {
    redisCommandBegun: () => undefined,
    redisUp: (role, up) => metered.push(`${role} ${up ? 'up' : 'down'}`),
    redisReplicasWaited: (result) => metered.push(`replicas ${result}`),
    redisReconnected: (role) => metered.push(`${role} reconnected`),
    retainedOperation: (operation) => metered.push(`retained ${operation}`),
    redisCommand: (operation: RedisOperation, outcome) => metered.push(`${operation} ${outcome}`),
  };
  const connection = await connectRedis({
    url,
    keyPrefix: 'skein',
    commandTimeoutMs: TIMEOUT_MS,
    waitReplicas,
    log,
    meter: counted as Meter,
  });
  open.push(connection);
  return connection;
}

describe('a connection', () => {
  it('outlives that Redis is absent at the start', async () => {
    await server.kill();
    const redis = await connect(server.url.replace('//', '//user:secret@'));
    const store = new RedisSessionStore(redis);
    expect(redis.isUp).toBe(false);
    await expect(store.load('client')).rejects.toThrow(StoreUnavailableError);
    let attempts = 0;
    redis.client.on('reconnecting', () => (attempts += 1));
    await until(() => attempts >= 4, DEADLINE_MS);
    expect(log.lines.map(({ event }) => event)).toEqual(['redis-unavailable']);
    expect(JSON.stringify(log.lines)).toContain(`127.0.0.1:${String(server.port)}`);
    expect(JSON.stringify(log.lines)).not.toContain('secret');
    expect(metered).toEqual(['store down', 'store down', 'session_read error']);
  });

  it('comes back when Redis does, and its stores go on', async () => {
    await server.kill();
    const redis = await connect();
    const store = new RedisSessionStore(redis);
    await server.restart();
    await until(() => redis.isUp, DEADLINE_MS);
    expect(await store.load('client')).toBeUndefined();
    expect(log.lines.map(({ event }) => event)).toEqual(['redis-unavailable', 'redis-restored']);

    await redis.client.set('kept', '1');
    await server.kill();
    await expect(store.load('client')).rejects.toThrow(StoreUnavailableError);
    await server.restart();
    await until(() => redis.isUp, DEADLINE_MS);
    expect(await store.load('client')).toBeUndefined();
    expect(await redis.client.get('kept')).toBe('1');
    expect(log.of('redis-unavailable')).toHaveLength(2);
    expect(log.of('redis-restored')).toHaveLength(2);
    expect(metered.filter((line) => line === 'store reconnected')).toHaveLength(1);
  });

  it('fails calls while Redis stalls, without keeping them for later', async () => {
    const redis = await connect();
    const store = new RedisSessionStore(redis);
    server.pause();
    const calls = [1, 2, 3].map(() => redis.run('lease', 'count', (c) => c.incr('count')));
    for (const call of calls) await expect(call).rejects.toThrow(StoreUnavailableError);
    await until(() => !redis.isUp, DEADLINE_MS);
    for (let call = 0; call < 1_000; call += 1) {
      await expect(redis.run('lease', 'count', (c) => c.incr('count'))).rejects.toThrow(
        'not connected',
      );
    }
    server.resume();
    await until(() => redis.isUp, DEADLINE_MS);
    expect(await store.load('client')).toBeUndefined();
    // What had reached the server before it stalled may have happened, but nothing else.
    expect(Number(await redis.client.get('count'))).toBeLessThanOrEqual(3);
    expect(log.of('redis-unavailable')).toHaveLength(1);
  });

  it('does not take it for silence of Redis that its own process had no time', async () => {
    const redis = await connect();
    const reply = redis.run('lease', 'count', async (c) => {
      const pong = c.ping();
      // The request leaves and its reply comes; then nothing here runs for longer than a reply may take.
      await new Promise((resolve) => setImmediate(resolve));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TIMEOUT_MS * 2);
      return pong;
    });
    expect(await reply).toBe('PONG');
    expect(log.lines).toEqual([]);
  });

  it('does not call a definition written before as many replicas have it as are wanted', async () => {
    const redis = await connect(server.url, 1);
    const store = new RedisDefinitionStore(redis, 'api-keys');
    const written = store.put({ id: 'a' }, undefined);
    await expect(written).rejects.toThrow('too few replicas');
    await expect(store.remove('a', undefined)).rejects.toThrow('too few replicas');
  });

  it('gives up a server that accepts it but never speaks', async () => {
    const redis = await connect();
    server.pause();
    await expect(redis.run('lease', 'count', (c) => c.ping())).rejects.toThrow(
      StoreUnavailableError,
    );
    let attempts = 0;
    redis.client.on('reconnecting', () => (attempts += 1));
    await until(() => attempts >= 2, DEADLINE_MS);
    server.resume();
    await until(() => redis.isUp, DEADLINE_MS);
    expect(await redis.run('lease', 'count', (c) => c.ping())).toBe('PONG');
  });

  it('never comes up on another database than the one it was given', async () => {
    const redis = await connect(`${server.url}/99`);
    let attempts = 0;
    redis.client.on('reconnecting', () => (attempts += 1));
    await until(() => attempts >= 3, DEADLINE_MS);
    expect(redis.isUp).toBe(false);
    expect(log.lines).toMatchObject([
      { event: 'redis-unavailable', fields: { error: 'ERR DB index is out of range' } },
    ]);
  });

  it('closes at once when Redis is away, and stays closed', async () => {
    const redis = await connect();
    await server.kill();
    await until(() => !redis.isUp, DEADLINE_MS);
    await redis.close();
    let attempts = 0;
    redis.client.on('connecting', () => (attempts += 1));
    await server.restart();
    await expect(redis.run('lease', 'count', (c) => c.ping())).rejects.toThrow('not connected');
    const clients = await (await connect()).client.client('LIST');
    expect(String(clients).trim().split('\n')).toHaveLength(1);
    expect(attempts).toBe(0);
    expect(log.of('redis-restored')).toEqual([]);
  });
});

describe('the index of retained messages', () => {
  const retained = (topic: string) => messageOf({ topic, retain: true });

  async function topicsOf(store: RedisRetainedStore): Promise<string[]> {
    return (await retainedMessages(store, '#')).map(({ topic }) => topic).toSorted();
  }

  it('is made anew when the log no longer holds what it read last', async () => {
    const redis = await connect();
    const [reader, writer] = [new RedisRetainedStore(redis), new RedisRetainedStore(redis)];
    try {
      await writer.store([retained('a'), retained('b')]);
      expect(await topicsOf(reader)).toEqual(['a', 'b']);
      await writer.store([messageOf({ topic: 'a', payload: new Uint8Array(0) }), retained('c')]);
      await redis.client.xtrim('skein:{skein:retained}:log', 'MAXLEN', 1);
      expect(await topicsOf(reader)).toEqual(['b', 'c']);
      await redis.client.flushall();
      expect(await topicsOf(reader)).toEqual([]);
      await writer.store([retained('d')]);
      expect(await topicsOf(reader)).toEqual(['d']);
    } finally {
      await reader.close();
      await writer.close();
    }
  });

  it('sweeps expired messages away, but never a later one of their topic', async () => {
    const redis = await connect();
    const store = new RedisRetainedStore(redis);
    try {
      const soon = Date.now() + 300;
      await store.store(['x', 'y'].map((topic) => messageOf({ topic, expiresAtMs: soon })));
      await store.store([messageOf({ topic: 'y', sequence: 2 })]);
      await until(async () => {
        expect(await redis.client.hkeys('skein:{skein:retained}:messages')).toEqual(['y']);
        expect(store.size().messages).toBe(1);
        expect(metered.filter((line) => line === 'retained expire')).toHaveLength(1);
      }, DEADLINE_MS);
    } finally {
      await store.close();
    }
  }, 15_000);

  it('scans nothing for a subscription', async () => {
    const redis = await connect();
    const store = new RedisRetainedStore(redis);
    try {
      await store.store(Array.from({ length: 3_000 }, (_, at) => retained(`t/${String(at)}`)));
      expect(await retainedMessages(store, 't/7/#')).toHaveLength(1);
      await redis.client.config('RESETSTAT');
      expect(await retainedMessages(store, 't/5/#')).toHaveLength(1);
      expect(await retainedMessages(store, 't/6')).toHaveLength(1);
      const stats = await redis.client.info('commandstats');
      const commands = [...stats.matchAll(/^cmdstat_([a-z]+):calls=(\d+)/gmu)];
      expect(commands.map(([, name, calls]) => `${name ?? ''} ${calls ?? ''}`).toSorted()).toEqual([
        'hmget 2',
        'xrange 1',
      ]);
    } finally {
      await store.close();
    }
  });
});
