import {
  PublishError,
  StoreUnavailableError,
  decodeBatch,
  type ClusterAnswer,
  type ClusterHandler,
  type ClusterRequest,
  type InboxBatch,
  type Message,
  type NodeInfo,
  type NodeRef,
  type PublishDone,
  type RouteChange,
  type SessionRecord,
} from '#libs/broker-ports';
import { isSameNode } from '#libs/cluster';
import { REASON } from '#libs/mqtt-codec';
import { Fifo } from '#libs/mqtt-engine';
import { decodeFrame } from './frame.ts';
import { Departures } from './departures.ts';
import { Forwarder, type Letter } from './forwarder.ts';
import { InboxMarks } from './inbox-marks.ts';
import { Obligations } from './obligations.ts';
import type { Outbox } from './outbox.ts';
import { MOVE_KNOWN_AFTER_MS, MovedSessions, type Move } from './moved-sessions.ts';
import type { NodeParts } from './parts.ts';
import type { Router } from './router.ts';
import type { SessionEntry } from './session-entry.ts';
import type { GroupPublish } from './share-group.ts';
import type { Sessions } from './sessions.ts';
import type { MessageSpans } from './spans/message-spans.ts';
import { spreadWork } from './spread-work.ts';

/** For whom a frame is. */
type Address =
  | { readonly kind: 'routed' | 'inherited' }
  | { readonly kind: 'directed'; readonly clientId: string }
  | { readonly kind: 'grouped'; readonly group: string };

const NOBODY: ReadonlyMap<string, undefined> = new Map();
/** For how long a message that a member of a group has left is tried again. */
const ORPHAN_RETRY_MS = 300_000;
/** How late routes may come of a group whose members have left this node. */
const GROUP_KNOWN_AFTER_MS = 5_000;
/** Sessions of a dead node that are taken at once: their commands share the way to the store. */
const INHERITED_AT_ONCE = 64;
const PASSED_ON = { isPassedOn: true, obligations: undefined };

/** The part of a node that the cluster talks to: routes, the inbox, requests of peers, and the heritage of dead nodes. */
export class ClusterMember implements ClusterHandler {
  readonly #parts: NodeParts;
  readonly #router: Router;
  readonly #sessions: Sessions;
  readonly #willsSettled: (clientId: string) => Promise<boolean>;
  readonly #onLeaseLost: () => void;
  /** Sessions that are with another node by now: the inbox may still get messages for them. */
  readonly #moved = new MovedSessions();
  readonly #marks: InboxMarks;
  readonly #forwarder: Forwarder;
  readonly #departures: Departures;
  readonly #spans: MessageSpans | undefined;
  #retries: (() => void)[] = [];
  #isLeaving = false;
  /** QoS 1 and 2 messages that came while it was not known who wants them, in their order. */
  readonly #held = new Fifo<{ readonly message: Message; readonly done: PublishDone }>();

  constructor(
    parts: NodeParts,
    own: {
      readonly router: Router;
      readonly sessions: Sessions;
      readonly outbox: Outbox;
      readonly spans: MessageSpans | undefined;
      /** Resolves when the wills that a client has left are published, or cannot be at this moment: whether none is left. */
      readonly willsSettled: (clientId: string) => Promise<boolean>;
      readonly onLeaseLost: () => void;
    },
  ) {
    this.#parts = parts;
    this.#router = own.router;
    this.#sessions = own.sessions;
    this.#spans = own.spans;
    this.#willsSettled = own.willsSettled;
    this.#onLeaseLost = own.onLeaseLost;
    this.#marks = new InboxMarks(parts.bus);
    this.#departures = new Departures(parts, (dead) => this.#inherit(dead));
    this.#forwarder = new Forwarder(parts, {
      ...own,
      retryLater: (run) => {
        if (!this.#isLeaving) this.#retries.push(run);
        return !this.#isLeaving;
      },
    });
  }

  nodeJoined(node: NodeInfo, filters: readonly string[]): void {
    this.#router.routes.replace(node, filters);
  }

  routesChanged(node: NodeRef, changes: readonly RouteChange[]): void {
    this.#router.routes.apply(node, changes);
  }

  nodeLeft(node: NodeRef): void {
    this.#departures.add(node);
  }

  nodeForgotten(node: NodeRef): void {
    this.#departures.remove(node);
    spreadWork(this.#router.routes.dropNode(node), this.#parts.defer);
  }

  liveReceived(_from: NodeRef, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    const isLive = frame?.kind === 'routed' || frame?.kind === 'grouped';
    const messages = isLive ? this.#decode(frame.batch, this.#parts.bus.self) : undefined;
    if (!isLive || messages === undefined) return this.#refuse('live');
    this.#count('redis_pubsub', messages);
    for (const message of messages) {
      if (frame.kind === 'routed') this.#routeFromPeer(message, undefined);
      else this.#router.routeToGroup(message, frame.group, PASSED_ON);
    }
  }

  durableReceived({ from, inbox, frame: bytes }: InboxBatch, done: () => void): void {
    const frame = decodeFrame(bytes);
    if (frame?.kind === 'taken') {
      const { clientId, epoch } = frame;
      const entry = this.#sessions.get(clientId);
      if (entry !== undefined && entry.epoch < epoch) this.lose(entry, from);
      else this.#moved.learn(clientId, { owner: from, epoch });
      if (this.#sessions.taken(clientId, epoch)) this.#moved.arrived(clientId);
      return done();
    }
    if (frame?.kind === 'mark') {
      if (isSameNode(from, this.#parts.bus.self)) this.#marks.passed(frame.number);
      return done();
    }
    const messages = frame && this.#decode(frame.batch, inbox);
    if (frame === undefined || messages === undefined) {
      this.#refuse('durable');
      return done();
    }
    this.#count('redis_stream', messages);
    let left = messages.length;
    if (left === 0) return done();
    const taken = (): void => {
      left -= 1;
      if (left === 0) done();
    };
    const isInherited = !isSameNode(inbox, this.#parts.bus.self);
    const address =
      frame.kind === 'routed' && isInherited ? ({ kind: 'inherited' } as const) : frame;
    for (const message of messages) this.#take(message, address, taken);
  }

  async requested(from: NodeRef, request: ClusterRequest): Promise<ClusterAnswer> {
    const { bus, moves } = this.#parts;
    if (request.kind === 'bridge-progress') {
      return { backlogs: [{ node: bus.self, queues: moves?.queues() ?? [] }] };
    }
    const { clientId, isRouted } = request;
    // Of a client that is not here any more, what it has done here is not known.
    const hasPublished = this.#sessions.get(clientId)?.hasPublished ?? true;
    await this.#sessions.release(clientId, {
      caughtUp: (entry) => this.#marks.caughtUp(entry),
      leaving: (entry, isCaughtUp) => {
        // Publishers reach the other node by now, and the session has had what came to this one alone.
        const hasAll = isRouted && isCaughtUp && this.#hasAll(entry);
        if (entry.durable) this.#rememberEntry(entry, { owner: from, hasAll });
      },
    });
    // A will that is on its way here is not left to the node that asks, unless it has to wait here: then it is that node's.
    if (!(await this.#willsSettled(clientId))) {
      throw new StoreUnavailableError('a will cannot be published at this moment');
    }
    return { backlogs: moves?.backlogs(clientId, hasPublished) ?? [] };
  }

  leaseLost(): void {
    this.#onLeaseLost();
  }

  /**
   * Whether a session that leaves has had all that publishers have sent here and not to the node that takes it: nothing has to be
   * tried again or read out of a dead node's inbox, and that node cannot have read what the client wants before it changed it.
   */
  #hasAll({ subscribedAtMs, awaitsHeritage }: SessionEntry): boolean {
    const isNew = this.#parts.nowMs() - subscribedAtMs < MOVE_KNOWN_AFTER_MS;
    return !isNew && !awaitsHeritage && this.#retries.length === 0;
  }

  /** Takes over what was left by dead incarnations that are found in the store. One that does not answer yet is asked again by the sweep. */
  async findDeparted(): Promise<void> {
    try {
      await this.#departures.find();
    } catch (error) {
      this.#parts.log.warn('departed-unknown', { reason: String(error) });
      this.#retries.push(() => void this.findDeparted());
    }
    this.#departures.inheritAll();
  }

  /** Takes over at once what a dead node has left; returns whether there was something. @throws StoreUnavailableError */
  takeOver(nodeId: string): Promise<boolean> {
    return this.#departures.takeOver(nodeId);
  }

  /** The node is about to leave: it takes over nothing any more, and waits for nobody. What fails now is not tried again. */
  leave(): void {
    this.#isLeaving = true;
    this.#departures.leave();
    this.#marks.close();
    this.#sessions.leave();
    this.#retryFailed();
    this.#releaseHeld();
  }

  /**
   * Another node owns the session: its connection here ends, and what comes too late for it is passed on.
   *
   * @param owner - that node, if it is known.
   */
  lose(entry: SessionEntry, owner?: NodeRef): void {
    const { clientId, epoch, durable } = entry;
    this.#parts.log.debug('session-moved', { clientId, epoch });
    // Whoever took the session has the will, too.
    entry.will = undefined;
    entry.connection?.close(REASON.sessionTakenOver, 'the client connected at another node');
    if (durable && !entry.isGone) this.#rememberEntry(entry, { owner });
    this.#sessions.drop(entry);
    this.#marks.gone(entry);
  }

  /** A session has not come here after all. Publishers have routed to this node for it, and may have relied on it. */
  gaveUp({ clientId, owner, epoch, subscriptions }: SessionRecord): void {
    const filters = subscriptions.map(({ filter }) => filter);
    this.#remember(clientId, filters, { owner, epoch, mayReturn: true });
  }

  #remember(clientId: string, filters: readonly string[], move: Partial<Move> = {}): void {
    this.#moved.add(clientId, filters, { ...move, nowMs: this.#parts.nowMs() });
  }

  #rememberEntry(entry: SessionEntry, move: Partial<Move>): void {
    this.#remember(entry.clientId, [...entry.subscriptions.keys()], {
      ...move,
      epoch: entry.epoch,
    });
  }

  /**
   * Takes sessions that moved away long ago off this node's list: nothing is late for them any more that an heir would have to
   * pass on. A list that keeps one too many does no harm.
   */
  #disown(clientIds: readonly string[]): void {
    const { bus, sessions } = this.#parts;
    const away = clientIds.filter((clientId) => !this.#sessions.mayHave(clientId));
    if (away.length > 0) sessions.disown(bus.self, away).catch(() => undefined);
  }

  /** Tries again what a store could not take, and forgets what moved long ago; called by the sweep. */
  retry(): void {
    this.#disown(this.#moved.sweep(this.#parts.nowMs()));
    this.#marks.sweep();
    this.#sessions.retry();
    this.#retryFailed();
    this.#releaseHeld();
    this.#departures.inheritAll();
  }

  #retryFailed(): void {
    const retries = this.#retries;
    this.#retries = [];
    for (const again of retries) again();
  }

  /** Routes what was held back, but for what its publisher has been refused meanwhile; a node that leaves refuses all of it. */
  #releaseHeld(): void {
    const { bus, limits, nowMs } = this.#parts;
    const refusedUpToMs = nowMs() - limits.publishDeadlineMs;
    for (let held = this.#held.peek(); held !== undefined; held = this.#held.peek()) {
      const { message, done } = held;
      const isRefused = this.#isLeaving || message.receivedAtMs <= refusedUpToMs;
      if (!isRefused && !bus.isCurrent) return;
      this.#held.shift();
      if (isRefused) done(new PublishError('STORE_UNAVAILABLE', 'Redis did not come back in time'));
      else this.#route(message, done);
    }
  }

  /** Serves every receiver of a message taken by this node, those included that are on the move. */
  route(message: Message, done: PublishDone): void {
    if (message.qos === 0) return this.#router.route(message, done);
    if (this.#parts.bus.isCurrent && this.#held.size === 0) return this.#route(message, done);
    this.#held.push({ message, done });
    if (this.#isLeaving) this.#releaseHeld();
  }

  #route(message: Message, done: PublishDone): void {
    const absent = this.#absentFor(message);
    if (absent.size === 0) return this.#router.route(message, done);
    const obligations = new Obligations(done);
    const served = this.#router.nodesFor(message.topic);
    for (const [clientId, owner] of absent) {
      // A node that has the session answers for what is routed to it; one that is about to take it may not get it.
      const isServed = owner !== undefined && served.some((node) => isSameNode(node, owner));
      if (isServed && !this.#sessions.isDoubtful(clientId)) continue;
      obligations.begin();
      this.follow({ clientId, owner, message, obligations, served });
    }
    this.#router.route(message, (error) => obligations.end(error));
  }

  /** Done means that this node answers for the message; until it can, the inbox keeps it. */
  #take(message: Message, address: Address, done: () => void): void {
    const obligations = new Obligations((error) => {
      if (error === undefined) done();
      else this.#retries.push(() => this.#take(message, address, done));
    });
    switch (address.kind) {
      case 'routed':
      case 'inherited':
        if (address.kind === 'routed') this.#routeFromPeer(message, obligations);
        else this.#router.routeInherited(message, obligations);
        // Each is followed by itself: those who are here have had the message.
        for (const [clientId, owner] of this.#absentFor(message)) {
          obligations.begin();
          this.follow({ clientId, owner, message, obligations });
        }
        break;
      case 'directed': {
        const { clientId } = address;
        const entry = this.#sessions.get(clientId);
        if (entry === undefined) return this.follow({ clientId, message, obligations });
        this.#router.routeToSession(message, entry, obligations);
        break;
      }
      case 'grouped':
        return this.#toGroup(message, address.group, obligations);
    }
    obligations.end();
  }

  /**
   * Gives a message to another member of its shared subscription, because the one that it was for has gone. Ends the
   * obligation. While there is nobody but a member that is about to come, the message waits for that.
   */
  regroup(message: Message, group: string, obligations: Obligations): void {
    this.#parts.meter.groupDelivery('redispatched');
    this.#toGroup(message, group, obligations);
  }

  /** Regroups a message that nobody waits for any more; while a store is away, the sweep tries again until the message expires. */
  regroupOrphan({ message, group }: GroupPublish): void {
    this.#parts.meter.groupDelivery('redispatched');
    this.#tryOrphan(message, group, this.#parts.nowMs() + ORPHAN_RETRY_MS);
  }

  #tryOrphan(message: Message, group: string, untilMs: number): void {
    const { meter, nowMs } = this.#parts;
    const isExpired = message.expiresAtMs !== 0 && message.expiresAtMs <= nowMs();
    if (isExpired) return meter.deliveryDropped('expired', 1);
    const obligations = new Obligations((error) => {
      if (error === undefined) return;
      if (nowMs() >= untilMs) return meter.deliveryDropped('session_gone', 1);
      this.#retries.push(() => this.#tryOrphan(message, group, untilMs));
    });
    this.#toGroup(message, group, obligations);
  }

  /**
   * Gets a message to a member of a group. When none is known here, the last one may have gone to another node whose routes have not
   * been read yet: whoever chose this node thought that it has members.
   */
  #toGroup(message: Message, group: string, obligations: Obligations): void {
    const { meter, nowMs } = this.#parts;
    const untilMs = nowMs() + GROUP_KNOWN_AFTER_MS;
    const again = (): void => {
      const isKnown = this.#router.routeToGroup(message, group, { isPassedOn: true, obligations });
      if (isKnown) return obligations.end();
      if (this.#isLeaving) {
        return obligations.end(new PublishError('STORE_UNAVAILABLE', 'the node is leaving'));
      }
      if (nowMs() < untilMs) return void this.#retries.push(again);
      meter.groupDelivery('dropped');
      meter.deliveryDropped('no_subscribers', 1);
      obligations.end();
    };
    again();
  }

  /** Gets a message to a session as soon as it is somewhere. Ends the obligation. */
  follow(letter: Letter): void {
    this.#forwarder.follow(letter);
  }

  /**
   * The sessions that a message is for and that may count on this node for it while they are not here: those that are
   * arriving, and those that were still here when its publisher may have thought so. With the
   * node that has each, if that is known.
   */
  #absentFor(message: Message): ReadonlyMap<string, NodeRef | undefined> {
    const arriving = this.#router.arrivingFor(message.topic);
    if (arriving.length === 0 && this.#moved.isEmpty) return NOBODY;
    const absent = new Map<string, NodeRef | undefined>();
    this.#moved.match(message, absent);
    for (const clientId of arriving) absent.set(clientId, undefined);
    for (const clientId of absent.keys()) {
      if (this.#sessions.get(clientId) !== undefined) absent.delete(clientId);
    }
    return absent;
  }

  async #inherit(dead: NodeRef): Promise<void> {
    const { bus, sessions, log } = this.#parts;
    if (!(await bus.claimDead(dead))) return;
    const clientIds = await sessions.ownedBy(dead);
    log.info('inherit-started', { node: dead.nodeId, sessions: clientIds.length });
    const { elsewhere, unread } = await this.#takeAll(clientIds, dead);
    // What the inbox has for a session that cannot be taken at this moment would be lost: the inbox waits for the next attempt.
    if (unread instanceof StoreUnavailableError) throw unread;
    for (const [clientId, filters] of elsewhere) this.#remember(clientId, filters);
    await this.#router.announced().catch(() => undefined);
    try {
      await bus.drainInbox(dead);
    } finally {
      for (const clientId of clientIds) this.#sessions.get(clientId)?.endHeritage();
    }
    if (unread !== undefined) throw unread;
    await sessions.abandon(dead);
    await bus.forgetNode(dead);
    // What is on its way to the dead node comes to this node's inbox from now on.
    for (const [clientId, filters] of elsewhere) this.#remember(clientId, filters);
    this.nodeForgotten(dead);
    log.info('inherit-finished', { node: dead.nodeId, sessions: clientIds.length });
  }

  /** Takes the sessions of a dead node, and finds those that others have by now, with their filters. */
  async #takeAll(
    clientIds: readonly string[],
    dead: NodeRef,
  ): Promise<{ readonly elsewhere: Map<string, readonly string[]>; readonly unread: unknown }> {
    const { bus, sessions } = this.#parts;
    const elsewhere = new Map<string, readonly string[]>();
    let unread: unknown;
    const rest = clientIds.values();
    const takeRest = async (): Promise<void> => {
      for (const clientId of rest) {
        try {
          const node = await this.#sessions.inherit(clientId, dead);
          // An earlier incarnation of this node is another node.
          if (node === undefined || isSameNode(node, bus.self)) continue;
          const { subscriptions = [] } = (await sessions.load(clientId)) ?? {};
          elsewhere.set(
            clientId,
            subscriptions.map(({ filter }) => filter),
          );
        } catch (error) {
          // A session that cannot be read does not hold up the others.
          unread ??= error;
        }
      }
    };
    await Promise.all(Array.from({ length: INHERITED_AT_ONCE }, takeRest));
    return { elsewhere, unread };
  }

  /** @param to - the node that the batch was sent to. */
  #decode(batch: Uint8Array, to: NodeRef): readonly Message[] | undefined {
    const messages = decodeBatch(batch);
    return messages && (this.#spans?.received(messages, to) ?? messages);
  }

  #routeFromPeer(message: Message, obligations: Obligations | undefined): void {
    if (message.trace === undefined) return this.#router.routeFromPeer(message, obligations);
    const span = this.#spans?.route(message, this.#router.countReceivers(message.topic));
    this.#router.routeFromPeer(message, obligations);
    span?.end();
  }

  #count(transport: 'redis_pubsub' | 'redis_stream', messages: readonly Message[]): void {
    const { meter } = this.#parts;
    meter.clusterMessages('in', transport, messages.length);
    const nowMs = this.#parts.nowMs();
    for (const message of messages) {
      meter.clusterDeliveryDuration(Math.max(0, nowMs - message.receivedAtMs) / 1000);
    }
  }

  #refuse(kind: string): void {
    this.#parts.log.warn('cluster-frame-invalid', { kind });
    this.#parts.meter.deliveryDropped('cluster_error', 1);
  }
}
