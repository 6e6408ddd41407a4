import type {
  FormerWill,
  Message,
  NodeRef,
  SessionRecord,
  SessionRestore,
  SessionRestored,
  StoredSubscription,
  StoredWill,
  TakeRequest,
} from '#libs/broker-ports';
import { StoreUnavailableError } from '#libs/broker-ports';
import { isSameNode } from '#libs/cluster';
import { REASON } from '#libs/mqtt-codec';
import type { StoredState } from '#libs/mqtt-engine';
import { DoubtfulSessions } from './doubtful-sessions.ts';
import type { Exclusives } from './exclusives.ts';
import { LeftMessages } from './left-messages.ts';
import { KeyedLock } from './keyed-lock.ts';
import { Obligations } from './obligations.ts';
import { OrderedTexts } from './ordered-texts.ts';
import type { NodeParts } from './parts.ts';
import type { Router } from './router.ts';
import { SessionEntry, type SessionHost } from './session-entry.ts';
import { makeSession, restoreRefusal } from './session-restorer.ts';
import { ForeignSessionError, SessionTaker, type Connecting } from './session-taker.ts';
import type { SessionWriter } from './session-writer.ts';
import { leftWillOf, pendingWillOf } from './wills.ts';

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

/** What became of a session that was to be restored; the session, if it was made. */
interface Restored {
  readonly result: SessionRestored;
  readonly entry?: SessionEntry | undefined;
}

const NEVER = 0xffff_ffff;

/** The sessions of this node and their ownership. */
export class Sessions {
  readonly #entries = new Map<string, SessionEntry>();
  readonly #ids = new OrderedTexts();
  readonly #locks = new KeyedLock();
  /** Clients without a session here that are taking one: each counts as a session already. */
  readonly #coming = new Set<string>();
  readonly #doubts = new DoubtfulSessions();
  readonly #taker: SessionTaker;
  readonly #parts: NodeParts;
  readonly #router: Router;
  readonly #writer: SessionWriter;
  readonly #exclusives: Exclusives;
  readonly #left: LeftMessages;
  readonly #host: SessionHost;
  readonly #gaveUp: (record: SessionRecord) => void;
  #isLeaving = false;

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
    this.#taker = new SessionTaker(parts, { router: own.router, doubts: this.#doubts });
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

  /** The ids of the clients that have sessions here, in order. */
  get ids(): Pick<OrderedTexts, 'after' | 'before'> {
    return this.#ids;
  }

  /**
   * Takes the session of a connecting client, from whoever has it: another connection of this node, another node,
   * a dead node, or nobody.
   *
   * @param join - connects the session; whoever takes it next finds it connected.
   *
   * @throws StoreUnavailableError when the store does not answer, or ownership could not be settled.
   * @throws ForeignSessionError when it is another user's: whoever has it notices nothing.
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

  /** The node leaves: nothing waits any more for news of a session. */
  leave(): void {
    this.#isLeaving = true;
    for (const entry of this.#entries.values()) entry.waitNoMore();
    this.#doubts.close();
  }

  /** Takes an offline session of a dead node. Returns the owner when somebody else already has it. */
  inherit(clientId: string, dead: NodeRef): Promise<NodeRef | undefined> {
    return this.#locks.run(clientId, async () => {
      const { self } = this.#parts.bus;
      // A take for the client that has failed may have been carried out, and only this node knows of the will before it.
      if (this.#doubts.hasFailed(clientId)) await this.#reclaim(clientId);
      const existing = this.#entries.get(clientId);
      if (existing !== undefined) {
        const record = await this.#parts.sessions.load(clientId);
        // Its client has come here meanwhile: another take would part it from its store.
        if (record !== undefined && isSameNode(record.owner, self)) return self;
        this.drop(existing);
      }
      const request = this.#offline(clientId);
      let result = await this.#parts.sessions.take(request);
      if (result.kind === 'owned') {
        if (!isSameNode(result.owner, dead)) return result.owner;
        result = await this.#parts.sessions.take({ ...request, replacesEpoch: result.epoch });
      }
      if (result.kind === 'owned') return result.owner;
      if (result.kind === 'taken') {
        const entry = this.#adopt(result.record, result.formerWill);
        if (!this.#isLeaving) entry?.awaitHeritage();
      }
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
      if (this.#doubts.hasFailed(clientId)) await this.#reclaim(clientId);
      const entry = this.#entries.get(clientId);
      if (entry === undefined) return;
      entry.connection?.close(REASON.sessionTakenOver, 'the client connected at another node');
      const isCaughtUp = entry.durable && (await own.caughtUp(entry));
      await this.#writer.idle();
      if (entry.isGone) return;
      own.leaving(entry, isCaughtUp);
      // Until it is known that the other node has the session, what is for it comes here, too.
      const kept = this.#router.expect(
        clientId,
        entry.durable ? [...entry.subscriptions.keys()] : [],
      );
      this.drop(entry);
      this.#doubts.released(entry, kept);
    });
  }

  /**
   * Makes a session of a backup: this node takes it as that of a client who is not here, under an epoch of its own.
   *
   * @returns the session too, if it was made.
   */
  async restore(restore: SessionRestore): Promise<Restored> {
    const { clientId } = restore.draft;
    const restored = await this.#locks.run(clientId, async (): Promise<Restored> => {
      const record = await this.#reclaim(clientId);
      const entry = this.#entries.get(clientId);
      const refusal = restoreRefusal(restore, { entry, record }, this.#parts);
      if (refusal !== undefined) return { result: refusal };
      if (this.isFullFor(clientId)) return { result: { kind: 'full' } };
      this.#coming.add(clientId);
      try {
        if (entry !== undefined) this.end(entry, 'discarded');
        const { result, record: made } = await makeSession(restore, this.#parts);
        return { result, entry: made && this.#adopt(made, undefined) };
      } catch (error) {
        // The store may have given it to this node: what is left of it is adopted, or found to be gone.
        this.#doubts.failed(clientId);
        throw error;
      } finally {
        this.#coming.delete(clientId);
      }
    });
    if (restored.entry === undefined) return restored;
    this.#parts.meter.sessionEvent('created');
    await this.#taker.announced().catch(() => undefined);
    return restored;
  }

  /** Whether it is not known yet who has a session that this node has let go, or tried to take. */
  isDoubtful(clientId: string): boolean {
    return this.#doubts.has(clientId);
  }

  /** Whether this node has a client's session, or may be about to. */
  mayHave(clientId: string): boolean {
    const isOpen = this.#locks.isHeld(clientId) || this.#doubts.has(clientId);
    return isOpen || this.#entries.has(clientId);
  }

  /** Another node has taken a session. Returns false when that is not news of one that this node has let go. */
  taken(clientId: string, epoch: number): boolean {
    return this.#doubts.taken(clientId, epoch);
  }

  /** Forgets a session here; what is stored of it stays. */
  drop(entry: SessionEntry): void {
    entry.isGone = true;
    if (this.#entries.get(entry.clientId) === entry) {
      this.#entries.delete(entry.clientId);
      this.#ids.delete(entry.clientId);
    }
    for (const subscription of entry.subscriptions.values()) this.#router.remove(subscription);
    entry.subscriptions.clear();
    entry.session.detach();
    entry.waitNoMore();
  }

  /** Ends a session here; its record goes when its will has been published. */
  end(entry: SessionEntry, event: 'discarded' | 'expired'): void {
    this.#exclusives.releaseAll(entry);
    this.drop(entry);
    this.#parts.meter.sessionEvent(event);
  }

  async #acquire(connecting: Connecting): Promise<Acquired> {
    const { terms } = connecting;
    // What a take that has failed may have left here comes first.
    if (this.#doubts.hasFailed(terms.clientId)) await this.#reclaim(terms.clientId);
    const startedAtMs = this.#parts.nowMs();
    const existing = this.#entries.get(terms.clientId);
    if (existing !== undefined && isForeign(existing, connecting, startedAtMs)) {
      throw new ForeignSessionError();
    }
    if (existing?.connection !== undefined) {
      existing.connection.close(REASON.sessionTakenOver, 'the client connected again');
      this.#parts.meter.sessionEvent('taken_over');
      const seconds = (this.#parts.nowMs() - startedAtMs) / 1000;
      this.#parts.meter.takeoverDuration('local', seconds);
    }
    existing?.suspend();
    // Writes of the old epoch go first: after the take they would be refused.
    this.#writer.flush();
    const taken = await this.#taker.take(connecting).catch((error: unknown) => {
      // The store may have given it to this node under a new epoch: what waits to be written goes on when that is known.
      this.#settle(terms.clientId);
      throw error;
    });
    const { record, sessionPresent, expected } = taken;
    const left = sessionPresent ? await this.#leftFor(record, taken.orphanOf) : [];
    // A session that comes from elsewhere has changed there, and its will went with it.
    const here = expected === undefined ? existing : undefined;
    if (existing !== undefined && here === undefined) this.drop(existing);
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
    if (sessionPresent) await this.#taker.announced().catch(() => undefined);
    if (entry.isGone) throw new StoreUnavailableError('the session went on to another node');
    const stored = entry.durable ? record : undefined;
    const nowMs = this.#parts.nowMs();
    const leftWill = here && leftWillOf(here, entry, nowMs);
    const formerWill = leftWill ?? taken.formerWill?.will;
    const isWillDue = here ? leftWill !== undefined : taken.isWillDue;
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
    const hasFailed = this.#doubts.hasFailed(clientId);
    if (entry === undefined && (isOwn || (record === undefined && hasFailed))) {
      entry = await this.#regain(clientId, record);
      if (entry !== undefined) entry.hasPublished = true;
    } else if (isOwn && entry !== undefined && entry.epoch < record.epoch) {
      entry = this.#renew(entry, record);
    }
    entry?.goOn();
    if (record !== undefined && !isOwn && hasFailed) this.#gaveUp(record);
    this.#doubts.settled(clientId, isOwn ? entry : undefined);
    return record;
  }

  /**
   * The store has given a session to this node, or nobody has taken it from there.
   *
   * @param record - undefined when there is none, or it is over and may have left a will.
   */
  async #regain(
    clientId: string,
    record: SessionRecord | undefined,
  ): Promise<SessionEntry | undefined> {
    const isTaken = record?.connected === true || !this.#doubts.hasFailed(clientId);
    if (record !== undefined && isTaken) return this.#adopt(record, this.#doubts.willOf(record));
    // If there is a will, the store has it.
    const result = await this.#parts.sessions.take(this.#offline(clientId));
    if (result.kind === 'taken') return this.#adopt(result.record, result.formerWill);
    if (record === undefined || result.kind === 'absent') return undefined;
    throw new StoreUnavailableError('the session went on to another node');
  }

  /** The store has given a session that is here to this node once more, for a client that does not know it. */
  #renew(entry: SessionEntry, record: SessionRecord): SessionEntry | undefined {
    const { connection, createdAtMs, will } = entry;
    if (connection === undefined && createdAtMs !== record.createdAtMs) {
      // It has begun anew.
      this.#exclusives.releaseAll(entry);
      this.drop(entry);
      return this.#adopt(record, will);
    }
    entry.resume(record);
    if (connection === undefined) this.#keepOffline(entry, record);
    return entry;
  }

  /** Asks for a session whose client is away. */
  #offline(clientId: string): TakeRequest {
    return {
      clientId,
      node: this.#parts.bus.self,
      nowMs: this.#parts.nowMs(),
      cleanStart: false,
      durable: true,
      expiryIntervalSeconds: 0,
      connected: false,
    };
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
    this.#ids.add(record.clientId);
    this.#coming.delete(record.clientId);
    if (sessionPresent) this.#index(entry, record.subscriptions);
    return entry;
  }

  /** Keeps an offline session until its client comes or it expires. */
  #adopt(record: SessionRecord, formerWill: FormerWill | undefined): SessionEntry | undefined {
    if (this.#entries.has(record.clientId)) return undefined;
    const entry = new SessionEntry(record.clientId, this.#host);
    this.#entries.set(record.clientId, entry);
    this.#ids.add(record.clientId);
    const nowMs = this.#parts.nowMs();
    entry.arrived(nowMs);
    entry.resume(record);
    this.#index(entry, record.subscriptions);
    entry.will = formerWill && pendingWillOf(formerWill, nowMs);
    this.#keepOffline(entry, record, !record.connected && formerWill?.dueAtMs !== 0);
    return entry;
  }

  /** @param isNoted - whether the store knows when the session ends, and which will is due when. */
  #keepOffline(entry: SessionEntry, record: SessionRecord, isNoted = false): void {
    const nowMs = this.#parts.nowMs();
    const { durable, connected, expiryIntervalSeconds } = record;
    entry.disconnectedAtMs = nowMs;
    entry.expiresAtMs = record.expiresAtMs === 0 ? Infinity : record.expiresAtMs;
    // It was taken for a client that does not know it.
    if (connected) entry.expiresAtMs = expiryOf(nowMs, expiryIntervalSeconds);
    // One that ended with its connection: the sweep publishes its will, and discards it.
    if (!durable) entry.expiresAtMs = nowMs;
    if (isNoted) return;
    // From now on it is known to whoever has it then.
    entry.write({
      kind: 'disconnect',
      nowMs,
      expiryIntervalSeconds,
      ...(entry.will && { willDueAtMs: entry.will.dueAtMs }),
      ...(entry.will && connected && { will: entry.will.will }),
    });
  }

  #index(entry: SessionEntry, subscriptions: readonly StoredSubscription[]): void {
    for (const stored of subscriptions) {
      const subscription = { ...stored, entry };
      entry.subscriptions.set(stored.filter, subscription);
      this.#router.add(subscription);
    }
  }
}

/** Whether a session that is not over is another user's. */
function isForeign(entry: SessionEntry, { user }: Connecting, nowMs: number): boolean {
  if (user === undefined || entry.user === undefined || entry.user === user) return false;
  return entry.connection !== undefined || entry.expiresAtMs > nowMs;
}

/** When a session ends that loses its connection now; Infinity for never. */
export function expiryOf(nowMs: number, expirySeconds: number): number {
  return expirySeconds === NEVER ? Infinity : nowMs + expirySeconds * 1000;
}
