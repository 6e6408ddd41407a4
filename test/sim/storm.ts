import type { SimCluster } from './sim-cluster.ts';
import type { SimDevice } from './sim-device.ts';
import type { SimFleet, Sink } from './sim-fleet.ts';

const BURST_CHANCE = 0.1;

/** Connects the id of a subscriber again and again, each time on a node by chance, and now and then on all at once. */
export class Storm {
  readonly #cluster: SimCluster;
  readonly #fleet: SimFleet;
  readonly #sink: Sink;
  takeovers = 0;

  constructor(cluster: SimCluster, fleet: SimFleet, sink: Sink) {
    this.#cluster = cluster;
    this.#fleet = fleet;
    this.#sink = sink;
  }

  /** Goes on for a time with pauses up to so long, then connects for good. */
  run(forMs: number, pauseMs: number): void {
    const { world } = this.#cluster;
    this.#blow(world.nowMs + forMs, pauseMs);
  }

  #blow(untilMs: number, pauseMs: number): void {
    const { world, nodes } = this.#cluster;
    if (world.nowMs >= untilMs) {
      this.#take(world.below(nodes.length), true);
      return;
    }
    const first = world.below(nodes.length);
    const count = world.chance(BURST_CHANCE) ? nodes.length : 1;
    for (let index = 0; index < count; index += 1) this.#take(first + index, false);
    world.after(world.delay(1, pauseMs), () => this.#blow(untilMs, pauseMs));
  }

  #take(home: number, reconnects: boolean): SimDevice {
    const { receiver, device } = this.#sink;
    this.takeovers += 1;
    const taker = this.#fleet.addDevice({ ...device.options, role: receiver, home, reconnects });
    taker.connect();
    return taker;
  }
}
