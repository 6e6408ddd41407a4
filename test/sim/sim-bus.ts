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
  type RouteChange,
} from '#libs/broker-ports';
import { ClusterError, SelfLease, UnderWay, nodeKey } from '#libs/cluster';
import {
  ClusterView,
  InboxConsumer,
  OwnRoutes,
  Requests,
  StreamReader,
  answerTo,
  batchOf,
  type Control,
  type Timers,
} from '#libs/cluster-redis';
import { describeFrame } from './sim-payload.ts';
import type { RedisLink } from './redis-link.ts';
import type { SimCarrier } from './sim-carrier.ts';
import type { SimProcess } from './sim-process.ts';
import type { SimRedis } from './sim-redis.ts';

const READ_COUNT = 64;
const PEEK_COUNT = 1_000;
const RETRY_MS = 100;

/** The settings of a simulated cluster: those of `redis.*`. */
export interface SimBusSettings {
  readonly leaseMs: number;
  readonly commandTimeoutMs: number;
  readonly routeDeadlineMs: number;
  readonly requestTimeoutMs: number;
  readonly inboxBatchesMax: number;
}

/** What a SimBus is made of. */
export interface SimBusParts {
  readonly process: SimProcess;
  readonly redis: SimRedis;
  readonly carrier: SimCarrier;
  readonly links: {
    readonly commands: RedisLink;
    readonly routes: RedisLink;
    readonly inbox: RedisLink;
  };
  readonly settings: SimBusSettings;
  readonly nodeId: string;
  readonly log: Log;
  readonly meter: Meter;
}

interface Work {
  readonly handler: ClusterHandler;
  readonly view: ClusterView;
  readonly routes: OwnRoutes;
  readonly inbox: InboxConsumer;
  readonly readers: readonly StreamReader[];
}

/**
 * The bus of a simulated node: RedisClusterBus on a simulated Redis, with its own parts for what is known of the others,
 * routes, inboxes and requests.
 */
export class SimBus implements ClusterBus {
  readonly #parts: SimBusParts;
  readonly #timers: Timers;
  readonly #lease: SelfLease;
  readonly #requests: Requests;
  readonly #claims = new Map<string, NodeRef>();
  #info: NodeInfo | undefined;
  #work: Work | undefined;
  #isBeating = false;
  #isRenewing = false;
  #isLooking = false;
  #lastSequence = 0;
  readonly #appends = new UnderWay();
  #closed = false;

  constructor(parts: SimBusParts) {
    this.#parts = parts;
    const { process, settings } = parts;
    this.#timers = timersOf(process);
    this.#lease = new SelfLease(settings.leaseMs);
    this.#requests = new Requests({
      timeoutMs: settings.requestTimeoutMs,
      timers: this.#timers,
      send: (nodeId, control) => this.#control(nodeId, control),
    });
  }

  get self(): NodeRef {
    if (this.#info === undefined) throw notOpen();
    const { nodeId, incarnation } = this.#info;
    return { nodeId, incarnation };
  }

  get #isHeld(): boolean {
    return this.#lease.isHeld(this.#parts.process.monotonicMs());
  }

  get isCurrent(): boolean {
    const isReady = this.#work !== undefined && this.#parts.links.commands.isUp && this.#isHeld;
    return isReady && this.#work?.view.isCurrent === true;
  }

  async open(handler: ClusterHandler): Promise<void> {
    const { process, settings, carrier, links } = this.#parts;
    const joinedAt = await this.#take();
    carrier.listen(this.self, process, {
      frame: (from, frame) => this.#work?.handler.liveReceived(from, frame),
      control: (from, control) => this.#controlled(from, control),
    });
    const work = this.#begin(handler);
    await this.#persist(() => work.view.look());
    const [routes, inbox] = work.readers;
    routes?.start(joinedAt);
    inbox?.start('0-0');
    this.#isBeating = true;
    process.every(settings.leaseMs / 3, () => this.beat());
    if (!links.commands.isUp) this.linksLost();
  }

  /** The connections to Redis have gone. */
  linksLost(): void {
    this.#work?.view.storeLost();
  }

  /** The connections to Redis are back. */
  linksRestored(): void {
    this.#work?.readers[1]?.rewind();
    this.beat();
  }

  announceRoutes(changes: readonly RouteChange[]): Promise<void> {
    if (this.#work === undefined) return Promise.reject(notOpen());
    const announced = this.#work.routes.announce(changes);
    if (this.#parts.redis.plant !== 'unconfirmed-routes') return announced;
    announced.catch(() => undefined);
    return Promise.resolve();
  }

  sendLive(nodeId: string, frame: Uint8Array, messageCount: number): void {
    const { carrier, process, meter } = this.#parts;
    const isSent = carrier.send(nodeId, { kind: 'frame', frame }, { from: this.self, process });
    if (!isSent) meter.deliveryDropped('cluster_error', messageCount);
  }

  async sendDurable(node: NodeRef, frame: Uint8Array): Promise<void> {
    const { redis, settings, process, links } = this.#parts;
    if (!this.#isHeld) throw new StoreUnavailableError('the lease of this node is in doubt');
    this.#lastSequence += 1;
    const sequence = this.#lastSequence;
    const from = this.self;
    const called = links.commands.call(() => {
      const inboxMax = settings.inboxBatchesMax;
      const appended = redis.append({ to: node, from, sequence, frame, inboxMax });
      process.world.tell('redis', () => {
        const what = `${describeFrame(frame)}: ${appended}`;
        return `inbox of ${nodeKey(node)} from ${nodeKey(from)} ${what}`;
      });
      return appended;
    });
    this.#appends.add(called);
    if (redis.plant === 'early-ack') return;
    const result = await called;
    if (result === 'stored') return;
    throw new StoreUnavailableError(`the inbox of ${nodeKey(node)} is ${result}`);
  }

  async request(nodeId: string, request: ClusterRequest): Promise<ClusterAnswer> {
    const { links, carrier } = this.#parts;
    if (!(await links.commands.call(() => carrier.isListening(nodeId)))) {
      throw new ClusterError('NODE_AWAY', `${nodeId} is not connected to Redis`);
    }
    return this.#requests.ask(nodeId, request);
  }

  nodes(): readonly NodeInfo[] {
    const others = this.#work?.view.alive() ?? [];
    return this.#info === undefined || this.#closed ? others : [this.#info, ...others];
  }

  isAlive(node: NodeRef): boolean {
    if (this.#info !== undefined && nodeKey(node) === nodeKey(this.#info)) return this.#isHeld;
    return this.#work?.view.isAlive(node) ?? false;
  }

  async claimDead(node: NodeRef): Promise<boolean> {
    const { links, redis } = this.#parts;
    const self = this.self;
    const isClaimed = (await links.commands.call(() => redis.claim(self, node))) === 'claimed';
    if (isClaimed) this.#claims.set(nodeKey(node), node);
    return isClaimed;
  }

  async peekInbox(node: NodeRef, after: string): Promise<InboxPiece> {
    const { links, redis } = this.#parts;
    const entries = await links.commands.call(() => redis.readInbox(node, after, PEEK_COUNT));
    const batches = entries
      .map(({ fields }) => batchOf(fields, node))
      .filter((batch) => batch !== undefined);
    return { batches, last: entries.at(-1)?.id ?? after };
  }

  async drainInbox(node: NodeRef): Promise<void> {
    const { links, redis } = this.#parts;
    if (this.#work === undefined) throw notOpen();
    const consumer = this.#consume(node, this.#work.handler);
    for (;;) {
      const entries = await links.commands.call(() => redis.readInbox(node, '', READ_COUNT));
      if (entries.length === 0) return;
      await consumer.take(entries);
      await consumer.empty();
    }
  }

  async forgetNode(node: NodeRef): Promise<void> {
    const { links, redis } = this.#parts;
    const self = this.self;
    const forget = () => links.commands.call(() => redis.forget(self, node));
    let result = await forget();
    while (result === 'not-empty') {
      await this.drainInbox(node);
      result = await forget();
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
    if (this.#info !== undefined) this.#info = { ...this.#info, state };
    await this.#renew();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    const { links, redis } = this.#parts;
    const work = this.#stop();
    const info = this.#info;
    const left = info && links.commands.call(() => redis.leave(info));
    await Promise.all([work?.inbox.close(), left]).catch(rethrowBugs);
  }

  /** Three times per lease, and as soon as Redis is back. */
  beat(): void {
    if (!this.#isBeating) return;
    if (!this.#isRenewing) void this.#keep();
    if (!this.#isLooking) void this.#look();
  }

  async #take(): Promise<string> {
    const { links, redis, process, nodeId } = this.#parts;
    const startedAtMs = process.nowMs();
    const { call } = { call: <R>(run: () => R) => this.#persist(() => links.commands.call(run)) };
    const incarnation = await call(() => redis.incarnate(nodeId, startedAtMs));
    const info: NodeInfo = { nodeId, incarnation, version: '1', startedAtMs, state: 'alive' };
    for (;;) {
      const sentAtMs = process.monotonicMs();
      const joined = await call(() => redis.join(info));
      if (joined.kind === 'joined') {
        this.#info = info;
        this.#lease.renewed(sentAtMs);
        return joined.streamId;
      }
      await this.#delay(joined.leftMs + 5);
    }
  }

  #begin(handler: ClusterHandler): Work {
    const { process, redis, settings, links, log, meter } = this.#parts;
    const { self } = this;
    const { call } = { call: <R>(run: () => R) => links.commands.call(run) };
    const { monotonicMs } = process;
    const routes: OwnRoutes = new OwnRoutes({
      ...{ self, monotonicMs, meter, deadlineMs: settings.routeDeadlineMs, timers: this.#timers },
      commands: {
        announce: (node, sequence, changes) => call(() => redis.announce(node, sequence, changes)),
        rewrite: (node, sequence, filters) => call(() => redis.rewrite(node, sequence, filters)),
      },
      alive: () => view.alive(),
      isAwaited: (node) => view.isAwaited(node),
      ask: ({ nodeId, incarnation }) =>
        this.#control(nodeId, { kind: 'applied-wanted', incarnation }),
    });
    const view: ClusterView = new ClusterView({
      ...{ self, monotonicMs, meter, log, handler, leaseMs: settings.leaseMs },
      commands: {
        list: () => call(() => redis.list()),
        position: (node) => call(() => redis.position(node)),
        filters: (node) => this.#filtersOf(node),
      },
      applied: (node, sequence) => void this.#confirm(node, sequence),
      gone: (node) => {
        routes.gone(node);
        this.#requests.gone(node);
      },
    });
    const inbox = this.#consume(self, handler);
    const routesReader = new StreamReader({
      read: (after) => links.routes.call(() => redis.follow('routes', after, READ_COUNT)),
      timers: this.#timers,
      handle: (entries) => view.follow(entries),
    });
    const inboxReader = new StreamReader({
      read: (after) => links.inbox.call(() => redis.follow(self, after, READ_COUNT)),
      timers: this.#timers,
      room: () => inbox.room(),
      handle: (entries) => inbox.take(entries),
    });
    this.#work = { handler, view, routes, inbox, readers: [routesReader, inboxReader] };
    return this.#work;
  }

  async *#filtersOf(node: NodeRef): AsyncGenerator<readonly string[]> {
    const { redis, links } = this.#parts;
    let last: string | undefined = '';
    while (last !== undefined) {
      const after: string = last;
      const piece = await links.commands.call(() => redis.filtersAfter(node, after));
      yield piece;
      last = piece.at(-1);
    }
  }

  #consume(node: NodeRef, handler: ClusterHandler): InboxConsumer {
    const { links, redis, log, process } = this.#parts;
    return new InboxConsumer({
      node,
      commands: {
        removeFromInbox: (of, ids) => links.commands.call(() => redis.removeFromInbox(of, ids)),
      },
      timers: this.#timers,
      log,
      deliver: (batch, done) => {
        process.world.tell(process.name, () => `takes ${describeFrame(batch.frame)}`);
        handler.durableReceived(batch, done);
      },
    });
  }

  #control(nodeId: string, control: Control): void {
    if (this.#work === undefined) return;
    const { carrier, process } = this.#parts;
    carrier.send(nodeId, { kind: 'control', control }, { from: this.self, process });
  }

  async #confirm({ nodeId, incarnation }: NodeRef, sequence: number): Promise<void> {
    await new Promise<void>((resolve) => this.#timers.immediately(resolve));
    await this.#appends.answered();
    this.#control(nodeId, { kind: 'applied', incarnation, sequence });
  }

  #controlled(from: NodeRef, control: Control): void {
    const work = this.#work;
    if (work === undefined || this.#closed) return;
    switch (control.kind) {
      case 'applied':
        if (control.incarnation === this.self.incarnation)
          work.routes.heard(from, control.sequence);
        return;
      case 'applied-wanted': {
        const sequence = work.view.applied({ ...from, incarnation: control.incarnation });
        if (sequence !== undefined) {
          void this.#confirm({ ...from, incarnation: control.incarnation }, sequence);
        }
        return;
      }
      case 'request': {
        work.handler.requested(from, control.request).then(
          (answer) => this.#control(from.nodeId, answerTo(control, answer)),
          () => this.#control(from.nodeId, answerTo(control, undefined)),
        );
        return;
      }
      case 'answer':
        this.#requests.answered(from, control);
    }
  }

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
    const { links, redis, process, log } = this.#parts;
    const info = this.#info;
    if (info === undefined || this.#work === undefined) throw notOpen();
    const sentAtMs = process.monotonicMs();
    const result = await links.commands.call(() => redis.renew(info));
    if (this.#closed) return;
    if (result !== 'lost') return this.#lease.renewed(sentAtMs);
    log.error('lease-lost', { node: nodeKey(info) });
    const { handler } = this.#work;
    this.#stop();
    handler.leaseLost();
  }

  async #renewClaim(node: NodeRef): Promise<void> {
    const { links, redis } = this.#parts;
    const self = this.self;
    const result = await links.commands.call(() => redis.claim(self, node));
    if (result !== 'claimed') this.#claims.delete(nodeKey(node));
  }

  #stop(): Work | undefined {
    this.#closed = true;
    this.#isBeating = false;
    const work = this.#work;
    for (const reader of work?.readers ?? []) reader.stop();
    work?.view.close();
    work?.routes.close();
    this.#requests.close();
    this.#lease.ended();
    return work;
  }

  async #persist<Result>(task: () => Promise<Result>): Promise<Result> {
    for (;;) {
      if (this.#closed) throw notOpen();
      try {
        return await task();
      } catch (error) {
        rethrowBugs(error);
        await this.#delay(RETRY_MS);
      }
    }
  }

  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.process.after(ms, resolve);
    });
  }
}

function timersOf(process: SimProcess): Timers {
  return {
    immediately: (run) => void process.after(0, run),
    after: (ms, run) => process.after(ms, run),
    every: (ms, run) => process.every(ms, run),
  };
}

function notOpen(): ClusterError {
  return new ClusterError('CLUSTER_CLOSED', 'the bus is not open');
}

function rethrowBugs(error: unknown): void {
  if (!(error instanceof StoreUnavailableError) && !(error instanceof ClusterError)) throw error;
}
