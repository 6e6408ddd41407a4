import { afterEach, describe, expect, it } from '@jest/globals';
import type { RedisTarget } from '#libs/redis-client';
import {
  RecordingClusterHandler,
  countingMeter,
  silentLog,
  startRedisCluster,
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
  readonly counts: ReadonlyMap<string, number>;
}

async function openNode(nodeId: string, target: RedisTarget): Promise<TestNode> {
  const { meter, counts } = countingMeter();
  const bus = new RedisClusterBus({
    self: { nodeId, version: '1.0.0' },
    redis: {
      ...target,
      keyPrefix: 'test',
      leaseMs: LEASE_MS,
      commandTimeoutMs: 500,
      routeDeadlineMs: 3_000,
      requestTimeoutMs: 500,
      inboxMessagesMax: 100_000,
    },
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    log: silentLog,
    meter,
  });
  cleanups.push(() => bus.close());
  const handler = new RecordingClusterHandler();
  await bus.open(handler);
  return { bus, handler, counts };
}

async function openThree(target: RedisTarget): Promise<[TestNode, TestNode, TestNode]> {
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

    await n1.bus.request('n3', { kind: 'release-session', clientId: 'c', epoch: 1 });
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
