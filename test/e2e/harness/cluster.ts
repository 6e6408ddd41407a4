import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { GIVEN_REDIS, startRedis, type RedisServer } from '#libs/testkit';
import type { Settings } from './app.ts';
import { Broker } from './broker.ts';
import type { Scope } from './scope.ts';

/** Three nodes on one Redis. */
export interface Cluster {
  readonly nodes: readonly [Broker, Broker, Broker];
  /** The settings that lead an API to the same Redis. */
  readonly redis: Settings;
}

const PLACES = ['REDIS_URL', 'REDIS_NODES', 'REDIS_SENTINELS'];

/** Starts three nodes and waits until all are ready. Without a Redis among the settings they share any. */
export async function startCluster(scope: Scope, settings: Settings = {}): Promise<Cluster> {
  const redis = PLACES.some((name) => name in settings) ? {} : await anyRedis(scope);
  const prepare = (): Promise<Broker> => Broker.prepare(scope, { ...redis, ...settings });
  const nodes = [await prepare(), await prepare(), await prepare()] as const;
  await Promise.all(nodes.map((node) => node.start()));
  return { nodes, redis };
}

/** Starts a Redis that keeps what it has acknowledged, for a test that stops it. */
export async function openRedis(scope: Scope): Promise<RedisServer> {
  const redis = await startRedis({ appendOnly: true });
  scope.add(() => redis.stop());
  return redis;
}

/** Settings of the Redis that was given, under a key prefix of their own; else of one that is started. */
async function anyRedis(scope: Scope): Promise<Settings> {
  if (GIVEN_REDIS === undefined) return { REDIS_URL: (await openRedis(scope)).url };
  const url = GIVEN_REDIS;
  const prefix = `skein-test-${randomUUID()}:`;
  scope.add(() => removeKeys(url, prefix));
  return { REDIS_URL: url, REDIS_KEY_PREFIX: prefix };
}

async function removeKeys(url: string, prefix: string): Promise<void> {
  const redis = new Redis(url);
  try {
    for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1_000 })) {
      if (keys.length > 0) await redis.unlink(keys);
    }
  } finally {
    redis.disconnect();
  }
}
