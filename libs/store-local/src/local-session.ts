import {
  decodeQueued,
  decodeWill,
  encodeQueued,
  encodeWill,
  type FormerWill,
  type QueuedMessage,
  type QueuePosition,
  type SessionOperation,
  type SessionRecord,
  type StoredSubscription,
  type StoredWill,
} from '#libs/broker-ports';
import { jsonFormat, Table, type Journal } from './journal.ts';
import { SessionQueue } from './session-queue.ts';
import { timedFormat, type TimedBytes } from './timed-bytes.ts';

/** 0xFFFFFFFF: a session that never expires. */
const NEVER_SECONDS = 0xffff_ffff;

/** The part of a session that is written as one. */
export type SessionHead = Omit<
  SessionRecord,
  | 'subscriptions'
  | 'receivedPacketIds'
  | 'releasedPacketIds'
  | 'queueMessages'
  | 'queueBytes'
  | 'lastSequence'
>;

/** What is kept of sessions. Each path begins with the number of the session. */
export class SessionTables {
  readonly heads: Table<SessionHead>;
  /** Written apart from the head: it changes with each message. */
  readonly lastSequences: Table<number>;
  /** Path: session, epoch, sequence. */
  readonly queues: Table<QueuedMessage>;
  /** Path: session, number of the subscription. */
  readonly subscriptions: Table<StoredSubscription>;
  /** Path: session, packet id. */
  readonly received: Table<true>;
  /** Path: session, packet id. */
  readonly released: Table<true>;
  readonly wills: Table<TimedBytes>;

  constructor(journal: Journal | undefined) {
    this.heads = new Table(journal, jsonFormat<SessionHead>(1));
    this.lastSequences = new Table(journal, jsonFormat<number>(2));
    this.queues = new Table<QueuedMessage>(journal, {
      table: 3,
      encode: encodeQueued,
      decode: (bytes, [, epoch = 0, sequence = 0]) => decodeQueued(bytes, { epoch, sequence }),
    });
    this.subscriptions = new Table(journal, jsonFormat<StoredSubscription>(4));
    this.received = new Table(journal, jsonFormat<true>(5));
    this.released = new Table(journal, jsonFormat<true>(6));
    this.wills = new Table(journal, timedFormat(11));
  }
}

/** When a session whose connection ended at a time is over; 0 never. */
export function expiryOf(endedAtMs: number, intervalSeconds: number): number {
  return intervalSeconds === NEVER_SECONDS ? 0 : endedAtMs + intervalSeconds * 1000;
}

/** A session in memory. Each change is handed to the tables at once. */
export class LocalSession {
  /** Its name in the tables; client ids may be longer than a key. */
  readonly number: number;
  readonly #tables: SessionTables;
  readonly #queue = new SessionQueue();
  readonly #subscriptions = new Map<string, { number: number; subscription: StoredSubscription }>();
  readonly #received = new Set<number>();
  readonly #released = new Set<number>();
  #head: SessionHead;
  /** With 0 as its time while the connection lives. */
  #will: TimedBytes | undefined;
  #lastSequence = 0;
  #subscriptionsEver = 0;

  constructor(number: number, head: SessionHead, tables: SessionTables) {
    this.number = number;
    this.#head = head;
    this.#tables = tables;
  }

  get head(): SessionHead {
    return this.#head;
  }

  /** Replaces the head and writes it. */
  change(partial: Partial<SessionHead>): void {
    this.#head = { ...this.#head, ...partial };
    this.#tables.heads.put([this.number], this.#head);
  }

  /** What there is of a will that was neither published nor dropped. */
  get will(): FormerWill | undefined {
    if (this.#will === undefined) return undefined;
    const { bytes, dueAtMs } = this.#will;
    const will = decodeWill(bytes);
    return will && { will, dueAtMs };
  }

  /** Keeps the will of a new connection, or none. */
  replaceWill(will: StoredWill | undefined): void {
    if (will !== undefined) this.#putWill({ bytes: encodeWill(will), dueAtMs: 0 });
    else this.#removeWill();
  }

  record(): SessionRecord {
    return {
      ...this.#head,
      subscriptions: Array.from(this.#subscriptions.values(), ({ subscription }) => subscription),
      receivedPacketIds: [...this.#received],
      releasedPacketIds: [...this.#released],
      queueMessages: this.#queue.size,
      queueBytes: this.#queue.bytes,
      lastSequence: this.#lastSequence,
    };
  }

  read(after: QueuePosition | undefined, limit: number): QueuedMessage[] {
    return this.#queue.read(after, limit);
  }

  /** Carries out an operation of the owner, all but `discard`, which is the store's. */
  apply(operation: Exclude<SessionOperation, { kind: 'discard' }>): void {
    switch (operation.kind) {
      case 'append':
        return this.#append(operation.queued);
      case 'settle':
        for (const position of operation.positions) this.#settle(position);
        return;
      case 'release':
        this.#settle(operation.position);
        this.#released.add(operation.packetId);
        return this.#tables.released.put([this.number, operation.packetId], true);
      case 'complete':
        this.#released.delete(operation.packetId);
        return this.#tables.released.remove([this.number, operation.packetId]);
      case 'receive':
        this.#received.add(operation.packetId);
        return this.#tables.received.put([this.number, operation.packetId], true);
      case 'forget':
        this.#received.delete(operation.packetId);
        return this.#tables.received.remove([this.number, operation.packetId]);
      case 'subscribe':
        for (const subscription of operation.subscriptions) this.#subscribe(subscription);
        return;
      case 'unsubscribe':
        for (const filter of operation.filters) this.#unsubscribe(filter);
        return;
      case 'disconnect': {
        const { nowMs, expiryIntervalSeconds, willDueAtMs } = operation;
        if (willDueAtMs === undefined) this.#removeWill();
        else if (this.#will) this.#putWill({ ...this.#will, dueAtMs: willDueAtMs });
        const expiresAtMs = expiryOf(nowMs, expiryIntervalSeconds);
        return this.change({ connected: false, expiryIntervalSeconds, expiresAtMs });
      }
      case 'forget-will':
        return this.#removeWill();
    }
  }

  /** Removes all that the tables hold of the session. */
  erase(): void {
    const { number } = this;
    const tables = this.#tables;
    tables.heads.remove([number]);
    tables.lastSequences.remove([number]);
    this.#removeWill();
    for (const { epoch, sequence } of this.#queue.positions()) {
      tables.queues.remove([number, epoch, sequence]);
    }
    for (const subscription of this.#subscriptions.values()) {
      tables.subscriptions.remove([number, subscription.number]);
    }
    for (const packetId of this.#received) tables.received.remove([number, packetId]);
    for (const packetId of this.#released) tables.released.remove([number, packetId]);
  }

  restoreWill(will: TimedBytes): void {
    this.#will = will;
  }

  restoreSequence(sequence: number): void {
    this.#lastSequence = sequence;
  }

  restoreQueued(queued: QueuedMessage): void {
    this.#queue.add(queued);
  }

  restoreSubscription(number: number, subscription: StoredSubscription): void {
    this.#subscriptions.set(subscription.filter, { number, subscription });
    this.#subscriptionsEver = Math.max(this.#subscriptionsEver, number);
  }

  restoreReceived(packetId: number): void {
    this.#received.add(packetId);
  }

  restoreReleased(packetId: number): void {
    this.#released.add(packetId);
  }

  #putWill(will: TimedBytes): void {
    this.#will = will;
    this.#tables.wills.put([this.number], will);
  }

  #removeWill(): void {
    if (this.#will === undefined) return;
    this.#will = undefined;
    this.#tables.wills.remove([this.number]);
  }

  #append(queued: QueuedMessage): void {
    const { epoch, sequence } = queued.position;
    this.#queue.add(queued);
    this.#tables.queues.put([this.number, epoch, sequence], queued);
    if (sequence <= this.#lastSequence) return;
    this.#lastSequence = sequence;
    this.#tables.lastSequences.put([this.number], sequence);
  }

  #settle(position: QueuePosition): void {
    if (!this.#queue.remove(position)) return;
    this.#tables.queues.remove([this.number, position.epoch, position.sequence]);
  }

  #subscribe(subscription: StoredSubscription): void {
    const { filter } = subscription;
    const number = this.#subscriptions.get(filter)?.number ?? (this.#subscriptionsEver += 1);
    this.#subscriptions.set(filter, { number, subscription });
    this.#tables.subscriptions.put([this.number, number], subscription);
  }

  #unsubscribe(filter: string): void {
    const held = this.#subscriptions.get(filter);
    if (held === undefined) return;
    this.#subscriptions.delete(filter);
    this.#tables.subscriptions.remove([this.number, held.number]);
  }
}
