import {
  REMEMBERED_MESSAGES,
  decodeQueued,
  decodeWill,
  encodeQueued,
  encodeWill,
  type FormerWill,
  type MessageIdentity,
  type QueuedMessage,
  type QueuePosition,
  type BegunMessage,
  type ReceivingMessage,
  type SessionOperation,
  type SessionRecord,
  type SessionWriteOutcome,
  type StoredSubscription,
  type StoredWill,
} from '#libs/broker-ports';
import { nameOf } from './identity-name.ts';
import { jsonFormat, Table, type Journal } from './journal.ts';
import { SessionQueue } from './session-queue.ts';
import { TABLES } from './tables.ts';
import { timedFormat, type TimedBytes } from './timed-bytes.ts';

/** 0xFFFFFFFF: a session that never expires. */
const NEVER_SECONDS = 0xffff_ffff;

/** The part of a session that is written as one. */
export type SessionHead = Omit<
  SessionRecord,
  | 'subscriptions'
  | 'receivedPacketIds'
  | 'receiving'
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
  /** Path: session, packet id. Messages that are on their way have their identity. */
  readonly received: Table<true | BegunMessage>;
  /** Path: session, packet id. */
  readonly released: Table<true>;
  readonly wills: Table<TimedBytes>;
  /** Path: session, number of the message among those remembered. */
  readonly remembered: Table<MessageIdentity>;

  constructor(journal: Journal | undefined) {
    this.heads = new Table(journal, jsonFormat<SessionHead>(TABLES.sessionHeads));
    this.lastSequences = new Table(journal, jsonFormat<number>(TABLES.lastSequences));
    this.queues = new Table<QueuedMessage>(journal, {
      table: TABLES.queues,
      encode: encodeQueued,
      decode: (bytes, [, epoch = 0, sequence = 0]) => decodeQueued(bytes, { epoch, sequence }),
    });
    this.subscriptions = new Table(journal, jsonFormat<StoredSubscription>(TABLES.subscriptions));
    this.received = new Table(journal, jsonFormat<true | BegunMessage>(TABLES.received));
    this.released = new Table(journal, jsonFormat<true>(TABLES.released));
    this.wills = new Table(journal, timedFormat(TABLES.wills));
    this.remembered = new Table(journal, jsonFormat<MessageIdentity>(TABLES.remembered));
  }
}

/** When a session whose connection ended at a time is over; 0 never. */
export function expiryOf(endedAtMs: number, intervalSeconds: number): number {
  return intervalSeconds === NEVER_SECONDS ? 0 : endedAtMs + intervalSeconds * 1000;
}

/** What a session holds besides its head. */
class Content {
  readonly queue = new SessionQueue();
  readonly subscriptions = new Map<string, { number: number; subscription: StoredSubscription }>();
  readonly received = new Map<number, true | BegunMessage>();
  readonly released = new Set<number>();
  /** The messages that were queued with `once`, the oldest first, by what names them. */
  readonly remembered = new Map<string, number>();
}

/** The content of a session that ends with its connection, of which there are many. */
const NOTHING = new Content();

/** A session in memory. Each change is handed to the tables at once. */
export class LocalSession {
  /** Its name in the tables; client ids may be longer than a key. */
  readonly number: number;
  readonly #tables: SessionTables;
  #content: Content | undefined;
  #head: SessionHead;
  /** With 0 as its time while the connection lives. */
  #will: TimedBytes | undefined;
  #lastSequence = 0;
  #subscriptionsEver = 0;
  #rememberedEver = 0;

  constructor(number: number, head: SessionHead, tables: SessionTables) {
    this.number = number;
    this.#head = head;
    this.#tables = tables;
  }

  get head(): SessionHead {
    return this.#head;
  }

  get #own(): Content {
    this.#content ??= new Content();
    return this.#content;
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
    const { subscriptions, released, queue } = this.#content ?? NOTHING;
    return {
      ...this.#head,
      subscriptions: Array.from(subscriptions.values(), ({ subscription }) => subscription),
      ...this.#receivedNow(),
      releasedPacketIds: [...released],
      queueMessages: queue.size,
      queueBytes: queue.bytes,
      lastSequence: this.#lastSequence,
    };
  }

  read(after: QueuePosition | undefined, limit: number): QueuedMessage[] {
    return (this.#content ?? NOTHING).queue.read(after, limit);
  }

  /** Carries out an operation of the owner, all but `discard`, which is the store's. */
  apply(operation: Exclude<SessionOperation, { kind: 'discard' }>): SessionWriteOutcome {
    if (operation.kind === 'append') return this.#append(operation);
    this.#change(operation);
    return 'done';
  }

  #change(operation: Exclude<SessionOperation, { kind: 'discard' | 'append' }>): void {
    switch (operation.kind) {
      case 'settle':
        for (const position of operation.positions) this.#settle(position);
        return;
      case 'release':
        this.#settle(operation.position);
        this.#own.released.add(operation.packetId);
        return this.#tables.released.put([this.number, operation.packetId], true);
      case 'complete':
        this.#own.released.delete(operation.packetId);
        return this.#tables.released.remove([this.number, operation.packetId]);
      case 'begin':
        return this.#receive(operation.packetId, operation.message);
      case 'receive':
        return this.#receive(operation.packetId, true);
      case 'forget':
        this.#own.received.delete(operation.packetId);
        return this.#tables.received.remove([this.number, operation.packetId]);
      case 'subscribe':
        for (const subscription of operation.subscriptions) this.#subscribe(subscription);
        return;
      case 'unsubscribe':
        for (const filter of operation.filters) this.#unsubscribe(filter);
        return;
      case 'disconnect': {
        const { nowMs, expiryIntervalSeconds, willDueAtMs, will } = operation;
        if (will !== undefined) this.replaceWill(will);
        if (willDueAtMs === undefined) this.#removeWill();
        else if (this.#will) this.#putWill({ ...this.#will, dueAtMs: willDueAtMs });
        const expiresAtMs = expiryOf(nowMs, expiryIntervalSeconds);
        return this.change({ connected: false, expiryIntervalSeconds, expiresAtMs });
      }
      case 'expiry': {
        const { nowMs, expiryIntervalSeconds } = operation;
        const expiresAtMs = this.#head.connected ? 0 : expiryOf(nowMs, expiryIntervalSeconds);
        return this.change({ expiryIntervalSeconds, expiresAtMs });
      }
      case 'claim-will':
        if (this.#will) this.#putWill({ ...this.#will, dueAtMs: operation.dueAtMs });
        return;
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
    const content = this.#content ?? NOTHING;
    for (const { epoch, sequence } of content.queue.positions()) {
      tables.queues.remove([number, epoch, sequence]);
    }
    for (const subscription of content.subscriptions.values()) {
      tables.subscriptions.remove([number, subscription.number]);
    }
    for (const packetId of content.received.keys()) tables.received.remove([number, packetId]);
    for (const place of content.remembered.values()) tables.remembered.remove([number, place]);
    for (const packetId of content.released) tables.released.remove([number, packetId]);
  }

  restoreWill(will: TimedBytes): void {
    this.#will = will;
  }

  restoreSequence(sequence: number): void {
    this.#lastSequence = sequence;
  }

  restoreQueued(queued: QueuedMessage): void {
    this.#own.queue.add(queued);
  }

  restoreSubscription(number: number, subscription: StoredSubscription): void {
    this.#own.subscriptions.set(subscription.filter, { number, subscription });
    this.#subscriptionsEver = Math.max(this.#subscriptionsEver, number);
  }

  restoreReceived(packetId: number, state: true | BegunMessage): void {
    this.#own.received.set(packetId, state);
  }

  restoreRemembered(place: number, identity: MessageIdentity): void {
    this.#own.remembered.set(nameOf(identity), place);
    this.#rememberedEver = Math.max(this.#rememberedEver, place);
  }

  restoreReleased(packetId: number): void {
    this.#own.released.add(packetId);
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

  #receivedNow(): Pick<SessionRecord, 'receivedPacketIds' | 'receiving'> {
    const receivedPacketIds: number[] = [];
    const receiving: ReceivingMessage[] = [];
    for (const [packetId, state] of (this.#content ?? NOTHING).received) {
      if (state === true) receivedPacketIds.push(packetId);
      else receiving.push({ packetId, ...state });
    }
    return { receivedPacketIds, receiving };
  }

  #receive(packetId: number, state: true | BegunMessage): void {
    this.#own.received.set(packetId, state);
    this.#tables.received.put([this.number, packetId], state);
  }

  #append({
    queued,
    once,
  }: {
    readonly queued: QueuedMessage;
    readonly once: boolean;
  }): 'done' | 'repeat' {
    if (once && !this.#remember(queued.message)) return 'repeat';
    this.#enqueue(queued);
    return 'done';
  }

  /** Returns false when the message was remembered before. */
  #remember({ source, sequence }: MessageIdentity): boolean {
    const identity = { source, sequence };
    const name = nameOf(identity);
    if (this.#own.remembered.has(name)) return false;
    this.#rememberedEver += 1;
    this.#own.remembered.set(name, this.#rememberedEver);
    this.#tables.remembered.put([this.number, this.#rememberedEver], identity);
    const [oldest] = this.#own.remembered;
    if (oldest === undefined || this.#own.remembered.size <= REMEMBERED_MESSAGES) return true;
    this.#own.remembered.delete(oldest[0]);
    this.#tables.remembered.remove([this.number, oldest[1]]);
    return true;
  }

  #enqueue(queued: QueuedMessage): void {
    const { epoch, sequence } = queued.position;
    this.#own.queue.add(queued);
    this.#tables.queues.put([this.number, epoch, sequence], queued);
    if (sequence <= this.#lastSequence) return;
    this.#lastSequence = sequence;
    this.#tables.lastSequences.put([this.number], sequence);
  }

  #settle(position: QueuePosition): void {
    if (!this.#own.queue.remove(position)) return;
    this.#tables.queues.remove([this.number, position.epoch, position.sequence]);
  }

  #subscribe(subscription: StoredSubscription): void {
    const { filter } = subscription;
    const number = this.#own.subscriptions.get(filter)?.number ?? (this.#subscriptionsEver += 1);
    this.#own.subscriptions.set(filter, { number, subscription });
    this.#tables.subscriptions.put([this.number, number], subscription);
  }

  #unsubscribe(filter: string): void {
    const held = this.#own.subscriptions.get(filter);
    if (held === undefined) return;
    this.#own.subscriptions.delete(filter);
    this.#tables.subscriptions.remove([this.number, held.number]);
  }
}
