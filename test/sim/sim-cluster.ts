import type { CoreLimits } from '#libs/broker-core';
import type { Plant } from './plant.ts';
import { SimCarrier } from './sim-carrier.ts';
import { SimNode } from './sim-node.ts';
import { SimRedis } from './sim-redis.ts';
import type { World } from './world.ts';

const SUPERVISE_MS = 300;

/** What differs from one simulated cluster to another. */
export interface ClusterOptions {
  readonly nodes: number;
  readonly limits?: Partial<CoreLimits>;
  /** By how much wall clocks may be apart. */
  readonly skewMs?: number;
  /** What an event takes a node, at most. */
  readonly costMs?: number;
  /** A defect that is to be found. */
  readonly plant?: Plant | undefined;
}

/** Nodes with their Redis. */
export class SimCluster {
  readonly world: World;
  readonly redis: SimRedis;
  readonly carrier: SimCarrier;
  readonly nodes: readonly SimNode[];
  readonly wires = { leastMs: 0.05, mostMs: 1 };
  /** What nodes have logged as errors. */
  readonly errors: string[] = [];

  constructor(world: World, { nodes, limits = {}, skewMs = 0, costMs = 0, plant }: ClusterOptions) {
    this.world = world;
    const settings = {
      leaseMs: 10_000,
      commandTimeoutMs: 5_000,
      routeDeadlineMs: 2_000,
      requestTimeoutMs: 3_000,
      inboxBatchesMax: 1_000_000,
    };
    this.redis = new SimRedis(world, { ...settings, plant });
    this.carrier = new SimCarrier(world);
    const parts = {
      ...{ world, settings, limits, redis: this.redis, carrier: this.carrier, wires: this.wires },
      failed: (what: string) => void this.errors.push(what),
    };
    this.nodes = Array.from({ length: nodes }, (_, index) => {
      const skew = world.between(-skewMs, skewMs);
      const cost = world.between(0, costMs);
      return new SimNode(parts, { nodeId: `n${String(index)}`, skewMs: skew, costMs: cost });
    });
  }

  /** Takes all faults away. */
  heal(): void {
    this.redis.freeze(false);
    Object.assign(this.redis.tempo, { leastMs: 0.05, mostMs: 0.6 });
    Object.assign(this.carrier.faults, { loss: 0, leastMs: 0.1, mostMs: 1.2 });
    for (const node of this.nodes) {
      node.pause(false);
      node.partition(false);
      node.setCost(0);
      node.supervise();
    }
  }

  /** Starts all nodes and waits until they serve. */
  async start(): Promise<void> {
    for (const node of this.nodes) node.start();
    const isUp = await this.world.runUntil(
      () => this.nodes.every(({ isServing }) => isServing),
      60_000,
    );
    if (!isUp) throw new Error('the nodes have not started');
    this.#supervise();
  }

  #supervise(): void {
    this.world.after(SUPERVISE_MS, () => {
      for (const node of this.nodes) node.supervise();
      this.#supervise();
    });
  }
}
