import { afterEach, expect, it } from '@jest/globals';
import type { Meter, NodeRef } from '#libs/broker-ports';
import {
  messageOf,
  queuedOf,
  silentLog,
  startRedisCluster,
  startSentinels,
  until,
  type RedisServer,
} from '#libs/testkit';
import type { RedisTarget } from '#libs/redis-client';
import { sessionKeys } from './keys.ts';
import { connectRedis, type RedisConnection } from './redis-connection.ts';
import { RedisRetainedStore } from './redis-retained-store.ts';
import { RedisSessionStore } from './redis-session-store.ts';

const DEADLINE_MS = 20_000;
const WAIT_MS = 300;
const NODE: NodeRef = { nodeId: 'n1', incarnation: 1 };
const CLIENTS = Array.from({ length: 12 }, (_, index) => `client-${String(index)}`);

const cleanups: (() => unknown)[] = [];
let waits = { reached: 0, missed: 0 };

afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
  waits = { reached: 0, missed: 0 };
});

async function connect(target: RedisTarget, waitReplicas = 1): Promise<RedisConnection> {
  const quiet = (): void => undefined;
  const meter: Partial<Meter> = {
    redisUp: quiet,
    redisReconnected: quiet,
    redisCommandBegun: quiet,
    redisCommand: quiet,
    retainedOperation: quiet,
    redisReplicasWaited: (outcome) => (waits[outcome] += 1),
  };
  const connection = await connectRedis({
    ...target,
    ...{ keyPrefix: 'test', commandTimeoutMs: 2_000, waitReplicas, waitTimeoutMs: WAIT_MS },
    log: silentLog,
    meter: meter as Meter,
  });
  cleanups.push(() => connection.close());
  return connection;
}

/** Appends to every session in turn until told to end, each message once; what was acknowledged is kept. */
function startAppending(store: RedisSessionStore, epochs: ReadonlyMap<string, number>) {
  const acknowledged = new Map(CLIENTS.map((clientId) => [clientId, [] as number[]]));
  let isAppending = true;
  const append = async (clientId: string, epoch: number, sequence: number): Promise<void> => {
    const queued = queuedOf({ epoch, sequence });
    const [outcome] = await store.write([{ kind: 'append', clientId, epoch, queued, once: false }]);
    if (outcome === 'done') acknowledged.get(clientId)?.push(sequence);
  };
  const appending = (async () => {
    for (let sequence = 1; isAppending; sequence += 1) {
      const appends = [...epochs].map(([clientId, epoch]) => append(clientId, epoch, sequence));
      await Promise.allSettled(appends);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return {
    acknowledged,
    /** Until each session has some more. */
    async grew(): Promise<void> {
      const before = new Map([...acknowledged].map(([clientId, { length }]) => [clientId, length]));
      const hasGrown = ([clientId, { length }]: [string, number[]]): boolean =>
        length > (before.get(clientId) ?? 0) + 20;
      await until(() => [...acknowledged].every(hasGrown), DEADLINE_MS);
    },
    async end(): Promise<void> {
      isAppending = false;
      await appending;
    },
  };
}

async function take(store: RedisSessionStore, clientId: string): Promise<number> {
  const result = await store.take({
    ...{ clientId, node: NODE, nowMs: Date.now(), connected: true },
    ...{ cleanStart: false, durable: true, expiryIntervalSeconds: 600 },
  });
  if (result.kind !== 'taken') throw new Error(result.kind);
  return result.record.epoch;
}

interface Failing {
  readonly target: RedisTarget;
  readonly victim: RedisServer | undefined;
  /** Makes sure that a master without its replica gets one. */
  readonly mend: () => Promise<void>;
}

async function sentinelMaster(): Promise<Failing> {
  const topology = await startSentinels(2);
  cleanups.push(() => topology.stop());
  const { sentinels, masterName, master } = topology;
  return {
    target: { sentinels, masterName },
    victim: master,
    mend: () => Promise.resolve(), // The other replica follows the one that became the master.
  };
}

async function clusterMaster(): Promise<Failing> {
  const cluster = await startRedisCluster({ replicas: 3 });
  cleanups.push(() => cluster.stop());
  const [victim] = cluster.servers;
  return {
    target: { nodes: cluster.nodes },
    victim,
    mend: () => victim?.restart() ?? Promise.resolve(), // As a replica of the one that took its place.
  };
}

it.each([
  ['Sentinels', sentinelMaster],
  ['a Redis Cluster', clusterMaster],
])(
  'sessions keep every append that was acknowledged when a master of %s is killed',
  async (_, open) => {
    const { target, victim, mend } = await open();
    const redis = await connect(target);
    const store = new RedisSessionStore(redis);
    const epochs = new Map<string, number>();
    for (const clientId of CLIENTS) epochs.set(clientId, await take(store, clientId));
    const appending = startAppending(store, epochs);
    await appending.grew();

    await victim?.kill();
    await until(() => !redis.isUp, DEADLINE_MS);
    await until(() => redis.isUp, DEADLINE_MS);
    await mend();
    await appending.grew();
    await appending.end();

    expect(epochs.size).toBe(CLIENTS.length);
    for (const [clientId, sequences] of appending.acknowledged) {
      const stored = await store.read(clientId, undefined, 1_000_000);
      const found = new Set(stored.map(({ position }) => position.sequence));
      expect(sequences.filter((sequence) => !found.has(sequence))).toEqual([]);
      expect((await store.load(clientId))?.epoch).toBe(epochs.get(clientId));
    }
    expect(await store.ownedBy(NODE)).toHaveLength(CLIENTS.length);
  },
  40_000,
);

it('a master of a Redis Cluster that is away fails what is written to its own sessions, and nothing else', async () => {
  const args = ['--cluster-require-full-coverage', 'no'];
  const cluster = await startRedisCluster({ args });
  cleanups.push(() => cluster.stop());
  const redis = await connect({ nodes: cluster.nodes }, 0);
  const store = new RedisSessionStore(redis);
  const epochs = new Map<string, number>();
  for (const clientId of CLIENTS) epochs.set(clientId, await take(store, clientId));
  const appendAll = (sequence: number) =>
    store.write(
      [...epochs].map(([clientId, epoch]) => {
        const queued = queuedOf({ epoch, sequence });
        return { kind: 'append', clientId, epoch, queued, once: false };
      }),
    );
  expect(await appendAll(1)).toEqual(CLIENTS.map(() => 'done'));

  const [, victim] = cluster.servers;
  await victim?.kill();
  await until(() => !redis.isUp, DEADLINE_MS);
  const others = new Set<string>();
  // Until the other masters have noticed that it is gone, and once more.
  let sequence = 1;
  let isNoticed = false;
  await until(async () => {
    const wasNoticed = isNoticed;
    sequence += 1;
    const outcomes = await appendAll(sequence);
    expect([...new Set(outcomes)].toSorted()).toEqual(['done', 'failed']);
    for (const [at, clientId] of CLIENTS.entries()) {
      if (outcomes[at] === 'done') others.add(clientId);
      else others.delete(clientId);
    }
    const [witness = ''] = others;
    const [key] = sessionKeys('test', witness);
    const info = await redis.run('session_read', key, (client) => client.cluster('INFO'));
    isNoticed = !String(info).includes('cluster_slots_fail:0');
    return wasNoticed;
  }, DEADLINE_MS);
  for (const clientId of others) {
    expect(await store.read(clientId, undefined, 1_000)).toHaveLength(sequence);
  }

  await victim?.restart();
  await until(() => redis.isUp, DEADLINE_MS);
}, 40_000);

it('a write that too few replicas have in time is refused, and the next one is taken when they are back', async () => {
  const topology = await startSentinels();
  cleanups.push(() => topology.stop());
  const redis = await connect({ url: topology.master.url });
  const retained = new RedisRetainedStore(redis);
  cleanups.push(() => retained.close());
  const store = (): Promise<void> => retained.store([messageOf({ retain: true })]);
  await store();
  expect(waits).toEqual({ reached: 1, missed: 0 });

  topology.replicas[0]?.pause();
  const refused = await Promise.allSettled([store(), store(), store()]);
  expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(refused[0]).toMatchObject({ reason: { code: 'STORE_UNAVAILABLE' } });
  expect(waits).toEqual({ reached: 1, missed: 3 });
  expect(redis.isUp).toBe(true);

  topology.replicas[0]?.resume();
  await until(store, DEADLINE_MS);
}, 30_000);
