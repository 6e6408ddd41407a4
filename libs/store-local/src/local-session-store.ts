import type {
  NodeRef,
  QueuedMessage,
  QueuePosition,
  SessionOperation,
  SessionRecord,
  SessionStore,
  SessionWriteOutcome,
  TakeRequest,
  TakeResult,
} from '#libs/broker-ports';
import type { Journal } from './journal.ts';
import { expiryOf, LocalSession, SessionTables, type SessionHead } from './local-session.ts';
import { MessageKeeper } from './message-keeper.ts';
import type { LocalStoreOptions } from './local-store-options.ts';

/** An incarnation with the client ids of the sessions it owns. */
interface OwnerEntry {
  readonly owner: NodeRef;
  readonly clientIds: Set<string>;
}

/**
 * The sessions of a single node: all in memory, and in a journal when they are to survive the process.
 *
 * @remarks Calls change the memory at once, in their order, and resolve when the journal has it on disk. When that fails they
 * reject, and the change is written with the next one: memory and disk never part for good.
 */
export class LocalSessionStore implements SessionStore {
  readonly #clock: () => number;
  readonly #journal: Journal | undefined;
  readonly #tables: SessionTables;
  readonly #keeper = new MessageKeeper();
  readonly #sessions = new Map<string, LocalSession>();
  readonly #owners = new Map<string, OwnerEntry>();
  #sessionsEver = 0;

  constructor({ clock, journal }: LocalStoreOptions) {
    this.#clock = clock;
    this.#journal = journal;
    this.#tables = new SessionTables(journal);
    this.#restore();
  }

  async take(request: TakeRequest): Promise<TakeResult> {
    const result = this.#take(request);
    await this.#journal?.committed();
    return result;
  }

  async write(operations: readonly SessionOperation[]): Promise<readonly SessionWriteOutcome[]> {
    const outcomes = operations.map((operation) => this.#write(operation));
    await this.#journal?.committed();
    return outcomes;
  }

  async read(
    clientId: string,
    after: QueuePosition | undefined,
    limit: number,
  ): Promise<readonly QueuedMessage[]> {
    return this.#sessions.get(clientId)?.read(after, limit) ?? [];
  }

  async load(clientId: string): Promise<SessionRecord | undefined> {
    const session = this.#sessions.get(clientId);
    if (session === undefined || isExpired(session, this.#clock())) return undefined;
    return session.record();
  }

  async owners(): Promise<readonly NodeRef[]> {
    return Array.from(this.#owners.values(), ({ owner }) => owner);
  }

  async ownedBy(owner: NodeRef): Promise<readonly string[]> {
    return [...(this.#owners.get(keyOf(owner))?.clientIds ?? [])];
  }

  /** Nothing is left to disown: a client is listed with the owner of its session alone. */
  async disown(): Promise<void> {
    // Synchronous in all but form.
  }

  /** Nothing is left to forget: an incarnation is listed exactly as long as it owns a session. */
  async abandon(_owner: NodeRef): Promise<void> {
    await this.#journal?.committed();
  }

  async close(): Promise<void> {
    await this.#journal?.committed();
  }

  #take(request: TakeRequest): TakeResult {
    const stored = this.#sessions.get(request.clientId);
    const will = stored?.will;
    const former = will && { formerWill: will };
    const isLive = stored !== undefined && !isExpired(stored, request.nowMs);
    // A session that is over counts as long as its will has to be published, by one node.
    const isThere = stored !== undefined && (isLive || former !== undefined);
    if (isLive && isForeign(stored, request)) return { kind: 'foreign' };
    if (isThere && !mayTake(stored, request)) {
      const { owner, epoch } = stored.head;
      return { kind: 'owned', owner, epoch, hasWill: former !== undefined };
    }
    const goesOn = isLive && stored.head.durable && !request.cleanStart;
    if (isThere && (goesOn || (former !== undefined && !request.connected))) {
      this.#hand(stored, request);
      return { kind: 'taken', sessionPresent: true, record: stored.record(), ...former };
    }
    if (stored !== undefined) this.#discard(stored);
    if (!request.connected) return { kind: 'absent' };
    const created = this.#create(request, stored);
    return { kind: 'taken', sessionPresent: false, record: created.record(), ...former };
  }

  /** Gives a session that goes on to its new owner. */
  #hand(session: LocalSession, request: TakeRequest): void {
    const { node, nowMs, durable, expiryIntervalSeconds } = request;
    const { head } = session;
    this.#disown(session);
    const next = { owner: node, epoch: head.epoch + 1 };
    if (request.connected) {
      const terms = { durable, expiryIntervalSeconds, ...userOf(request) };
      session.change({ ...next, ...terms, connected: true, expiresAtMs: 0 });
      session.replaceWill(request.will);
    } else if (head.connected) {
      const expiresAtMs = expiryOf(nowMs, head.expiryIntervalSeconds);
      session.change({ ...next, connected: false, expiresAtMs });
    } else {
      session.change(next);
    }
    this.#own(session);
  }

  #create(request: TakeRequest, before: LocalSession | undefined): LocalSession {
    const { clientId, node, nowMs, durable, expiryIntervalSeconds } = request;
    const head = {
      clientId,
      // Not from 1: a former owner that has missed the end of the session would hold the same epoch.
      epoch: before === undefined ? nowMs : before.head.epoch + 1,
      owner: node,
      connected: true,
      durable,
      expiryIntervalSeconds,
      ...userOf(request),
      createdAtMs: nowMs,
      expiresAtMs: 0,
    };
    this.#sessionsEver += 1;
    const session = new LocalSession(this.#sessionsEver, head, this.#tables);
    session.change(head);
    session.replaceWill(request.will);
    this.#sessions.set(clientId, session);
    this.#own(session);
    return session;
  }

  #write(operation: SessionOperation): SessionWriteOutcome {
    const session = this.#sessions.get(operation.clientId);
    if (session === undefined || session.head.epoch !== operation.epoch) return 'fenced';
    if (operation.kind === 'discard') {
      this.#discard(session);
    } else if (operation.kind === 'append') {
      const { queued } = operation;
      const message = this.#keeper.keep(queued.message);
      return session.apply({ ...operation, queued: { ...queued, message } });
    } else {
      return session.apply(operation);
    }
    return 'done';
  }

  #discard(session: LocalSession): void {
    session.erase();
    this.#disown(session);
    this.#sessions.delete(session.head.clientId);
  }

  #own(session: LocalSession): void {
    const { owner, clientId } = session.head;
    const key = keyOf(owner);
    const entry = this.#owners.get(key);
    if (entry === undefined) this.#owners.set(key, { owner, clientIds: new Set([clientId]) });
    else entry.clientIds.add(clientId);
  }

  #disown(session: LocalSession): void {
    const key = keyOf(session.head.owner);
    const clientIds = this.#owners.get(key)?.clientIds;
    clientIds?.delete(session.head.clientId);
    if (clientIds?.size === 0) this.#owners.delete(key);
  }

  #restore(): void {
    const tables = this.#tables;
    const byNumber = new Map<number, LocalSession>();
    for (const { path, value } of tables.heads.entries()) {
      const [number = 0] = path;
      const session = new LocalSession(number, value, tables);
      byNumber.set(number, session);
      this.#sessions.set(value.clientId, session);
      this.#sessionsEver = Math.max(this.#sessionsEver, number);
      this.#own(session);
    }
    for (const { path, value } of tables.wills.entries()) {
      byNumber.get(path[0] ?? 0)?.restoreWill(value);
    }
    for (const { path, value } of tables.lastSequences.entries()) {
      byNumber.get(path[0] ?? 0)?.restoreSequence(value);
    }
    for (const { path, value } of tables.queues.entries()) {
      byNumber.get(path[0] ?? 0)?.restoreQueued(value);
    }
    for (const { path, value } of tables.subscriptions.entries()) {
      byNumber.get(path[0] ?? 0)?.restoreSubscription(path[1] ?? 0, value);
    }
    for (const { path, value } of tables.received.entries()) {
      byNumber.get(path[0] ?? 0)?.restoreReceived(path[1] ?? 0, value);
    }
    for (const { path, value } of tables.remembered.entries()) {
      byNumber.get(path[0] ?? 0)?.restoreRemembered(path[1] ?? 0, value);
    }
    for (const { path } of tables.released.entries()) {
      byNumber.get(path[0] ?? 0)?.restoreReleased(path[1] ?? 0);
    }
  }
}

/** Whether a live session may change hands: to its own node, or for exactly the epoch that the taker names. */
function mayTake({ head }: LocalSession, { node, replacesEpoch }: TakeRequest): boolean {
  return replacesEpoch === undefined
    ? keyOf(head.owner) === keyOf(node)
    : head.epoch === replacesEpoch;
}

/** Whether a session is another user's than that of the connecting client. */
function isForeign({ head }: LocalSession, { connected, user }: TakeRequest): boolean {
  if (!connected || user === undefined || head.user === undefined) return false;
  return head.user !== user;
}

function userOf({ user }: TakeRequest): Pick<SessionHead, 'user'> {
  return user === undefined ? {} : { user };
}

function isExpired({ head }: LocalSession, nowMs: number): boolean {
  return head.expiresAtMs !== 0 && head.expiresAtMs <= nowMs;
}

/** Two incarnations of one node are two owners. */
function keyOf(node: NodeRef): string {
  return `${String(node.incarnation)}/${node.nodeId}`;
}
