import type { SimCluster } from './sim-cluster.ts';
import type { SimFleet } from './sim-fleet.ts';

/** Something that goes wrong, and is over after a while. */
export type SimFault = (cluster: SimCluster, fleet: SimFleet) => void;

/** SIGKILL of a node, or the loss of its machine; it comes back after a while. */
export const kill: SimFault = ({ world, nodes }) => {
  const forMs = world.pick([0, 500, 3_000, 20_000]) * world.between(0.5, 1.5);
  world.pick(nodes).kill({ isSilent: world.chance(0.3), forMs });
};

/** SIGTERM of a node, which is started again. */
export const stop: SimFault = ({ world, nodes }) => {
  world.pick(nodes).stop();
};

/** SIGSTOP of a node, for less or more than its lease, and SIGCONT. */
export const pause: SimFault = ({ world, nodes }) => {
  const node = world.pick(nodes);
  node.pause(true);
  world.after(world.pick([300, 2_500, 8_000, 14_000, 25_000]) * world.between(0.7, 1.3), () =>
    node.pause(false),
  );
};

/** A node without Redis. */
export const partition: SimFault = ({ world, nodes }) => {
  const node = world.pick(nodes);
  node.partition(true);
  world.after(world.pick([5, 300, 4_000, 13_000]) * world.between(0.5, 1.5), () =>
    node.partition(false),
  );
};

/** All nodes lose their connections to Redis. */
export const redisAway: SimFault = ({ world, nodes }) => {
  const awayMs = world.pick([5, 500, 3_000, 12_000]) * world.between(0.5, 1.5);
  for (const node of nodes) {
    node.partition(true);
    world.after(awayMs + world.delay(0, 500), () => node.partition(false));
  }
};

/** Redis answers nobody for a while, and then all. */
export const redisFrozen: SimFault = ({ world, redis }) => {
  redis.freeze(true);
  world.after(world.pick([200, 4_000, 8_000, 12_000]) * world.between(0.5, 1.5), () =>
    redis.freeze(false),
  );
};

/** Redis is slow. */
export const redisSlow: SimFault = ({ world, redis }) => {
  redis.tempo.mostMs = world.pick([20, 200, 3_000]);
  world.after(world.between(500, 5_000), () => (redis.tempo.mostMs = 0.6));
};

/** What goes over channels gets lost. */
export const carrierLossy: SimFault = ({ world, carrier }) => {
  carrier.faults.loss = world.pick([0.1, 0.5, 1]);
  world.after(world.between(500, 8_000), () => (carrier.faults.loss = 0));
};

/** A node has too much to do. */
export const busy: SimFault = ({ world, nodes }) => {
  const node = world.pick(nodes);
  node.setCost(world.pick([1, 10, 50]));
  world.after(world.between(200, 3_000), () => node.setCost(0));
};

/** Cables of the clients of a node are pulled. */
export const cables: SimFault = ({ world, nodes }) => {
  world.pick(nodes).silenceClients();
};

/** A client loses its connection. */
export const cut: SimFault = ({ world }, { devices }) => {
  const device = world.pick(devices);
  if (device.isConnected) device.drop('cut');
};

/** Has faults happen for a time, one after another and some at once. */
export function wreck(
  cluster: SimCluster,
  fleet: SimFleet,
  plan: {
    readonly faults: readonly SimFault[];
    readonly forMs: number;
    readonly pauseMs: number;
  },
): void {
  const { world } = cluster;
  const untilMs = world.nowMs + plan.forMs;
  const next = (): void => {
    if (world.nowMs >= untilMs) return;
    world.pick(plan.faults)(cluster, fleet);
    world.after(world.delay(10, plan.pauseMs), next);
  };
  world.after(world.delay(0, plan.pauseMs), next);
}
