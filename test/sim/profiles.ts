import type { ClusterOptions, SimCluster } from './sim-cluster.ts';
import type { SimFleet } from './sim-fleet.ts';
import { Storm } from './storm.ts';
import type { World } from './world.ts';

/** A kind of trouble. What happens when is by chance. */
export interface Profile {
  readonly name: string;
  cluster(world: World): ClusterOptions;
  populate(fleet: SimFleet, world: World): void;
  /** Publishes, applies the faults, and takes them away again. */
  run(cluster: SimCluster, fleet: SimFleet): Promise<void>;
}

/** Takeovers of one client in quick succession, and no fault. */
const STORM: Profile = {
  name: 'takeover-storm',
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
    const nomad = fleet.sinks.find(({ receiver }) => receiver.name === 'nomad');
    if (nomad === undefined) throw new Error('there is no nomad');
    const slowness = world.pick([1, 4, 20, 60, 300]);
    cluster.redis.tempo.mostMs *= slowness;
    cluster.carrier.faults.mostMs *= world.pick([1, slowness]);
    const forMs = world.pick([500, 1_500, 4_000]);
    fleet.publish(forMs, {
      perSecond: (world.pick([50, 150, 400]) * 1_000) / forMs,
      burst: 1 + world.below(10),
    });
    new Storm(cluster, fleet, nomad).run(forMs, world.pick([20, 80, 250, 800]));
    await world.runUntil(() => false, forMs + 1);
  },
};

/** All of them; a seed chooses one by its remainder. */
export const PROFILES: readonly Profile[] = [STORM];

/** The profile of a seed. */
export function profileOf(seed: number): Profile {
  const profile = PROFILES[seed % PROFILES.length];
  if (profile === undefined) throw new Error('there is no profile');
  return profile;
}
