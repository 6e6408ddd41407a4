import {
  decodeMessage,
  encodeMessage,
  type Message,
  type RetainedPage,
  type RetainedQuery,
  type RetainedStore,
} from '#libs/broker-ports';
import { sizeOf } from '#libs/mqtt-codec';
import { TopicSet } from '#libs/topic-index';
import { Table, type Journal } from './journal.ts';
import type { LocalStoreOptions } from './local-store-options.ts';
import { MessageKeeper } from './message-keeper.ts';
import { TABLES } from './tables.ts';

/** How many kept messages are looked at for expiry with each one stored: nothing expired stays for long, and no sweep is long. */
const SWEEP_PER_MESSAGE = 2;

/** How many messages match() gives at once. */
const PIECE_MESSAGES_MAX = 100;

interface Entry {
  /** Its name in the table; topics may be longer than a key. */
  readonly number: number;
  readonly message: Message;
}

/** The retained messages of a single node: all in memory, and in a journal when they are to survive the process. */
export class LocalRetainedStore implements RetainedStore {
  readonly #clock: () => number;
  readonly #journal: Journal | undefined;
  readonly #table: Table<Message>;
  readonly #keeper = new MessageKeeper();
  readonly #entries = new Map<string, Entry>();
  readonly #topics = new TopicSet();
  /** Goes round and round through the entries. */
  #sweep = this.#entries.values();
  #entriesEver = 0;
  #bytes = 0;

  constructor({ clock, journal }: LocalStoreOptions) {
    this.#clock = clock;
    this.#journal = journal;
    this.#table = new Table(journal, {
      table: TABLES.retained,
      encode: encodeMessage,
      decode: decodeMessage,
    });
    for (const { path, value } of this.#table.entries()) {
      const [number = 0] = path;
      this.#entriesEver = Math.max(this.#entriesEver, number);
      this.#set(number, value);
    }
  }

  async store(messages: readonly Message[]): Promise<void> {
    for (const message of messages) {
      if (message.payload.length === 0) this.#remove(message.topic);
      else this.#keep(this.#keeper.keep(message));
    }
    this.#sweepSome(messages.length * SWEEP_PER_MESSAGE);
    await this.#journal?.committed();
  }

  async *match(filter: string): AsyncGenerator<readonly Message[], void, undefined> {
    const topics = this.#topics.match(filter, Infinity);
    for (let from = 0; from < topics.length; from += PIECE_MESSAGES_MAX) {
      yield this.#living(topics.slice(from, from + PIECE_MESSAGES_MAX));
    }
  }

  async dollarLevels(): Promise<readonly string[]> {
    return this.#topics.dollarLevels();
  }

  async list({ filter, after, limit }: RetainedQuery): Promise<RetainedPage> {
    // One more than asked for tells whether this page is the last.
    const query = { filter, after, limit: limit + 1 };
    let topics = this.#topics.list(query);
    let found = this.#living(topics);
    // The expired ones are removed now, and others take their places.
    while (found.length < topics.length) {
      topics = this.#topics.list(query);
      found = this.#living(topics);
    }
    const messages = found.slice(0, limit);
    const nextAfter = found.length > limit ? messages.at(-1)?.topic : undefined;
    return { messages, nextAfter };
  }

  size(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#entries.size, bytes: this.#bytes };
  }

  bytesOf(topic: string): number | undefined {
    const message = this.#entries.get(topic)?.message;
    return message && sizeOf(message);
  }

  topics(filter: string, limit: number): readonly string[] {
    return this.#topics.match(filter, limit);
  }

  async close(): Promise<void> {
    await this.#journal?.committed();
  }

  /** The messages of these topics; those that have expired are removed. */
  #living(topics: readonly string[]): Message[] {
    const nowMs = this.#clock();
    const messages: Message[] = [];
    for (const topic of topics) {
      const message = this.#entries.get(topic)?.message;
      if (message === undefined) continue;
      if (isExpired(message, nowMs)) this.#remove(topic);
      else messages.push(message);
    }
    return messages;
  }

  #keep(message: Message): void {
    const before = this.#entries.get(message.topic);
    const number = before?.number ?? (this.#entriesEver += 1);
    if (before !== undefined) this.#bytes -= sizeOf(before.message);
    this.#set(number, message);
    this.#table.put([number], message);
  }

  #set(number: number, message: Message): void {
    this.#entries.set(message.topic, { number, message });
    this.#topics.add(message.topic);
    this.#bytes += sizeOf(message);
  }

  #remove(topic: string): void {
    const entry = this.#entries.get(topic);
    if (entry === undefined) return;
    this.#entries.delete(topic);
    this.#topics.delete(topic);
    this.#bytes -= sizeOf(entry.message);
    this.#table.remove([entry.number]);
  }

  #sweepSome(count: number): void {
    const nowMs = this.#clock();
    for (let looked = 0; looked < count; looked += 1) {
      const { value: entry, done } = this.#sweep.next();
      if (done === true) {
        this.#sweep = this.#entries.values();
        return;
      }
      if (isExpired(entry.message, nowMs)) this.#remove(entry.message.topic);
    }
  }
}

function isExpired({ expiresAtMs }: Message, nowMs: number): boolean {
  return expiresAtMs !== 0 && expiresAtMs <= nowMs;
}
