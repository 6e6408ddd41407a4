import { startRedis, type RedisServer } from '#libs/testkit';
import type { Settings } from './app.ts';
import { Broker } from './broker.ts';
import type { Scope } from './scope.ts';

/** Three nodes on a Redis of their own. */
export interface Cluster {
  readonly redis: RedisServer;
  readonly nodes: readonly [Broker, Broker, Broker];
}

/** Starts a Redis and three nodes and waits until all are ready. */
export async function startCluster(scope: Scope, settings: Settings = {}): Promise<Cluster> {
  const redis = await openRedis(scope);
  const prepare = (): Promise<Broker> =>
    Broker.prepare(scope, { REDIS_URL: redis.url, ...settings });
  const nodes = [await prepare(), await prepare(), await prepare()] as const;
  await Promise.all(nodes.map((node) => node.start()));
  return { redis, nodes };
}

/** Starts a Redis that keeps what it has acknowledged. */
export async function openRedis(scope: Scope): Promise<RedisServer> {
  const redis = await startRedis({ appendOnly: true });
  scope.add(() => redis.stop());
  return redis;
}
