import {
  decodeMessage,
  encodeMessage,
  type DelayedBounds,
  type DelayedClaim,
  type DelayedMessage,
  type DelayedOutcome,
  type DelayedStore,
  type DueMessage,
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
    const outcomes = messages.map(({ delayMs, message }): DelayedOutcome => {
      const isOnce = message.qos === 2;
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
