import {
  decodeMessage,
  encodeMessage,
  type DelayedBounds,
  type DelayedClaim,
  type DelayedMessage,
  type DelayedOutcome,
  type DelayedPage,
  type DelayedPlace,
  type DelayedQuery,
  type DelayedStore,
  type DueMessage,
  type WaitingMessage,
} from '#libs/broker-ports';
import { DelayedIdentities } from './delayed-identities.ts';
import { DueHeap } from './due-heap.ts';
import { Table, type Journal } from './journal.ts';
import type { LocalStoreOptions } from './local-store-options.ts';
import { TABLES } from './tables.ts';
import { timedFormat, type TimedBytes } from './timed-bytes.ts';

/**
 * The delayed messages of a single node: all in memory, and in a journal when they are to survive the process.
 *
 * @remarks A claim costs what it gives, however many messages wait. There is one claimer, so none is turned away.
 */
export class LocalDelayedStore implements DelayedStore {
  readonly #clock: () => number;
  readonly #journal: Journal | undefined;
  readonly #table: Table<TimedBytes>;
  readonly #identities: DelayedIdentities;
  readonly #entries = new Map<number, TimedBytes>();
  /** When each entry is to be given next. What is settled leaves its place when that time has come. */
  readonly #heap = new DueHeap();
  #entriesEver = 0;
  #bytes = 0;

  constructor({ clock, journal }: LocalStoreOptions) {
    this.#clock = clock;
    this.#journal = journal;
    this.#identities = new DelayedIdentities(journal);
    this.#table = new Table(journal, timedFormat(TABLES.delayed));
    for (const { path, value } of this.#table.entries()) {
      const [number = 0] = path;
      this.#entriesEver = Math.max(this.#entriesEver, number);
      this.#keep(number, value);
    }
  }

  async add(
    messages: readonly DelayedMessage[],
    bounds: DelayedBounds,
  ): Promise<readonly DelayedOutcome[]> {
    const nowMs = this.#clock();
    const outcomes = messages.map(({ delayMs, message, isOnce: isSaid }): DelayedOutcome => {
      const isOnce = isSaid === true || message.qos === 2;
      if (isOnce && this.#identities.has(message)) return 'repeat';
      const entry = { dueAtMs: nowMs + delayMs, bytes: encodeMessage(message) };
      const isFull =
        this.#entries.size >= bounds.messagesMax ||
        this.#bytes + entry.bytes.length > bounds.bytesMax;
      if (isFull) return 'full';
      this.#entriesEver += 1;
      this.#keep(this.#entriesEver, entry);
      this.#table.put([this.#entriesEver], entry);
      if (isOnce) this.#identities.add(message, entry.dueAtMs);
      return 'stored';
    });
    this.#identities.sweep(nowMs, this.#entries.size);
    await this.#journal?.committed();
    return outcomes;
  }

  async put(message: DelayedMessage, bounds: DelayedBounds): Promise<DelayedPlace | undefined> {
    const number = this.#entriesEver + 1;
    const [outcome] = await this.add([message], bounds);
    const entry = this.#entries.get(number);
    if (outcome !== 'stored' || entry === undefined) return undefined;
    return { id: String(number), dueAtMs: entry.dueAtMs };
  }

  async page({ after, limit }: DelayedQuery): Promise<DelayedPage> {
    const order = (atMs: number, number: number): number =>
      atMs - (after?.dueAtMs ?? -Infinity) || number - Number(after?.id ?? 0);
    const later = [...this.#entries]
      .filter(([number, { dueAtMs }]) => order(dueAtMs, number) > 0)
      .toSorted(([a, one], [b, other]) => one.dueAtMs - other.dueAtMs || a - b);
    const items = later
      .slice(0, limit)
      .flatMap(([number, entry]) => waitingOf(number, entry) ?? []);
    const last = items.at(-1);
    const next = later.length > limit && last ? placeOf(last) : undefined;
    return { items, next };
  }

  async get(id: string): Promise<WaitingMessage | undefined> {
    const entry = this.#entries.get(Number(id));
    return entry && waitingOf(Number(id), entry);
  }

  async remove(id: string): Promise<boolean> {
    const isThere = this.#entries.has(Number(id));
    await this.settle([id]);
    return isThere;
  }

  async claim({ leaseMs, limit }: DelayedClaim): Promise<readonly DueMessage[]> {
    const nowMs = this.#clock();
    const due: DueMessage[] = [];
    for (
      let next = this.#heap.peek();
      next !== undefined && next.atMs <= nowMs && due.length < limit;
      next = this.#heap.peek()
    ) {
      const { number } = next;
      this.#heap.shift();
      const entry = this.#entries.get(number);
      if (entry === undefined) continue;
      const message = decodeMessage(entry.bytes);
      if (message === undefined) throw new Error(`the delayed message ${number} is damaged`);
      this.#heap.add({ atMs: nowMs + leaseMs, number });
      due.push({ id: String(number), message });
    }
    return due;
  }

  async settle(ids: readonly string[]): Promise<void> {
    for (const number of ids.map(Number)) {
      const entry = this.#entries.get(number);
      if (entry === undefined) continue;
      this.#entries.delete(number);
      this.#bytes -= entry.bytes.length;
      this.#table.remove([number]);
    }
    await this.#journal?.committed();
  }

  size(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#entries.size, bytes: this.#bytes };
  }

  async close(): Promise<void> {
    await this.#journal?.committed();
  }

  #keep(number: number, entry: TimedBytes): void {
    this.#entries.set(number, entry);
    this.#heap.add({ atMs: entry.dueAtMs, number });
    this.#bytes += entry.bytes.length;
  }
}

function waitingOf(number: number, { dueAtMs, bytes }: TimedBytes): WaitingMessage | undefined {
  const message = decodeMessage(bytes);
  return message && { id: String(number), dueAtMs, message };
}

function placeOf({ dueAtMs, id }: WaitingMessage): DelayedPlace {
  return { dueAtMs, id };
}
