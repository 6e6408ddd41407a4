import {
  StoreUnavailableError,
  type ClusterAnswer,
  type ClusterBus,
  type ClusterHandler,
  type ClusterRequest,
  type InboxPiece,
  type NodeInfo,
  type NodeRef,
  type SessionCount,
  type RouteChange,
} from '#libs/broker-ports';

interface Letter {
  readonly id: number;
  readonly from: NodeRef;
  readonly frame: Uint8Array;
}

/** One node's place in the cluster; it outlives the node until it is forgotten. */
interface Place {
  readonly bus: MemoryBus;
  readonly filters: Set<string>;
  readonly inbox: Set<Letter>;
  claimedBy: NodeRef | undefined;
  /** While true nothing can be appended to the inbox. */
  isFull: boolean;
}

/** A cluster in the memory of one process: what is sent arrives in a later turn, in order, and nothing is lost. */
export class MemoryCluster {
  /** @internal */
  readonly places = new Map<string, Place>();
  /** Awaited by every announcement: a test may hold or fail it. */
  announced: Promise<void> = Promise.resolve();
  /** How many letters there ever were. @internal */
  letters = 0;
  #incarnations = 0;

  /** A new incarnation of a node. It is seen by the others when it opens. */
  bus(nodeId: string): MemoryBus {
    this.#incarnations += 1;
    return new MemoryBus(this, { nodeId, incarnation: this.#incarnations });
  }

  /** @internal */
  placeOf(node: NodeRef): Place | undefined {
    return this.places.get(keyOf(node));
  }

  /** The buses of the nodes that live, but for one. */
  othersOf(node: NodeRef): MemoryBus[] {
    return [...this.places.values()]
      .map(({ bus }) => bus)
      .filter((bus) => bus.isUp && keyOf(bus.self) !== keyOf(node));
  }
}

/** A node's bus in a MemoryCluster. */
export class MemoryBus implements ClusterBus {
  readonly self: NodeRef;
  /** While false, the node does not know what the others want. */
  isCurrent = true;
  isUp = false;
  /** While true, durable frames stay in this node's inbox. */
  isPaused = false;
  /** While true, requests to this node are not answered. */
  isDeaf = false;
  /** QoS 0 messages that this node sent to nobody. */
  lostLive = 0;
  handler: ClusterHandler | undefined;
  readonly #cluster: MemoryCluster;
  #state: NodeInfo['state'] = 'alive';
  #sessions: readonly SessionCount[] | undefined;

  constructor(cluster: MemoryCluster, self: NodeRef) {
    this.#cluster = cluster;
    this.self = self;
  }

  get info(): NodeInfo {
    const sessions = this.#sessions;
    return { ...this.self, version: '1.0.0', startedAtMs: 0, state: this.#state, sessions };
  }

  describe(sessions: readonly SessionCount[]): void {
    this.#sessions = sessions;
  }

  async open(handler: ClusterHandler): Promise<void> {
    this.handler = handler;
    this.isUp = true;
    for (const { bus, filters } of this.#cluster.places.values()) {
      handler.nodeJoined(bus.info, [...filters]);
      if (bus.isUp) bus.handler?.nodeJoined(this.info, []);
      else handler.nodeLeft(bus.self);
    }
    this.#cluster.places.set(keyOf(this.self), {
      bus: this,
      filters: new Set(),
      inbox: new Set(),
      claimedBy: undefined,
      isFull: false,
    });
  }

  async announceRoutes(changes: readonly RouteChange[]): Promise<void> {
    const place = this.#cluster.placeOf(this.self);
    for (const { kind, filter } of changes) {
      if (kind === 'add') place?.filters.add(filter);
      else place?.filters.delete(filter);
    }
    await this.#cluster.announced;
    for (const { handler } of this.#cluster.othersOf(this.self)) {
      handler?.routesChanged(this.self, changes);
    }
    // What others have routed without knowing it is on its way by then.
    await new Promise((resolve) => setImmediate(resolve));
  }

  sendLive(nodeId: string, frame: Uint8Array, messageCount: number): void {
    const target = this.#busOf(nodeId);
    if (target?.handler === undefined) this.lostLive += messageCount;
    setImmediate(() => target?.handler?.liveReceived(this.self, frame));
  }

  async sendDurable(node: NodeRef, frame: Uint8Array): Promise<void> {
    const place = this.#cluster.placeOf(node);
    if (place === undefined || !this.isUp || place.isFull)
      throw new StoreUnavailableError('no such inbox');
    const letter = { id: (this.#cluster.letters += 1), from: this.self, frame };
    place.inbox.add(letter);
    setImmediate(() => place.bus.deliver(letter));
  }

  async request(nodeId: string, request: ClusterRequest): Promise<ClusterAnswer> {
    const target = this.#busOf(nodeId);
    if (target?.handler === undefined || target.isDeaf)
      throw new StoreUnavailableError(`${nodeId} is silent`);
    const answer = target.handler.requested(this.self, request);
    if (!target.isPaused) return await answer;
    answer.catch(() => undefined);
    throw new StoreUnavailableError(`${nodeId} does not get on with its inbox`);
  }

  nodes(): readonly NodeInfo[] {
    return [this, ...this.#cluster.othersOf(this.self)].map(({ info }) => info);
  }

  isAlive(node: NodeRef): boolean {
    return this.#cluster.placeOf(node)?.bus.isUp ?? false;
  }

  async claimDead(node: NodeRef): Promise<boolean> {
    const place = this.#cluster.placeOf(node);
    if (place === undefined || place.bus.isUp) return false;
    place.claimedBy ??= this.self;
    return keyOf(place.claimedBy) === keyOf(this.self);
  }

  async peekInbox(node: NodeRef, after: string): Promise<InboxPiece> {
    const letters = [...(this.#cluster.placeOf(node)?.inbox ?? [])];
    const fresh = letters.filter(({ id }) => id > Number(after));
    const batches = fresh.map(({ from, frame }) => ({ from, frame, inbox: node }));
    return { batches, last: String(fresh.at(-1)?.id ?? after) };
  }

  async drainInbox(node: NodeRef): Promise<void> {
    const place = this.#cluster.placeOf(node);
    const letters = [...(place?.inbox ?? [])];
    await Promise.all(
      letters.map(
        (letter) =>
          new Promise<void>((resolve) => {
            this.handler?.durableReceived({ ...letter, inbox: node }, () => {
              place?.inbox.delete(letter);
              resolve();
            });
          }),
      ),
    );
  }

  async forgetNode(node: NodeRef): Promise<void> {
    this.#cluster.places.delete(keyOf(node));
    for (const { handler } of this.#cluster.othersOf(this.self)) handler?.nodeForgotten(node);
  }

  stopReceiving(): void {
    this.isPaused = true;
  }

  async setState(state: NodeInfo['state']): Promise<void> {
    this.#state = state;
  }

  async close(): Promise<void> {
    this.kill();
  }

  /** The node is dead from now on: it hears and sends nothing, and the others see it leave. */
  kill(): void {
    this.isUp = false;
    for (const { handler } of this.#cluster.othersOf(this.self)) handler?.nodeLeft(this.self);
  }

  /** Hands the node what came while it was paused. */
  resume(): void {
    this.isPaused = false;
    for (const letter of this.#cluster.placeOf(this.self)?.inbox ?? []) this.deliver(letter);
  }

  /** @internal */
  deliver(letter: Letter): void {
    if (!this.isUp || this.isPaused) return;
    const done = (): void => void this.#cluster.placeOf(this.self)?.inbox.delete(letter);
    this.handler?.durableReceived({ ...letter, inbox: this.self }, done);
  }

  #busOf(nodeId: string): MemoryBus | undefined {
    return this.#cluster.othersOf(this.self).find(({ self }) => self.nodeId === nodeId);
  }
}

function keyOf({ nodeId, incarnation }: NodeRef): string {
  return `${nodeId}#${String(incarnation)}`;
}
