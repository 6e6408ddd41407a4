import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Broker } from '../e2e/harness/broker.ts';
import type { FaultCluster } from './fault-cluster.ts';
import type { FleetPlan, ReceiverPlan } from './fleet.ts';
import type { Row, RowRun } from './row.ts';
import { storm } from './takeover-storm.ts';

const PUBLISHERS = 20;
/** The publishers to which offline subscribers listen: a fifth of the messages, of either QoS. */
const SOME = [0, 1, 2, 3];
const PAIRS = 1_000;
/** How long a node is away before it is started again. */
const AWAY_MS = 2_000;
/** How long a node is away, in leases, until the others have judged it dead: they look every third, and twice. */
const JUDGED_LEASES = 1.6;
const REDIS_AWAY_MS = 1_000;
/** Longer than Sentinels take to promote the replica. */
const MASTER_AWAY_MS = 5_000;
const REDIS_FROZEN_MS = 10_000;
/** A slow subscriber reads for a tenth of the time. */
const SLOW = { readsMs: 50, restsMs: 450 };

const receiver = (home: number, more: Partial<ReceiverPlan> = {}): ReceiverPlan => ({
  name: `receiver-${String(home)}`,
  home,
  ...more,
});

const plan = (
  publisherHomes: readonly number[],
  receivers: readonly ReceiverPlan[],
): FleetPlan => ({ publishers: PUBLISHERS, publisherHomes, receivers });

const EVERYWHERE = plan([0, 1, 2], [receiver(0), receiver(1), receiver(2)]);

/** One subscriber for each publisher, on another node than it. */
const MANY: FleetPlan = {
  publishers: PAIRS,
  publisherHomes: [0, 1, 2],
  receivers: Array.from({ length: PAIRS }, (_, index) => ({
    name: `pair-${String(index)}`,
    home: (Math.floor(index / 2) + 1) % 3,
    publishers: [index],
  })),
};

/** Kills a node, and starts it again. */
async function kill(run: RowRun, node: Broker, awayMs: number): Promise<void> {
  run.fleet.fault();
  await run.cluster.kill(node);
  await delay(awayMs);
  await run.cluster.start(node);
}

/** Kills a node twice: it comes back within its lease at first, and long after it the second time. */
async function killTwice(run: RowRun, next: () => Broker | Promise<Broker>): Promise<void> {
  await run.moment(0.1, 0.25);
  await kill(run, await next(), AWAY_MS);
  await run.moment(0.5, 0.6);
  await kill(run, await next(), run.options.leaseMs * JUDGED_LEASES);
}

/** Does something to each node, one after the other. */
async function rolling(run: RowRun, end: (node: Broker) => Promise<void>): Promise<void> {
  for (const [index, node] of run.cluster.nodes.entries()) {
    const from = 0.1 + index * 0.28;
    await run.moment(from, from + 0.1);
    await end(node);
  }
}

async function restart(run: RowRun, node: Broker): Promise<void> {
  run.fleet.fault();
  await run.cluster.stop(node);
  await run.cluster.start(node);
}

/** The node that owns a session, as Redis has it. */
async function ownerOf({ redis, nodes }: FaultCluster, clientId: string): Promise<Broker> {
  const connection = new Redis(redis.url);
  try {
    const id = await connection.hget(`skein:s:{${clientId}}`, 'n');
    const owner = nodes.find((node) => node.id === id);
    if (owner === undefined) throw new Error(`${clientId} belongs to ${String(id)}`);
    return owner;
  } finally {
    connection.disconnect();
  }
}

async function freezeNode({ cluster, fleet, moment, options }: RowRun): Promise<void> {
  const node = cluster.node(0);
  await moment(0.15, 0.3);
  fleet.fault();
  cluster.freeze(node);
  await delay(options.leaseMs * JUDGED_LEASES);
  fleet.fault();
  cluster.thaw(node);
}

async function restartRedis({ cluster, fleet, moment }: RowRun): Promise<void> {
  for (const from of [0.15, 0.55]) {
    await moment(from, from + 0.15);
    fleet.fault();
    await cluster.redis.kill();
    await delay(REDIS_AWAY_MS);
    await cluster.redis.restart();
  }
}

/** Kills the master, which soon returns as a replica of the one that was promoted. */
async function failOver({ cluster, fleet, moment }: RowRun): Promise<void> {
  await moment(0.2, 0.4);
  fleet.fault();
  await cluster.redis.kill();
  await delay(MASTER_AWAY_MS);
  await cluster.redis.restart();
}

async function freezeRedis({ cluster, fleet, moment }: RowRun): Promise<void> {
  await moment(0.2, 0.4);
  fleet.fault();
  cluster.redis.pause();
  await delay(REDIS_FROZEN_MS);
  fleet.fault();
  cluster.redis.resume();
}

/** One subscriber hangs, then reads too slowly; the others must not feel it. */
async function slowSubscriber({ fleet, moment, options }: RowRun): Promise<void> {
  const { device } = fleet.subscriber('slow');
  await moment(0.1, 0.15);
  fleet.fault();
  device.freeze(true);
  await moment(0.5, 0.55);
  const untilMs = performance.now() + options.seconds * 200;
  while (performance.now() < untilMs) {
    device.freeze(false);
    await delay(SLOW.readsMs);
    device.freeze(true);
    await delay(SLOW.restsMs);
  }
  device.freeze(false);
}

/** The rows of the table. */
export const ROWS: readonly Row[] = [
  {
    name: 'kill-publisher-node',
    title: 'SIGKILL of the node of all publishers, twice',
    plan: plan([0], [receiver(1), receiver(2)]),
    inject: (run) => killTwice(run, () => run.cluster.node(0)),
  },
  {
    name: 'kill-subscriber-node',
    title: 'SIGKILL of the node of the subscribers, twice',
    plan: plan([1, 2], [receiver(0), receiver(0, { name: 'receiver-0b' }), receiver(1)]),
    inject: (run) => killTwice(run, () => ownerOf(run.cluster, 'receiver-0')),
  },
  {
    name: 'kill-offline-owner',
    title: 'SIGKILL of the node that owns offline sessions, then of its heir',
    plan: plan(
      [1, 2],
      [
        receiver(1),
        receiver(2),
        receiver(0, { name: 'offline-1', publishers: SOME, isOffline: true }),
        receiver(0, { name: 'offline-2', publishers: SOME, isOffline: true }),
      ],
    ),
    inject: (run) => killTwice(run, () => ownerOf(run.cluster, 'offline-1')),
  },
  {
    name: 'rolling-restart',
    title: 'SIGTERM and start of all nodes, one after the other',
    plan: EVERYWHERE,
    inject: (run) => rolling(run, (node) => restart(run, node)),
  },
  {
    name: 'rolling-kill',
    title: 'SIGKILL and start of all nodes, one after the other',
    plan: EVERYWHERE,
    inject: (run) => rolling(run, (node) => kill(run, node, AWAY_MS)),
  },
  {
    name: 'freeze-node',
    title: 'SIGSTOP of a node for longer than its lease, then SIGCONT',
    plan: EVERYWHERE,
    inject: freezeNode,
  },
  {
    name: 'restart-redis',
    title: 'SIGKILL of Redis (appendfsync always) and start after a second, twice',
    plan: EVERYWHERE,
    redis: 'always',
    inject: restartRedis,
  },
  {
    name: 'freeze-redis',
    title: 'SIGSTOP of Redis for ten seconds',
    plan: EVERYWHERE,
    inject: freezeRedis,
  },
  {
    name: 'sentinel-failover',
    title:
      'SIGKILL of the Redis master (waitReplicas 1), which comes back as a replica of the new one',
    plan: EVERYWHERE,
    redis: 'sentinels',
    settings: { REDIS_WAIT_REPLICAS: 1 },
    inject: failOver,
  },
  {
    name: 'takeover-storm',
    title: 'one client id moves 500 times in a minute between three nodes',
    plan: plan([0, 1, 2], [receiver(1), receiver(0, { name: 'nomad', reconnects: false })]),
    inject: storm,
  },
  {
    name: 'slow-subscriber',
    title: 'one subscriber hangs, then reads a tenth of the time',
    plan: plan([0, 1, 2], [receiver(0), receiver(2), receiver(1, { name: 'slow', isSlow: true })]),
    inject: slowSubscriber,
  },
  {
    name: 'fleet-restart',
    title: 'SIGTERM and start of all nodes under 2,000 clients',
    plan: MANY,
    inject: (run) => rolling(run, (node) => restart(run, node)),
  },
];
