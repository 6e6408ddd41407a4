import {
  StoreUnavailableError,
  type ClusterAnswer,
  type ClusterBus,
  type ClusterHandler,
  type ClusterRequest,
  type InboxPiece,
  type Log,
  type Meter,
  type NodeInfo,
  type NodeRef,
  type SessionCount,
  type RouteChange,
} from '#libs/broker-ports';
import { ClusterError, UnderWay, isNodeId, nodeKey } from '#libs/cluster';
import type { RedisTarget } from '#libs/redis-client';
import { Carrier, type Arrival } from './carrier.ts';
import { ClusterCommands } from './cluster-commands.ts';
import { ClusterView } from './cluster-view.ts';
import { RedisConnections } from './connections.ts';
import { answerTo, type Control } from './control.ts';
import { InboxConsumer, batchOf } from './inbox-consumer.ts';
import { ClusterKeys } from './keys.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { OwnRoutes } from './own-routes.ts';
import { Requests } from './requests.ts';
import { StreamReader, readStream } from './stream-reader.ts';
import { processTimers, turnOf } from './timers.ts';

/** Entries per read of a stream. */
const READ_COUNT = 64;
/** The same of an inbox that is only looked at: 64 MiB, if all of its frames are as large as they get. */
const PEEK_COUNT = 256;
const RETRY_MS = 100;

/** What a RedisClusterBus is made of. */
export interface RedisClusterBusOptions {
  readonly self: { readonly nodeId: string; readonly version: string };
  readonly redis: RedisTarget & {
    readonly keyPrefix: string;
    readonly leaseMs: number;
    readonly commandTimeoutMs: number;
    readonly routeDeadlineMs: number;
    readonly requestTimeoutMs: number;
    readonly inboxBatchesMax: number;
    /** How many replicas must have a frame before sendDurable() resolves. @defaultValue 0 */
    readonly waitReplicas?: number;
    /** For how long they are waited for; less than `commandTimeoutMs`. @defaultValue half of it */
    readonly waitTimeoutMs?: number;
  };
  readonly clock: {
    /** The time since 1970; it may jump. */
    nowMs(): number;
    /** A time that only moves forward, for deadlines and the lease. */
    monotonicMs(): number;
  };
  readonly log: Log;
  readonly meter: Meter;
}

/** What works while the bus is open. */
interface Work {
  readonly self: NodeRef;
  readonly handler: ClusterHandler;
  readonly view: ClusterView;
  readonly routes: OwnRoutes;
  readonly inbox: InboxConsumer;
  readonly readers: readonly StreamReader[];
}

/**
 * The cluster on Redis: leases, routes, and batches from node to node.
 *
 * @remarks open() pends as long as Redis is away, and `ready` says how it stands. Afterwards calls reject with a
 * StoreUnavailableError within the command timeout while Redis is away, and everything resumes by itself.
 * QoS 0 frames go over mqemitter-redis and may be lost; QoS 1/2 frames go through a stream per node and are not.
 * After leaseLost() the bus is closed: a new incarnation needs a new bus.
 */
export class RedisClusterBus implements ClusterBus {
  readonly #options: RedisClusterBusOptions;
  readonly #connections: RedisConnections;
  readonly #keys: ClusterKeys;
  readonly #commands: ClusterCommands;
  readonly #lease: LeaseKeeper;
  readonly #carrier: Carrier;
  readonly #requests: Requests;
  readonly #claims = new Map<string, NodeRef>();
  readonly #drains = new Set<InboxConsumer>();
  #work: Work | undefined;
  #tick: NodeJS.Timeout | undefined;
  #isRenewing = false;
  #isLooking = false;
  /** Appends to inboxes. */
  readonly #appends = new UnderWay();
  #closed = false;

  /** @throws RangeError when the node id or the key prefix holds other characters than those allowed. */
  constructor(options: RedisClusterBusOptions) {
    const { self, redis, log, meter, clock } = options;
    if (!isNodeId(self.nodeId)) {
      throw new RangeError('a node id is 1 to 64 of the characters A-Za-z0-9._-');
    }
    this.#options = options;
    this.#keys = new ClusterKeys(redis.keyPrefix);
    this.#connections = new RedisConnections({ ...redis, key: this.#keys.members, log, meter });
    const commands = this.#connections.open('commands');
    commands.on('ready', () => this.#beat());
    commands.on('close', () => this.#work?.view.storeLost());
    const { waitReplicas: replicas = 0, waitTimeoutMs = redis.commandTimeoutMs / 2 } = redis;
    this.#commands = new ClusterCommands({
      ...redis,
      ...{ redis: commands, keys: this.#keys, meter },
      wait: { replicas, timeoutMs: waitTimeoutMs },
    });
    this.#lease = new LeaseKeeper({ ...self, ...redis, commands: this.#commands, clock, log });
    this.#carrier = new Carrier({
      subscriber: this.#connections.open('subscriber'),
      publisher: this.#connections.open('publisher'),
      keys: this.#keys,
      log,
      arrived: (arrival) => this.#arrived(arrival),
    });
    this.#requests = new Requests({
      timeoutMs: redis.requestTimeoutMs,
      timers: processTimers,
      send: (nodeId, control) => this.#control(nodeId, control),
    });
  }

  /** @throws ClusterError CLUSTER_CLOSED before open() has taken a lease: the incarnation is not known yet. */
  get self(): NodeRef {
    const info = this.#lease.info;
    if (info === undefined) throw notOpen();
    return { nodeId: info.nodeId, incarnation: info.incarnation };
  }

  /** Whether the node takes part: Redis is there and the lease holds. */
  get ready(): boolean {
    return this.#work !== undefined && this.#connections.isUp && this.#lease.isHeld;
  }

  get isCurrent(): boolean {
    return this.ready && this.#work?.view.isCurrent === true;
  }

  /**
   * @throws ClusterError NODE_ID_IN_USE when another live node has this id (a killed predecessor's lease is waited for);
   * CLUSTER_CLOSED when close() comes first.
   */
  async open(handler: ClusterHandler): Promise<void> {
    await this.#carrier.open(this.#options.self.nodeId);
    const joinedAt = await this.#lease.take();
    const work = this.#begin(handler);
    // The routes of many nodes may take longer to read than a lease lasts.
    this.#isLooking = true;
    this.#tick = setInterval(() => this.#beat(), this.#options.redis.leaseMs / 3);
    for (let looked = false; !looked;) {
      if (this.#closed) throw notOpen();
      try {
        await work.view.look();
        looked = true;
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    const [routes, inbox] = work.readers;
    routes?.start(joinedAt);
    inbox?.start('0-0');
    if (this.#closed) throw notOpen();
    this.#isLooking = false;
  }

  /**
   * Resolves when every live node has applied the changes.
   *
   * @throws ClusterError ROUTES_LATE at the deadline, and ROUTES_UNSURE when a node that has let one pass was not waited for: the
   * changes stay announced, and late nodes apply them later.
   */
  announceRoutes(changes: readonly RouteChange[]): Promise<void> {
    if (this.#work === undefined) return Promise.reject(notOpen());
    return this.#work.routes.announce(changes);
  }

  sendLive(nodeId: string, frame: Uint8Array, messageCount: number): void {
    const { meter } = this.#options;
    const lost = (): void => meter.deliveryDropped('cluster_error', messageCount);
    if (this.#work === undefined) lost();
    else this.#carrier.sendFrame(nodeId, this.#work.self, { frame, lost });
  }

  /** @throws StoreUnavailableError when Redis is away, the inbox is full, or this node's own lease is in doubt. */
  async sendDurable(node: NodeRef, frame: Uint8Array): Promise<void> {
    if (this.#work === undefined) throw notOpen();
    if (!this.#lease.isHeld) throw new StoreUnavailableError('the lease of this node is in doubt');
    const appended = this.#commands.append({ to: node, from: this.#work.self, frame });
    this.#appends.add(appended);
    const result = await appended;
    this.#options.meter.inboxAppended(result);
    if (result === 'stored') return;
    throw new StoreUnavailableError(`the inbox of ${nodeKey(node)} is ${result}`);
  }

  async request(nodeId: string, request: ClusterRequest): Promise<ClusterAnswer> {
    if (this.#work === undefined) throw notOpen();
    if (!(await this.#commands.isListening(nodeId))) {
      throw new ClusterError('NODE_AWAY', `${nodeId} is not connected to Redis`);
    }
    return this.#requests.ask(nodeId, request);
  }

  nodes(): readonly NodeInfo[] {
    const info = this.#lease.info;
    const others = this.#work?.view.alive() ?? [];
    return info === undefined || this.#closed ? others : [info, ...others];
  }

  isAlive(node: NodeRef): boolean {
    const info = this.#lease.info;
    if (info?.nodeId === node.nodeId && info.incarnation === node.incarnation) {
      return this.#lease.isHeld;
    }
    return this.#work?.view.isAlive(node) ?? false;
  }

  /**
   * Whether an incarnation will never live again: it said goodbye, was claimed, or is forgotten.
   *
   * @throws StoreUnavailableError when Redis does not answer.
   */
  hasEnded(node: NodeRef): Promise<boolean> {
    return this.#commands.hasEnded(node);
  }

  async claimDead(node: NodeRef): Promise<boolean> {
    const claimed = (await this.#commands.claim(this.self, node)) === 'claimed';
    if (claimed) this.#claims.set(nodeKey(node), node);
    return claimed;
  }

  async peekInbox(node: NodeRef, after: string): Promise<InboxPiece> {
    const entries = await this.#commands.readInbox(node, after, PEEK_COUNT);
    const batches = entries
      .map(({ fields }) => batchOf(fields, node))
      .filter((batch) => batch !== undefined);
    return { batches, last: entries.at(-1)?.id ?? after };
  }

  async drainInbox(node: NodeRef): Promise<void> {
    const work = this.#work;
    if (work === undefined) throw notOpen();
    const consumer = this.#consume(node, work.handler);
    this.#drains.add(consumer);
    try {
      for (;;) {
        const entries = await this.#commands.readInbox(node, '', READ_COUNT);
        if (entries.length === 0) return;
        await consumer.take(entries);
        await consumer.empty();
      }
    } finally {
      this.#drains.delete(consumer);
    }
  }

  /**
   * Makes this node the heir of a dead one: what its inbox still holds, and what others are about to append to it, comes
   * to this node's inbox.
   *
   * @throws ClusterError CLAIM_LOST when this node does not hold the claim.
   */
  async forgetNode(node: NodeRef): Promise<void> {
    const { self } = this;
    let result = await this.#commands.forget(self, node);
    while (result === 'not-empty') {
      await this.drainInbox(node);
      result = await this.#commands.forget(self, node);
    }
    this.#claims.delete(nodeKey(node));
    if (result === 'unclaimed') {
      throw new ClusterError('CLAIM_LOST', `${nodeKey(node)} is not claimed by this node`);
    }
  }

  stopReceiving(): void {
    this.#work?.readers[1]?.stop();
    this.#work?.inbox.stop();
  }

  async setState(state: NodeInfo['state']): Promise<void> {
    this.#lease.describe({ state });
    await this.#renew();
  }

  describe(sessions: readonly SessionCount[]): void {
    this.#lease.describe({ sessions });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    const work = this.#stop();
    // Without an answer the lease runs out by itself; nothing else hangs on it.
    await Promise.all([work?.inbox.close(), this.#lease.leave()]).catch(rethrowBugs);
    this.#connections.close();
  }

  #begin(handler: ClusterHandler): Work {
    const { redis, clock, log, meter } = this.#options;
    const { self } = this;
    const commands = this.#commands;
    const monotonicMs = (): number => clock.monotonicMs();
    const routes: OwnRoutes = new OwnRoutes({
      ...{ self, commands, monotonicMs, meter, deadlineMs: redis.routeDeadlineMs },
      timers: processTimers,
      alive: () => view.alive(),
      isAwaited: (node) => view.isAwaited(node),
      ask: ({ nodeId, incarnation }) =>
        this.#control(nodeId, { kind: 'applied-wanted', incarnation }),
    });
    const view: ClusterView = new ClusterView({
      ...{ self, commands, monotonicMs, meter, log, handler, leaseMs: redis.leaseMs },
      applied: (node, sequence) => void this.#confirm(node, sequence),
      gone: (node) => {
        routes.gone(node);
        this.#requests.gone(node);
      },
    });
    const inbox = this.#consume(self, handler);
    const inboxConnection = this.#connections.open('reader');
    const inboxStream = {
      redis: inboxConnection,
      key: this.#keys.inbox(self),
      count: READ_COUNT,
    };
    const inboxReader = new StreamReader({
      read: (after) => readStream(inboxStream, after),
      timers: processTimers,
      room: () => inbox.room(),
      handle: (entries) => inbox.take(entries),
    });
    inboxConnection.on('ready', () => inboxReader.rewind());
    const routesStream = {
      redis: this.#connections.open('reader'),
      key: this.#keys.stream,
      count: READ_COUNT,
    };
    const routesReader = new StreamReader({
      read: (after) => readStream(routesStream, after),
      timers: processTimers,
      handle: (entries) => view.follow(entries),
    });
    this.#work = { self, handler, view, routes, inbox, readers: [routesReader, inboxReader] };
    return this.#work;
  }

  #consume(node: NodeRef, handler: ClusterHandler): InboxConsumer {
    return new InboxConsumer({
      node,
      commands: this.#commands,
      timers: processTimers,
      log: this.#options.log,
      deliver: (batch, done) => handler.durableReceived(batch, done),
    });
  }

  /**
   * Says that this node has applied the routes of another, as soon as what it routed without them is in the inboxes: a
   * session that moves relies on it.
   */
  async #confirm({ nodeId, incarnation }: NodeRef, sequence: number): Promise<void> {
    await turnOf(processTimers);
    await this.#appends.answered();
    this.#control(nodeId, { kind: 'applied', incarnation, sequence });
  }

  #control(nodeId: string, control: Control): void {
    if (this.#work !== undefined) this.#carrier.sendControl(nodeId, this.#work.self, control);
  }

  #arrived(arrival: Arrival): void {
    const work = this.#work;
    if (work === undefined || this.#closed) return;
    const { from } = arrival;
    if (arrival.kind === 'frame') {
      work.handler.liveReceived(from, arrival.frame);
      return;
    }
    const { control } = arrival;
    switch (control.kind) {
      case 'applied':
        if (control.incarnation === work.self.incarnation)
          work.routes.heard(from, control.sequence);
        return;
      case 'applied-wanted': {
        const sequence = work.view.applied({ ...from, incarnation: control.incarnation });
        if (sequence !== undefined) {
          void this.#confirm({ ...from, incarnation: control.incarnation }, sequence);
        }
        return;
      }
      case 'request':
        this.#answer(work, from, control);
        return;
      case 'answer':
        this.#requests.answered(from, control);
    }
  }

  #answer(work: Work, from: NodeRef, asked: Extract<Control, { kind: 'request' }>): void {
    work.handler.requested(from, asked.request).then(
      (answer) => this.#control(from.nodeId, answerTo(asked, answer)),
      () => this.#control(from.nodeId, answerTo(asked, undefined)),
    );
  }

  /** Three times per lease, and as soon as Redis is back. The lease never waits for what the others are doing. */
  #beat(): void {
    if (this.#tick === undefined) return;
    if (!this.#isRenewing) void this.#keep();
    if (!this.#isLooking) void this.#look();
  }

  /** Renews the lease and the claims. */
  async #keep(): Promise<void> {
    this.#isRenewing = true;
    try {
      await this.#renew();
      await Promise.all([...this.#claims.values()].map((node) => this.#renewClaim(node)));
    } catch (error) {
      rethrowBugs(error);
    } finally {
      this.#isRenewing = false;
    }
  }

  /** Looks for the others, and whether Redis still has this node's routes. */
  async #look(): Promise<void> {
    const work = this.#work;
    if (work === undefined) return;
    this.#isLooking = true;
    try {
      await work.routes.verify(await work.view.look());
    } catch (error) {
      rethrowBugs(error);
    } finally {
      this.#isLooking = false;
    }
  }

  async #renew(): Promise<void> {
    const work = this.#work;
    if (work === undefined) throw notOpen();
    const result = await this.#lease.renew(work.routes.sequence);
    if (result === 'wiped') {
      work.view.storeLost();
      await work.routes.mend();
    }
    if (result !== 'lost' || this.#closed) return;
    this.#options.log.error('lease-lost', { node: nodeKey(work.self) });
    this.#stop();
    this.#connections.close();
    work.handler.leaseLost();
  }

  async #renewClaim(node: NodeRef): Promise<void> {
    const result = await this.#commands.claim(this.self, node);
    if (result === 'claimed') return;
    this.#claims.delete(nodeKey(node));
    if (result === 'taken') this.#options.log.warn('claim-lost', { node: nodeKey(node) });
  }

  /** Ends all work but leaves the connections, for the last words. */
  #stop(): Work | undefined {
    this.#closed = true;
    clearInterval(this.#tick);
    this.#tick = undefined;
    const work = this.#work;
    for (const reader of work?.readers ?? []) reader.stop();
    for (const consumer of this.#drains) consumer.close().catch(rethrowBugs);
    work?.view.close();
    work?.routes.close();
    this.#requests.close();
    this.#lease.close();
    return work;
  }
}

function notOpen(): ClusterError {
  return new ClusterError('CLUSTER_CLOSED', 'the bus is not open');
}

function rethrowBugs(error: unknown): void {
  if (!(error instanceof StoreUnavailableError) && !(error instanceof ClusterError)) throw error;
}
