import type {
  FormerWill,
  Message,
  NodeRef,
  SessionRecord,
  StoredSubscription,
  StoredWill,
  TakeRequest,
  TakeResult,
} from '#libs/broker-ports';
import { StoreUnavailableError } from '#libs/broker-ports';
import { isSameNode } from '#libs/cluster';
import { REASON } from '#libs/mqtt-codec';
import type { ConnectionTerms, StoredState } from '#libs/mqtt-engine';
import { isShared } from '#libs/topic-index';
import { DoubtfulSessions } from './doubtful-sessions.ts';
import type { Exclusives } from './exclusives.ts';
import { encodeFrame } from './frame.ts';
import { LeftMessages } from './left-messages.ts';
import { KeyedLock } from './keyed-lock.ts';
import { Obligations } from './obligations.ts';
import type { NodeParts } from './parts.ts';
import { isRoutesLate, type Expectation, type Router } from './router.ts';
import { SessionEntry } from './session-entry.ts';
import type { SessionHost } from './session-entry.ts';
import type { SessionWriter } from './session-writer.ts';
import { leftWillOf, pendingWillOf, willAtTake } from './wills.ts';

/** What a connecting client brings. */
export interface Connecting {
  readonly terms: ConnectionTerms;
  readonly will: StoredWill | undefined;
  /** Whether it is still there: a session is not taken for one that has gone while others were served. */
  readonly isOpen: () => boolean;
}

/** A session taken for a connection. */
export interface Acquired {
  readonly entry: SessionEntry;
  readonly sessionPresent: boolean;
  readonly stored: StoredState | undefined;
  /** What there was of the will of an earlier connection. */
  readonly formerWill: StoredWill | undefined;
  /** Whether it is due by this. */
  readonly isWillDue: boolean;
}

interface Taken {
  readonly record: SessionRecord;
  readonly sessionPresent: boolean;
  /** To be ended when the session can be delivered to. */
  readonly expected: Expectation | undefined;
  /** What there was of a will. */
  readonly formerWill?: FormerWill;
  /** Whether no other node publishes it, and the new connection does not cancel it. */
  readonly isWillDue: boolean;
  /** The former owner, if it has not let the session go by itself. */
  readonly orphanOf: NodeRef | undefined;
}

const TAKE_TRIES = 5;
const NEVER = 0xffff_ffff;

/** The sessions of this node and their ownership. */
export class Sessions {
  readonly #entries = new Map<string, SessionEntry>();
  readonly #locks = new KeyedLock();
  /** Clients without a session here that are taking one: each counts as a session already. */
  readonly #coming = new Set<string>();
  readonly #doubts = new DoubtfulSessions();
  readonly #parts: NodeParts;
  readonly #router: Router;
  readonly #writer: SessionWriter;
  readonly #exclusives: Exclusives;
  readonly #left: LeftMessages;
  readonly #host: SessionHost;
  readonly #gaveUp: (record: SessionRecord) => void;

  constructor(
    parts: NodeParts,
    own: {
      readonly router: Router;
      readonly writer: SessionWriter;
      readonly exclusives: Exclusives;
      readonly host: SessionHost;
      /** A take has failed, and another node has the session: publishers have routed to this one for a while. */
      readonly gaveUp: (record: SessionRecord) => void;
    },
  ) {
    this.#parts = parts;
    this.#router = own.router;
    this.#writer = own.writer;
    this.#exclusives = own.exclusives;
    this.#left = new LeftMessages(parts);
    this.#host = own.host;
    this.#gaveUp = own.gaveUp;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether a session for this client would be one too many. */
  isFullFor(clientId: string): boolean {
    if (this.#entries.has(clientId) || this.#coming.has(clientId)) return false;
    return this.size + this.#coming.size >= this.#parts.limits.sessionsMax;
  }

  get(clientId: string): SessionEntry | undefined {
    return this.#entries.get(clientId);
  }

  all(): IterableIterator<SessionEntry> {
    return this.#entries.values();
  }

  /**
   * Takes the session of a connecting client, from whoever has it: another connection of this node, another node,
   * a dead node, or nobody.
   *
   * @param join - connects the session; whoever takes it next finds it connected.
   *
   * @throws StoreUnavailableError when the store does not answer, or ownership could not be settled.
   */
  async acquire(connecting: Connecting, join: (acquired: Acquired) => void): Promise<void> {
    const { clientId } = connecting.terms;
    if (!this.#entries.has(clientId)) this.#coming.add(clientId);
    try {
      const waits = this.#locks.isHeld(clientId);
      await this.#locks.run(clientId, async () => {
        if (!waits || connecting.isOpen()) join(await this.#acquire(connecting));
      });
    } finally {
      this.#coming.delete(clientId);
    }
  }

  /** A client's session at this node, once a move under way here has ended: it may be about to come, or to go. */
  settled(clientId: string): Promise<SessionEntry | undefined> {
    return this.#locks.run(clientId, async () => this.#entries.get(clientId));
  }

  /** Who has a client's session, once a take under way here has ended. */
  find(clientId: string): Promise<{
    readonly record: SessionRecord | undefined;
    readonly entry: SessionEntry | undefined;
  }> {
    return this.#locks.run(clientId, async () => {
      const record = await this.#reclaim(clientId);
      return { record, entry: this.#entries.get(clientId) };
    });
  }

  /** Looks after sessions of which it is not known who has them; called by the sweep. */
  retry(): void {
    this.#left.sweep();
    for (const clientId of this.#doubts.due()) this.#settle(clientId);
  }

  /** Takes an offline session of a dead node. Returns the owner when somebody else already has it. */
  inherit(clientId: string, dead: NodeRef): Promise<NodeRef | undefined> {
    return this.#locks.run(clientId, async () => {
      const { self } = this.#parts.bus;
      const existing = this.#entries.get(clientId);
      if (existing !== undefined) {
        const record = await this.#parts.sessions.load(clientId);
        // Its client has come here meanwhile: another take would part it from its store.
        if (record !== undefined && isSameNode(record.owner, self)) return self;
        this.drop(existing);
      }
      const request = {
        clientId,
        node: self,
        nowMs: this.#parts.nowMs(),
        cleanStart: false,
        durable: true,
        expiryIntervalSeconds: 0,
        connected: false,
      };
      let result = await this.#parts.sessions.take(request);
      if (result.kind === 'owned') {
        if (!isSameNode(result.owner, dead)) return result.owner;
        result = await this.#parts.sessions.take({ ...request, replacesEpoch: result.epoch });
      }
      if (result.kind === 'owned') return result.owner;
      if (result.kind === 'taken') this.#adopt(result.record, result.formerWill)?.awaitHeritage();
      return undefined;
    });
  }

  /**
   * Gives a session up to another node: its connection ends, its writes are finished. Should that node not take it, this
   * one soon has it again.
   *
   * @param own - `caughtUp` resolves when what is in the inbox by now has come, or the session has gone; `leaving` is called before the session is
   * dropped, with whether it has.
   */
  release(
    clientId: string,
    own: {
      readonly caughtUp: (entry: SessionEntry) => Promise<boolean>;
      readonly leaving: (entry: SessionEntry, isCaughtUp: boolean) => void;
    },
  ): Promise<void> {
    return this.#locks.run(clientId, async () => {
      const entry = this.#entries.get(clientId);
      if (entry === undefined) return;
      entry.connection?.close(REASON.sessionTakenOver, 'the client connected at another node');
      const isCaughtUp = entry.durable && (await own.caughtUp(entry));
      await this.#writer.idle();
      if (entry.isGone) return;
      own.leaving(entry, isCaughtUp);
      // Until it is known that the other node has the session, what is for it comes here, too.
      const filters = [...entry.subscriptions.keys()].filter((filter) => !isShared(filter));
      const kept = this.#router.expect(clientId, entry.durable ? filters : []);
      this.drop(entry);
      this.#doubts.released(entry, kept);
    });
  }

  /** Whether it is not known yet who has a session that this node has let go, or tried to take. */
  isDoubtful(clientId: string): boolean {
    return this.#doubts.has(clientId);
  }

  /** Another node has taken a session. Returns false when that is not news of one that this node has let go. */
  taken(clientId: string, epoch: number): boolean {
    return this.#doubts.taken(clientId, epoch);
  }

  /** Forgets a session here; what is stored of it stays. */
  drop(entry: SessionEntry): void {
    entry.isGone = true;
    if (this.#entries.get(entry.clientId) === entry) this.#entries.delete(entry.clientId);
    for (const subscription of entry.subscriptions.values()) this.#router.remove(subscription);
    entry.subscriptions.clear();
    entry.session.detach();
    entry.endHeritage();
    entry.goOn();
  }

  /** Ends a session here; its record goes when its will has been published. */
  end(entry: SessionEntry, event: 'discarded' | 'expired'): void {
    this.#exclusives.releaseAll(entry);
    this.drop(entry);
    this.#parts.meter.sessionEvent(event);
  }

  async #acquire(connecting: Connecting): Promise<Acquired> {
    const { terms } = connecting;
    const startedAtMs = this.#parts.nowMs();
    const existing = this.#entries.get(terms.clientId);
    if (existing?.connection !== undefined) {
      existing.connection.close(REASON.sessionTakenOver, 'the client connected again');
      this.#parts.meter.sessionEvent('taken_over');
      const seconds = (this.#parts.nowMs() - startedAtMs) / 1000;
      this.#parts.meter.takeoverDuration('local', seconds);
    }
    existing?.suspend();
    // Writes of the old epoch go first: after the take they would be refused.
    this.#writer.flush();
    const taken = await this.#take(connecting).catch((error: unknown) => {
      // The store may have given it to this node under a new epoch: what waits to be written goes on when that is known.
      this.#doubts.failed(terms.clientId);
      this.#settle(terms.clientId);
      throw error;
    });
    const { record, sessionPresent, expected } = taken;
    const left = sessionPresent ? await this.#leftFor(record, taken.orphanOf) : [];
    // A session that comes from elsewhere has changed there.
    if (existing !== undefined && expected !== undefined) this.drop(existing);
    const entry = this.#entry(existing, record, sessionPresent);
    if (entry !== existing && sessionPresent) entry.arrived(this.#parts.nowMs());
    entry.resume(record);
    // What an earlier connection has left in the store is served from there, even if nothing is to be kept from now on.
    entry.durable = record.durable || sessionPresent;
    for (const message of left) {
      this.#router.routeToSession(message, entry, new Obligations(() => undefined));
    }
    expected?.end(entry);
    this.#doubts.settled(terms.clientId, entry);
    entry.expirySeconds = terms.sessionExpirySeconds;
    entry.expiresAtMs = Infinity;
    this.#parts.meter.sessionEvent(sessionPresent ? 'resumed' : 'created');
    if (sessionPresent) await this.#announced().catch(() => undefined);
    if (entry.isGone) throw new StoreUnavailableError('the session went on to another node');
    const stored = entry.durable ? record : undefined;
    const nowMs = this.#parts.nowMs();
    const leftWill = existing && leftWillOf(existing, entry, nowMs);
    const formerWill = leftWill ?? taken.formerWill?.will;
    const isWillDue = existing ? leftWill !== undefined : taken.isWillDue;
    return { entry, sessionPresent, stored, formerWill, isWillDue };
  }

  /** What lies in a silent owner's inbox for a session: its heir will pass it on, but later than what comes directly. */
  async #leftFor(record: SessionRecord, owner: NodeRef | undefined): Promise<readonly Message[]> {
    if (owner === undefined) return [];
    try {
      return await this.#left.for(owner, record);
    } catch (error) {
      this.#parts.log.warn('inbox-unread', { node: owner.nodeId, reason: String(error) });
      return [];
    }
  }

  /**
   * Waits until the others route to a session that comes here. A client is not refused for a node that is late: the
   * routes are written down, and it applies them when it goes on.
   *
   * @returns whether all of them do.
   * @throws StoreUnavailableError when they could not be written down.
   */
  async #announced(): Promise<boolean> {
    try {
      await this.#router.announced();
      return true;
    } catch (error) {
      if (!isRoutesLate(error)) throw error;
      return false;
    }
  }

  /** Ends a doubt; while the store is away, the sweep tries again. */
  #settle(clientId: string): void {
    this.#locks
      .run(clientId, () => this.#reclaim(clientId))
      .catch(() => this.#doubts.unsettled(clientId));
  }

  /** Reads who owns a session. One that the store has given to this node without this node's knowledge is adopted. */
  async #reclaim(clientId: string): Promise<SessionRecord | undefined> {
    // What a session that was dropped here has written under the same epoch counts.
    this.#writer.flush();
    const record = await this.#parts.sessions.load(clientId);
    const isOwn = record !== undefined && isSameNode(record.owner, this.#parts.bus.self);
    let entry = this.#entries.get(clientId);
    if (isOwn && entry === undefined) entry = this.#adopt(record, this.#doubts.willOf(record));
    else if (isOwn && entry !== undefined && entry.epoch < record.epoch) entry.resume(record);
    entry?.goOn();
    if (record !== undefined && !isOwn && this.#doubts.hasFailed(clientId)) this.#gaveUp(record);
    this.#doubts.settled(clientId, isOwn ? entry : undefined);
    return record;
  }

  /** A session that begins anew leaves nothing of the one before it. */
  #entry(
    existing: SessionEntry | undefined,
    record: SessionRecord,
    sessionPresent: boolean,
  ): SessionEntry {
    if (existing !== undefined && this.#entries.get(existing.clientId) === existing) {
      if (sessionPresent) return existing;
      this.#exclusives.releaseAll(existing);
      this.drop(existing);
    }
    const entry = new SessionEntry(record.clientId, this.#host);
    this.#entries.set(record.clientId, entry);
    this.#coming.delete(record.clientId);
    if (sessionPresent) this.#index(entry, record.subscriptions);
    return entry;
  }

  async #take({ terms, will }: Connecting): Promise<Taken> {
    const { bus, sessions } = this.#parts;
    let request: TakeRequest = {
      clientId: terms.clientId,
      node: bus.self,
      nowMs: this.#parts.nowMs(),
      cleanStart: terms.cleanStart,
      durable: terms.durable,
      expiryIntervalSeconds: terms.sessionExpirySeconds,
      connected: true,
      ...(will && { will }),
    };
    let expected: (Expectation & { readonly isRouted: boolean }) | undefined;
    let orphanOf: NodeRef | undefined;
    const asked: NodeRef[] = [];
    try {
      for (let tries = 0; tries < TAKE_TRIES; tries += 1) {
        const result: TakeResult = await sessions.take(request);
        if (result.kind === 'taken') {
          for (const node of asked) this.#tellTaken(node, result.record);
          const willIs = willAtTake(result, orphanOf !== undefined, this.#parts.nowMs());
          if (willIs === 'cancelled') this.#parts.meter.will('cancelled');
          return { ...result, expected, isWillDue: willIs === 'due', orphanOf };
        }
        if (result.kind === 'absent') break;
        if (!bus.isAlive(bus.self)) throw new StoreUnavailableError('the lease is in doubt');
        expected ??= await this.#expect(terms);
        expected.begin();
        const isReleased = await this.#askForRelease(terms.clientId, result, expected.isRouted);
        const isAlive = bus.isAlive(result.owner);
        asked.push(result.owner);
        orphanOf = isReleased && isAlive ? undefined : result.owner;
        request = { ...request, nowMs: this.#parts.nowMs(), replacesEpoch: result.epoch };
      }
      throw new StoreUnavailableError('the session changes hands too often');
    } catch (error) {
      // Its owner may have let it go, and this node is the one that is routed to.
      if (expected !== undefined) this.#doubts.failed(terms.clientId, expected);
      throw error;
    }
  }

  /** Has the others route to this node, too, before the former owner stops to be routed to. */
  async #expect({
    clientId,
    cleanStart,
  }: ConnectionTerms): Promise<Expectation & { readonly isRouted: boolean }> {
    const record = cleanStart ? undefined : await this.#parts.sessions.load(clientId);
    const filters = record?.subscriptions.map(({ filter }) => filter) ?? [];
    const expected = this.#router.expect(clientId, filters);
    try {
      const isRouted = filters.length === 0 || (await this.#announced());
      return { ...expected, isRouted };
    } catch (error) {
      expected.end(undefined);
      throw error;
    }
  }

  /** An owner that does not answer is fenced: its later writes carry an old epoch. Resolves with whether it has answered. */
  async #askForRelease(
    clientId: string,
    { owner, epoch }: { readonly owner: NodeRef; readonly epoch: number },
    isRouted: boolean,
  ): Promise<boolean> {
    const { bus, log, meter } = this.#parts;
    if (!bus.isAlive(owner)) return true;
    const startedAtMs = this.#parts.nowMs();
    let isReleased = true;
    try {
      await bus.request(owner.nodeId, { kind: 'release-session', clientId, epoch, isRouted });
    } catch (error) {
      isReleased = false;
      log.warn('session-release-unanswered', { owner: owner.nodeId, reason: String(error) });
    }
    meter.sessionEvent('taken_over');
    meter.takeoverDuration('remote', (this.#parts.nowMs() - startedAtMs) / 1000);
    return isReleased;
  }

  /**
   * A former owner that did not answer lets its connection go then; one that did is not routed to any more. One that is not
   * alive may only have been away for longer than its lease, and goes on unless another node has claimed it meanwhile.
   */
  #tellTaken(owner: NodeRef, { clientId, epoch }: SessionRecord): void {
    const { bus, log } = this.#parts;
    const frame = encodeFrame({ kind: 'taken', clientId, epoch });
    bus.sendDurable(owner, frame).catch((error: unknown) => {
      if (!bus.isAlive(owner)) return;
      log.warn('session-taken-untold', { owner: owner.nodeId, reason: String(error) });
    });
  }

  /** Keeps an offline session until its client comes or it expires. */
  #adopt(record: SessionRecord, formerWill: FormerWill | undefined): SessionEntry | undefined {
    if (this.#entries.has(record.clientId)) return undefined;
    const entry = new SessionEntry(record.clientId, this.#host);
    this.#entries.set(record.clientId, entry);
    const nowMs = this.#parts.nowMs();
    entry.arrived(nowMs);
    entry.resume(record);
    this.#index(entry, record.subscriptions);
    entry.disconnectedAtMs = nowMs;
    entry.will = formerWill && pendingWillOf(formerWill, nowMs);
    if (!record.durable) {
      // The sweep publishes its will, and discards it.
      entry.expiresAtMs = nowMs;
      return entry;
    }
    const { expiryIntervalSeconds, connected } = record;
    entry.expiresAtMs = record.expiresAtMs === 0 ? Infinity : record.expiresAtMs;
    // It was taken for a client that does not know it.
    if (connected) entry.expiresAtMs = expiryOf(nowMs, expiryIntervalSeconds);
    else if (formerWill?.dueAtMs !== 0) return entry;
    // From now on it is known when it ends, and when its will is due, whoever has it then.
    entry.write({
      kind: 'disconnect',
      nowMs,
      expiryIntervalSeconds,
      ...(entry.will && { willDueAtMs: entry.will.dueAtMs }),
    });
    return entry;
  }

  #index(entry: SessionEntry, subscriptions: readonly StoredSubscription[]): void {
    for (const stored of subscriptions) {
      const subscription = { ...stored, entry };
      entry.subscriptions.set(stored.filter, subscription);
      this.#router.add(subscription);
    }
  }
}

/** When a session ends that loses its connection now; Infinity for never. */
export function expiryOf(nowMs: number, expirySeconds: number): number {
  return expirySeconds === NEVER ? Infinity : nowMs + expirySeconds * 1000;
}
