import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { RedisTarget } from '#libs/redis-client';
import {
  RecordingClusterHandler,
  countingMeter,
  silentLog,
  startRedisCluster,
  startSentinels,
  until,
} from '#libs/testkit';
import { RedisClusterBus } from './redis-cluster-bus.ts';

const LEASE_MS = 1_500;
const DEADLINE_MS = 20_000;

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

interface TestNode {
  readonly bus: RedisClusterBus;
  readonly handler: RecordingClusterHandler;
}

type Place = RedisTarget & { readonly waitReplicas?: number };

async function openNode(nodeId: string, target: Place): Promise<TestNode> {
  const { meter } = countingMeter();
  const bus = new RedisClusterBus({
    self: { nodeId, version: '1.0.0' },
    redis: {
      ...target,
      keyPrefix: 'test',
      leaseMs: LEASE_MS,
      commandTimeoutMs: 1_000,
      routeDeadlineMs: 3_000,
      requestTimeoutMs: 500,
      inboxBatchesMax: 100_000,
    },
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    log: silentLog,
    meter,
  });
  cleanups.push(() => bus.close());
  const handler = new RecordingClusterHandler();
  await bus.open(handler);
  return { bus, handler };
}

async function openThree(target: Place): Promise<[TestNode, TestNode, TestNode]> {
  const nodes = [
    await openNode('n1', target),
    await openNode('n2', target),
    await openNode('n3', target),
  ] as const;
  await until(() => nodes.every(({ bus }) => bus.nodes().length === 3), DEADLINE_MS);
  return [...nodes];
}

const text = (value: string): Buffer => Buffer.from(value);
const add = (filter: string) => ({ kind: 'add', filter }) as const;

describe('a bus on a Redis Cluster of three masters', () => {
  it('carries routes, frames and requests, and hands the inbox of a node that ends to its heir', async () => {
    const cluster = await startRedisCluster();
    cleanups.push(() => cluster.stop());
    const [n1, n2, n3] = await openThree({ nodes: cluster.nodes });

    await n1.bus.announceRoutes([add('a/#')]);
    expect(n2.handler.filtersOf(n1.bus.self)).toEqual(['a/#']);
    expect(n3.handler.filtersOf(n1.bus.self)).toEqual(['a/#']);

    const names = Array.from({ length: 500 }, (_, index) => `m${String(index)}`);
    await Promise.all(names.map((name) => n1.bus.sendDurable(n2.bus.self, text(name))));
    for (const name of names) n3.bus.sendLive('n2', text(name), 1);
    await until(() => n2.handler.durable.length === 500, DEADLINE_MS);
    await until(() => n2.handler.live.length === 500, DEADLINE_MS);
    expect(n2.handler.durableTexts()).toEqual(names);
    expect(n2.handler.live.map((frame) => frame.text)).toEqual(names);

    await n1.bus.request('n3', {
      kind: 'release-session',
      clientId: 'c',
      epoch: 1,
      isRouted: true,
    });
    expect(n3.handler.requests).toHaveLength(1);

    n2.handler.takesFrames = false;
    await n1.bus.sendDurable(n2.bus.self, text('left behind'));
    await until(() => n2.handler.durable.length === 501, DEADLINE_MS);
    const dead = n2.bus.self;
    await n2.bus.close();
    await until(() => n3.handler.events.includes('left n2'), DEADLINE_MS);
    expect(await n3.bus.claimDead(dead)).toBe(true);
    expect(await n1.bus.claimDead(dead)).toBe(false);
    await n3.bus.forgetNode(dead);
    await n1.bus.sendDurable(dead, text('to the heir'));
    await until(() => n3.handler.durable.length === 2, DEADLINE_MS);
    expect(n3.handler.durableTexts()).toEqual(['left behind', 'to the heir']);
  }, 40_000);
});

/** Sends durable frames one by one, without a second attempt, and remembers which were stored. */
function startTraffic(from: TestNode, to: TestNode) {
  const stored: string[] = [];
  let refusal = '';
  let isSending = true;
  const sending = (async () => {
    for (let sent = 1; isSending; sent += 1) {
      try {
        await from.bus.sendDurable(to.bus.self, text(String(sent)));
        stored.push(String(sent));
      } catch (error) {
        refusal = String(error);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  })();
  return {
    refusal: () => refusal,
    async grew(): Promise<void> {
      const before = stored.length;
      await until(() => stored.length > before + 100, DEADLINE_MS);
    },
    /** Every stored frame has come, in the order of sending and once. */
    async expectComplete(): Promise<void> {
      isSending = false;
      await sending;
      const missing = (): string[] => {
        const received = new Set(to.handler.durableTexts());
        return stored.filter((name) => !received.has(name));
      };
      await until(() => missing().length === 0, DEADLINE_MS).catch(() => undefined);
      expect(missing()).toEqual([]);
      const order = to.handler.durableTexts().map(Number);
      expect(order).toEqual([...new Set(order)].sort((a, b) => a - b));
    },
  };
}

/** The server that has the keys of the bus, and how to reach all of it. */
interface Failing {
  readonly target: RedisTarget;
  readonly killMaster: () => Promise<void>;
}

async function sentinelMaster(): Promise<Failing> {
  const topology = await startSentinels();
  cleanups.push(() => topology.stop());
  const { sentinels, masterName, master } = topology;
  return { target: { sentinels, masterName }, killMaster: () => master.kill() };
}

async function clusterMaster(): Promise<Failing> {
  const cluster = await startRedisCluster({ replicas: 3 });
  cleanups.push(() => cluster.stop());
  const members = '{test:bus}:members';
  return {
    target: { nodes: cluster.nodes },
    killMaster: async () => {
      const redis = new Redis(cluster.servers[0]?.url ?? '');
      const slot = Number(await redis.cluster('KEYSLOT', members));
      redis.disconnect();
      await cluster.servers[Math.floor((slot * 3) / 16_384)]?.kill();
    },
  };
}

describe('a bus whose writes wait for a replica', () => {
  it.each([
    ['Sentinels', sentinelMaster],
    ['a Redis Cluster', clusterMaster],
  ])(
    'loses nothing when the master of %s is killed, and goes on',
    async (_, open) => {
      const { target, killMaster } = await open();
      const [n1, n2, n3] = await openThree({ ...target, waitReplicas: 1 });
      const traffic = startTraffic(n1, n2);
      await traffic.grew();
      await killMaster();
      await until(() => !n1.bus.ready, DEADLINE_MS);
      await until(() => [n1, n2, n3].every(({ bus }) => bus.ready), DEADLINE_MS);
      // No replica is left: a frame that only the master has is not stored, whatever becomes of it.
      await until(() => traffic.refusal().includes('too few replicas'), DEADLINE_MS);
      await traffic.expectComplete();

      await n3.bus.announceRoutes([add('after')]);
      expect(n2.handler.filtersOf(n3.bus.self)).toEqual(['after']);
      n3.bus.sendLive('n2', text('live'), 1);
      await until(() => n2.handler.live.length === 1, DEADLINE_MS);
      expect([n1, n2, n3].map(({ handler }) => handler.leasesLost)).toEqual([0, 0, 0]);
    },
    40_000,
  );
});
