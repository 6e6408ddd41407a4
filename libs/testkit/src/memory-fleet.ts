import type { SessionStore } from '#libs/broker-ports';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import type { FakeClock } from './fake-clock.ts';
import { MemoryCluster, type MemoryBus } from './memory-cluster.ts';
import { MemoryNode, type MemoryNodeOptions } from './memory-node.ts';

/** A node of a MemoryFleet. */
export class FleetNode extends MemoryNode {
  readonly bus: MemoryBus;
  /** The fleet's sessions as this node reaches them: a test may make its calls behave. */
  readonly store: SessionStore;

  constructor(options: MemoryNodeOptions & { readonly bus: MemoryBus }) {
    super(options);
    this.bus = options.bus;
    this.store = options.sessions;
  }
}

/** Nodes in one process that share their stores. */
export class MemoryFleet {
  readonly cluster = new MemoryCluster();
  readonly sessions: LocalSessionStore;
  readonly retained: LocalRetainedStore;
  readonly #clock: FakeClock | undefined;

  /** @param clock - of nodes and stores; without it each node has its own, and time stands still for the stores. */
  constructor(clock?: FakeClock) {
    this.#clock = clock;
    const now = clock?.now ?? ((): number => 0);
    this.sessions = new LocalSessionStore({ clock: now });
    this.retained = new LocalRetainedStore({ clock: now });
  }

  /** Starts a node. */
  async join(nodeId: string, options: Partial<MemoryNodeOptions> = {}): Promise<FleetNode> {
    const joined = new FleetNode({
      sessions: viewOf(this.sessions),
      retained: this.retained,
      ...(this.#clock === undefined ? {} : { clock: this.#clock }),
      ...options,
      bus: this.cluster.bus(nodeId),
    });
    await joined.node.start();
    return joined;
  }
}

/** A store whose methods can be replaced without those of the store behind it. */
function viewOf(store: SessionStore): SessionStore {
  return {
    take: (request) => store.take(request),
    write: (operations) => store.write(operations),
    read: (...request) => store.read(...request),
    load: (clientId) => store.load(clientId),
    owners: () => store.owners(),
    ownedBy: (owner) => store.ownedBy(owner),
    disown: (...request) => store.disown(...request),
    abandon: (owner) => store.abandon(owner),
    close: () => store.close(),
  };
}
