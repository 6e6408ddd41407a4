import {
  REMEMBERED_MESSAGES,
  type ClusterBus,
  type Log,
  type Message,
  type Meter,
  type NodeRef,
  type PublishDone,
  type RouteChange,
} from '#libs/broker-ports';
import { ClusterError, RouteTable, type SharePlaces } from '#libs/cluster';
import { SharedPublish } from '#libs/mqtt-engine';
import {
  MatchCache,
  TopicTrie,
  filtersMeet,
  isShared,
  isWildcard,
  plainFilter,
} from '#libs/topic-index';
import type { Losses } from './losses.ts';
import { MessageMemory } from './message-memory.ts';
import { MOVE_KNOWN_AFTER_MS } from './moved-sessions.ts';
import { Obligations } from './obligations.ts';
import type { Outbox } from './outbox.ts';
import { FULL, type Receiver } from './receiver.ts';
import { GroupPublish, type ShareGroup, type ShareStrategy } from './share-group.ts';
import { Shares, type Share } from './shares.ts';
import { targetOf, type Subscription, type Target } from './subscription.ts';
import { Taps } from './taps.ts';
import type { Flushable, Turn } from './turn.ts';

interface Match {
  readonly targets: readonly Target[];
  readonly nodes: readonly NodeRef[];
  readonly shares: readonly Share[];
  /** About how much memory it takes in the cache. */
  readonly bytes: number;
}

/** A session that is about to come to this node. */
export interface Expectation {
  /** From now on its former node may have let it go. */
  begin(): void;
  /**
   * It is here, its subscriptions are added and it can be delivered to; or it does not come.
   *
   * @param entry - undefined when it does not come.
   */
  end(entry: Receiver | undefined): void;
}

/** Told whether a session has come. */
export type Arrived = (entry: Receiver | undefined) => void;

const NOBODY: readonly string[] = [];
/** For how long a message may come again: until a dead node has been judged and its inbox read, also where all are busy. */
const HAD = { messagesMin: REMEMBERED_MESSAGES, ageMs: 300_000, messagesMax: 524_288 };
/** About 10 ms of work. */
const FILTERS_LOOKED_AT = 50_000;
const MATCH_CACHE = { topicsMax: 50_000, bytesMax: 64 * 1024 * 1024 };
/** What a match takes in the cache apart from its topic, and what each receiver adds: mostly a reference. */
const MATCH_BYTES = 256;
const REFERENCE_BYTES = 8;
const SHARE_BYTES = 96;
/** What one more subscription of a session adds, for then the match has a target of its own. */
const OVERLAP_BYTES = 512;

/** Where messages go: the local subscriptions, the routes of other nodes, and the fan-out over both. */
export class Router implements Flushable {
  readonly routes = new RouteTable();
  readonly taps = new Taps();
  readonly local = new TopicTrie<Subscription>();
  readonly #cache = new MatchCache<Match>(MATCH_CACHE.topicsMax, {
    bytesMax: MATCH_CACHE.bytesMax,
    bytesOf: ({ bytes }) => bytes,
  });
  readonly #bus: ClusterBus;
  readonly #outbox: Outbox;
  readonly #turn: Turn;
  readonly #meter: Meter;
  readonly #log: Log;
  readonly #losses: Losses;
  readonly #nowMs: () => number;
  readonly shares: Shares;
  readonly #shareStrategy: ShareStrategy;
  readonly #counts = { plain: 0, wildcard: 0 };
  /** The filters of sessions that are about to come here; a session may be expected more than once. */
  readonly #expected = new TopicTrie<{ readonly clientId: string }>();
  /** Those of them that nobody may have at this moment, with what came for them, in its order. */
  readonly #arriving = new Map<string, Arrived[]>();
  /** Messages of QoS 2 that sessions in memory have had: nothing else would recognise those that come again. */
  readonly #had: MessageMemory;
  #changes: RouteChange[] = [];
  /** What changed and could not be written down: whoever asks whether it is known has it tried again, as it is then. */
  readonly #failed = new Set<string>();
  #announced: Promise<void> = Promise.resolve();
  #resolve: ((announcement: Promise<void>) => void) | undefined;
  #isSealed = false;

  constructor(parts: {
    readonly bus: ClusterBus;
    readonly outbox: Outbox;
    readonly turn: Turn;
    readonly meter: Meter;
    readonly log: Log;
    readonly losses: Losses;
    readonly nowMs: () => number;
    readonly shareStrategy: ShareStrategy;
  }) {
    this.#bus = parts.bus;
    this.#outbox = parts.outbox;
    this.#turn = parts.turn;
    this.#meter = parts.meter;
    this.#log = parts.log;
    this.#losses = parts.losses;
    this.#nowMs = parts.nowMs;
    this.#had = new MessageMemory(HAD, parts.nowMs);
    this.#shareStrategy = parts.shareStrategy;
    this.shares = new Shares({
      strategy: parts.shareStrategy,
      self: () => parts.bus.self,
      isAlive: (node) => parts.bus.isAlive(node),
      change: (change) => this.#change(change),
    });
  }

  /** Subscriptions by kind. */
  get counts(): Readonly<Record<'plain' | 'wildcard' | 'shared', number>> {
    return { ...this.#counts, shared: this.shares.size };
  }

  add(subscription: Subscription): void {
    if (isShared(subscription.filter)) return this.shares.add(subscription);
    const filter = plainFilter(subscription.filter);
    this.#counts[isWildcard(filter) ? 'wildcard' : 'plain'] += 1;
    if (!this.local.add(filter, subscription)) return;
    if (!this.#expected.has(filter)) this.#change({ kind: 'add', filter });
  }

  remove(subscription: Subscription): void {
    if (isShared(subscription.filter)) return this.shares.remove(subscription);
    const filter = plainFilter(subscription.filter);
    this.#counts[isWildcard(filter) ? 'wildcard' : 'plain'] -= 1;
    if (!this.local.remove(filter, subscription)) return;
    if (!this.#expected.has(filter)) this.#change({ kind: 'remove', filter });
  }

  /** The client of a session with these filters has connected or gone away. */
  presenceChanged(receiver: Receiver, filters: Iterable<string>): void {
    for (const filter of filters) if (isShared(filter)) this.shares.refresh(filter, receiver);
  }

  /**
   * Routes filters to this node before it has a subscription to them, for a session that is about to come: the others
   * see the new route before the old one ends, because all of them learn the changes in one order.
   */
  expect(clientId: string, filters: readonly string[]): Expectation {
    const plain = new Set(filters.filter((filter) => !isShared(filter)).map(plainFilter));
    const shared = filters.filter(isShared).map((filter) => this.shares.expect(filter));
    const expected = { clientId };
    for (const filter of plain) {
      const isFirst = this.#expected.add(filter, expected);
      if (isFirst && !this.local.has(filter)) this.#change({ kind: 'add', filter });
    }
    let hasBegun = false;
    return {
      begin: () => {
        if (!this.#arriving.has(clientId)) this.#arriving.set(clientId, []);
        hasBegun = true;
      },
      end: (entry) => {
        const waiting = (hasBegun && this.#arriving.get(clientId)) || [];
        if (hasBegun) this.#arriving.delete(clientId);
        for (const arrived of waiting) arrived(entry);
        for (const end of shared) end();
        for (const filter of plain) {
          const wasLast = this.#expected.remove(filter, expected);
          if (wasLast && !this.local.has(filter)) this.#change({ kind: 'remove', filter });
        }
      },
    };
  }

  /** The clients whose sessions want a topic and are changing hands at this moment: from another node to this one. */
  arrivingFor(topic: string): readonly string[] {
    if (this.#arriving.size === 0) return NOBODY;
    const expected: { readonly clientId: string }[] = [];
    this.#expected.match(topic, expected);
    const clientIds = new Set(expected.map(({ clientId }) => clientId));
    return [...clientIds].filter((clientId) => this.#arriving.has(clientId));
  }

  /**
   * Waits for a session that is changing hands: it gets what has come for it before all that comes later.
   *
   * @returns false when it is not.
   */
  awaitArrival(clientId: string, arrived: Arrived): boolean {
    const waiting = this.#arriving.get(clientId);
    waiting?.push(arrived);
    return waiting !== undefined;
  }

  /** Resolves when every live node knows the changes made up to now; rejects when that could not be seen to. */
  announced(): Promise<void> {
    for (const filter of this.#failed) {
      this.#changes.push({ kind: this.#isWanted(filter) ? 'add' : 'remove', filter });
      this.#turn.touch();
    }
    this.#failed.clear();
    if (this.#changes.length === 0) return this.#announced;
    if (this.#resolve === undefined) {
      this.#announced = new Promise((resolve) => {
        this.#resolve = resolve;
      });
    }
    return this.#announced;
  }

  flush(): void {
    if (this.#changes.length === 0) return;
    const changes = this.#changes;
    this.#changes = [];
    const announcement = this.#bus.announceRoutes(changes);
    if (this.#resolve === undefined) this.#announced = announcement;
    else this.#resolve(announcement);
    this.#resolve = undefined;
    const mine = this.#announced;
    // Those who waited are told of a failure; who asks later asks for what is new then.
    mine.catch((error: unknown) => {
      const isNew = !(error instanceof ClusterError && error.code === 'ROUTES_UNSURE');
      this.#log[isNew ? 'warn' : 'debug']('routes-unconfirmed', { reason: String(error) });
      if (!isRoutesLate(error)) for (const { filter } of changes) this.#failed.add(filter);
      if (this.#announced === mine) this.#announced = Promise.resolve();
    });
  }

  /** Announces nothing any more: the routes of a node that leaves stay until another has taken over what it leaves. */
  seal(): void {
    this.#isSealed = true;
  }

  /** The other nodes that a message on a topic goes to. */
  nodesFor(topic: string): readonly NodeRef[] {
    return this.#match(topic).nodes;
  }

  /** How many receivers this node knows for a topic: its own sessions, and other nodes and shared subscriptions counted as one each. */
  countReceivers(topic: string): number {
    const { targets, nodes, shares } = this.#match(topic);
    return targets.length + nodes.length + shares.length;
  }

  /**
   * Whether a session somewhere, connected or durable, may be subscribed to a topic that a filter matches.
   *
   * @remarks For a filter with wildcards so many filters of the cluster are looked at and no more; when they do not tell, the
   * answer is yes.
   */
  mayWant(filter: string): boolean {
    if (!isWildcard(filter)) return this.countReceivers(filter) > 0;
    let left = FILTERS_LOOKED_AT;
    for (const wanted of this.#filters()) {
      if (left === 0 || filtersMeet(wanted, filter)) return true;
      left -= 1;
    }
    return false;
  }

  /** What is wanted here and at other nodes, without share groups' names. */
  *#filters(): Generator<string, void, undefined> {
    yield* this.local.filters();
    yield* this.#expected.filters();
    yield* this.shares.filters();
    yield* this.routes.filters();
  }

  /** Serves every receiver of a message taken by this node; done when each obligation is met. */
  route(message: Message, done: PublishDone): void {
    if (this.taps.size > 0) this.taps.show(message);
    const match = this.#match(message.topic);
    const receivers = match.targets.length + match.nodes.length + match.shares.length;
    this.#meter.fanout(receivers);
    if (receivers === 0) {
      this.#losses.unwanted(message);
      return done();
    }
    const obligations = message.qos === 0 ? undefined : new Obligations(done);
    this.#deliver(
      message,
      { targets: match.targets, remote: false, obligations },
      this.#hasHad(message),
    );
    for (const node of match.nodes) {
      if (obligations === undefined) this.#outbox.live(node, message);
      else this.#outbox.durable(node, message, obligations);
    }
    for (const share of match.shares) this.#routeShare(message, share, obligations);
    if (obligations === undefined) done();
    else obligations.end();
  }

  /**
   * Gives a message to one member of a shared subscription, wherever one is.
   *
   * @param isPassedOn - another node has chosen this one: its own members come first.
   * @returns whether anybody is known to have members, or to be about to.
   */
  routeToGroup(
    message: Message,
    filter: string,
    to: { readonly isPassedOn: boolean; readonly obligations: Obligations | undefined },
  ): boolean {
    const local = this.shares.get(filter);
    const chosen = to.isPassedOn && local?.pick(message, this.#shareStrategy);
    if (chosen) {
      this.#deliverTo(chosen, new GroupPublish(message, true, filter), to.obligations);
      return true;
    }
    const remote = this.routes.places(filter);
    if (local === undefined && remote === undefined) return false;
    this.#routeShare(message, { filter, local, remote }, to.obligations);
    return true;
  }

  /** Serves the local receivers of a message that another node has sent here. */
  routeFromPeer(message: Message, obligations: Obligations | undefined): void {
    const { targets } = this.#match(message.topic);
    this.#deliver(message, { targets, remote: true, obligations }, this.#hasHad(message));
  }

  /**
   * Serves those local receivers of a message from a dead node's inbox that its publisher may have taken to be there: the
   * others have had it directly.
   */
  routeInherited(message: Message, obligations: Obligations): void {
    const targets = this.#match(message.topic).targets.filter(
      ({ entry }) => message.receivedAtMs <= entry.arrivedAtMs + MOVE_KNOWN_AFTER_MS,
    );
    this.#deliver(message, { targets, remote: true, obligations, isHeritage: true });
  }

  /** Serves the receivers at this node and no others: what it says is its own. Nobody waits for it. */
  routeHere(message: Message): void {
    const { targets, shares } = this.#match(message.topic);
    this.#deliver(message, { targets, remote: false, obligations: undefined });
    for (const { filter, local } of shares) {
      const target = local?.pick(message, this.#shareStrategy);
      if (target === undefined) continue;
      this.#deliverTo(target, new GroupPublish(message, false, filter), undefined);
    }
  }

  /** Serves one session only, if it is subscribed to the topic: a message that was passed on. */
  routeToSession(message: Message, entry: Receiver, obligations: Obligations): void {
    const targets = this.#match(message.topic).targets.filter((target) => target.entry === entry);
    this.#deliver(message, { targets, remote: true, obligations, isHeritage: true });
  }

  #deliver(
    message: Message,
    to: {
      readonly targets: readonly Target[];
      readonly remote: boolean;
      readonly obligations: Obligations | undefined;
      readonly isHeritage?: boolean;
    },
    isRepeat = false,
  ): void {
    if (to.targets.length === 0) return;
    const once = message.qos === 2;
    const shared = new SharedPublish(message, to.remote);
    const nowMs = this.#nowMs();
    for (const found of to.targets) {
      if (isRepeat && !found.entry.durable) continue;
      const isOwn = found.entry.clientId === message.publisher;
      const target = isOwn ? found.forOwnMessages() : found;
      if (target === undefined) {
        this.#meter.deliveryDropped('no_local', 1);
        continue;
      }
      const form = target.form(message.qos, message.retain);
      const { obligations, isHeritage = false } = to;
      const offer = { shared, form, message, obligations, once, isHeritage };
      target.entry.deliver(offer, nowMs);
    }
  }

  /** Whether a message that sessions in memory may get once only was routed here before. */
  #hasHad(message: Message): boolean {
    return message.qos === 2 && !this.#had.add(message);
  }

  #routeShare(message: Message, share: Share, obligations: Obligations | undefined): void {
    const { filter, local } = share;
    const chosen = this.shares.place(message, share);
    const target = chosen ? undefined : local?.pick(message, this.#shareStrategy);
    const isFull = target?.entry.backlog === FULL;
    const node = isFull ? this.shares.placeElsewhere(share) : chosen;
    if (node !== undefined) {
      if (obligations === undefined) this.#outbox.liveToGroup(node, filter, message);
      else this.#outbox.durableToGroup(node, { group: filter, message }, obligations);
      return;
    }
    if (target !== undefined) {
      return this.#deliverTo(target, new GroupPublish(message, false, filter), obligations);
    }
    if (obligations !== undefined && this.#awaitMember(message, filter, obligations)) return;
    this.#meter.groupDelivery('dropped');
    this.#losses.unwanted(message);
  }

  /** Keeps a message until a member that is changing nodes has come. Returns false when there is none. */
  #awaitMember(message: Message, filter: string, obligations: Obligations): boolean {
    const isAwaited = this.shares.awaitMember(filter, () => {
      this.routeToGroup(message, filter, { isPassedOn: true, obligations });
      obligations.end();
    });
    if (isAwaited) obligations.begin();
    return isAwaited;
  }

  #deliverTo(target: Target, shared: GroupPublish, obligations: Obligations | undefined): void {
    const { message } = shared;
    this.#meter.groupDelivery('delivered');
    const form = target.form(message.qos, message.retain);
    const once = message.qos === 2 && this.#isOnlyWay(message, target);
    target.entry.deliver({ shared, form, message, obligations, once }, this.#nowMs());
  }

  /** Whether a message reaches a member's session by one shared subscription alone: it comes once for each way. */
  #isOnlyWay({ topic }: Message, { entry }: Target): boolean {
    const { targets, shares } = this.#match(topic);
    return shares.length === 1 && !targets.some((target) => target.entry === entry);
  }

  #match(topic: string): Match {
    const version = this.local.version + this.routes.version + this.shares.version;
    const known = this.#cache.get(topic, version);
    if (known !== undefined) return known;
    const subscriptions: Subscription[] = [];
    this.local.match(topic, subscriptions);
    const bySession = new Map<Receiver, Target>();
    for (const subscription of subscriptions) {
      const { entry } = subscription;
      const others = bySession.get(entry);
      bySession.set(entry, others?.and(subscription) ?? targetOf(subscription));
    }
    const targets = [...bySession.values()];
    const nodes: NodeRef[] = [];
    this.routes.match(topic, nodes);
    const shares = this.#sharesOf(topic);
    const bytes =
      MATCH_BYTES +
      topic.length +
      (targets.length + nodes.length) * REFERENCE_BYTES +
      (subscriptions.length - targets.length) * OVERLAP_BYTES +
      shares.length * SHARE_BYTES;
    const made: Match = { targets, nodes, shares, bytes };
    this.#cache.set(topic, version, made);
    return made;
  }

  #sharesOf(topic: string): readonly Share[] {
    const groups: ShareGroup[] = [];
    this.shares.match(topic, groups);
    const elsewhere: SharePlaces[] = [];
    this.routes.matchShared(topic, elsewhere);
    const remotes = new Map(elsewhere.map((remote) => [remote.filter, remote]));
    const shares: Share[] = [];
    for (const local of groups) {
      const { filter } = local;
      shares.push({ filter, local, remote: remotes.get(filter) });
      remotes.delete(filter);
    }
    for (const remote of remotes.values()) {
      shares.push({ filter: remote.filter, local: undefined, remote });
    }
    return shares;
  }

  /** Whether a route has to be there, by what it is announced as; those of a node that leaves stay. */
  #isWanted(route: string): boolean {
    if (this.#isSealed) return true;
    return this.local.has(route) || this.#expected.has(route) || this.shares.hasRoute(route);
  }

  #change(change: RouteChange): void {
    if (this.#isSealed) return;
    this.#changes.push(change);
    this.#turn.touch();
  }
}

/** Whether routes are written down but not yet applied by every node: those that are late apply them when they go on. */
export function isRoutesLate(error: unknown): boolean {
  const code = error instanceof ClusterError ? error.code : undefined;
  return code === 'ROUTES_LATE' || code === 'ROUTES_UNSURE';
}
