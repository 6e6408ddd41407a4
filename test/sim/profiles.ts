import type { ClusterOptions, SimCluster } from './sim-cluster.ts';
import {
  busy,
  cables,
  carrierLossy,
  cut,
  kill,
  partition,
  pause,
  redisAway,
  redisFrozen,
  redisSlow,
  stop,
  wreck,
  type SimFault,
} from './sim-faults.ts';
import type { SimFleet } from './sim-fleet.ts';
import { Storm } from './storm.ts';
import type { World } from './world.ts';

/** A kind of trouble. What happens when is by chance. */
export interface Profile {
  readonly name: string;
  /** Whether subscribers that stay where they are get messages in order. @defaultValue false */
  readonly keepsOrder?: boolean;
  cluster(world: World): ClusterOptions;
  populate(fleet: SimFleet, world: World): void;
  /** Publishes, applies the faults, and takes them away again. */
  run(cluster: SimCluster, fleet: SimFleet): Promise<void>;
}

/** Takeovers of one client in quick succession, and no fault. */
const STORM: Profile = {
  name: 'takeover-storm',
  keepsOrder: true,
  cluster: (world) => ({ nodes: 3, costMs: world.pick([0, 0.2, 1, 4]) }),
  populate: (fleet, world) => {
    fleet.addSink({ name: 'nomad', reconnects: false });
    for (let count = 0; count < 1 + world.below(2); count += 1) {
      fleet.addSink({ name: `stays${String(count)}` });
    }
    fleet.addSource(1);
    fleet.addSource(2);
    if (world.chance(0.5)) fleet.addSource(1);
  },
  run: async (cluster, fleet) => {
    const { world } = cluster;
    const slowness = world.pick([1, 4, 20, 60, 300]);
    cluster.redis.tempo.mostMs *= slowness;
    cluster.carrier.faults.mostMs *= world.pick([1, slowness]);
    const forMs = world.pick([500, 1_500, 4_000]);
    fleet.publish(forMs, {
      perSecond: (world.pick([50, 150, 400]) * 1_000) / forMs,
      burst: 1 + world.below(10),
    });
    const pauseMs = world.pick([20, 80, 250, 800]);
    new Storm(cluster, fleet, fleet.sink('nomad')).run(forMs, pauseMs);
    await world.runUntil(() => false, forMs + 1);
  },
};

/** Subscriptions while messages are published, and no fault: nothing that is sent after a SUBACK is missed. */
const SUBACK: Profile = {
  name: 'suback',
  keepsOrder: true,
  cluster: (world) => ({ nodes: world.pick([2, 3, 5]), costMs: world.pick([0, 0.2]) }),
  populate: (fleet) => {
    fleet.addSink({ name: 'stays' });
    for (const qos of [1, 2, 1] as const) fleet.addSource(qos);
  },
  run: async ({ world, redis, carrier }, fleet) => {
    const slowness = world.pick([1, 10, 100]);
    redis.tempo.mostMs *= slowness;
    carrier.faults.mostMs *= world.pick([1, slowness]);
    fleet.publish(2_000, { perSecond: world.pick([30, 90]), burst: 1 + world.below(4) });
    const count = 1 + world.below(5);
    for (let index = 0; index < count; index += 1) {
      world.after(world.between(0, 1_800), () => fleet.late.add());
    }
    await world.runUntil(() => false, 2_001);
  },
};

/** Clients that stay, one that is away, and perhaps one that is slow, one that moves, one that leaves wills and a group, under faults. */
function faulty(
  name: string,
  faults: readonly SimFault[],
  more: {
    readonly moves?: number;
    /** Whether no will may be lost. */
    readonly keepsWills?: boolean;
  } = {},
): Profile {
  return {
    name,
    cluster: (world) => ({
      nodes: world.pick([2, 3, 3, 4]),
      skewMs: world.pick([0, 0, 200, 5_000]),
      costMs: world.pick([0, 0.1]),
    }),
    populate: (fleet, world) => {
      fleet.addSink({ name: 'stays' });
      fleet.addSink({ name: 'sleeper', of: [0, 1] });
      if (world.chance(0.5)) fleet.addSink({ name: 'slow', thinkMs: 150, receiveMaximum: 2 });
      if (world.chance(more.moves ?? 0)) fleet.addSink({ name: 'nomad', reconnects: false });
      fleet.addSource(1);
      fleet.addSource(2);
      if (world.chance(0.5)) fleet.addSource(2);
      if (world.chance(0.5)) fleet.addTestator(more.keepsWills === true);
      const members = world.pick([0, 0, 2, 3]);
      for (let count = 0; count < members; count += 1) fleet.addMember();
    },
    run: async (cluster, fleet) => {
      const { world } = cluster;
      const forMs = world.pick([3_000, 15_000, 30_000]);
      fleet.sink('sleeper').device.rest();
      fleet.publish(forMs, {
        perSecond: (world.pick([40, 120]) * 1_000) / forMs,
        burst: 1 + world.below(6),
      });
      fleet.bereave(forMs, forMs / 5);
      wreck(cluster, fleet, { faults, forMs, pauseMs: world.pick([500, 3_000, 12_000]) });
      const nomad = fleet.sinks.find(({ receiver }) => receiver.name === 'nomad');
      if (nomad !== undefined) new Storm(cluster, fleet, nomad).run(forMs, forMs / 5);
      await world.runUntil(() => false, forMs + world.between(0, 20_000));
      cluster.heal();
      fleet.sink('sleeper').device.wake();
    },
  };
}

/** All of them; a seed chooses one by its remainder. */
export const PROFILES: readonly Profile[] = [
  STORM,
  faulty('kill', [kill, cut], { moves: 0.3 }),
  faulty('pause', [pause, cut, cables], { moves: 0.3, keepsWills: true }),
  faulty('redis', [redisAway, redisFrozen, redisSlow, partition, carrierLossy], { moves: 0.3 }),
  faulty('rolling', [stop, stop, cut], { moves: 0.3, keepsWills: true }),
  SUBACK,
  faulty('partition', [partition, cables, carrierLossy, cut], { moves: 0.5 }),
  faulty(
    'everything',
    [
      kill,
      stop,
      pause,
      partition,
      redisAway,
      redisFrozen,
      redisSlow,
      carrierLossy,
      busy,
      cables,
      cut,
    ],
    { moves: 0.5 },
  ),
];

/** The profile of a seed. */
export function profileOf(seed: number): Profile {
  const profile = PROFILES[seed % PROFILES.length];
  if (profile === undefined) throw new Error('there is no profile');
  return profile;
}

/** @throws Error when there is none of this name. */
export function profileNamed(name: string): Profile {
  const profile = PROFILES.find((each) => each.name === name);
  if (profile === undefined) throw new Error(`there is no profile ${name}`);
  return profile;
}
