import type { Message } from '#libs/broker-ports';
import { sizeOf } from '#libs/mqtt-codec';
import { TopicSet } from '#libs/topic-index';
import { decodePosition } from './session-view.ts';

/** What the catalog says of a topic's retained message; the text identifies the message. */
export interface CatalogEntry {
  readonly text: string;
  readonly bytes: number;
  readonly expiresAtMs: number;
}

/** The catalog entry of a message: `bytes, expiry (ms), identity`. */
export function catalogText(message: Message): string {
  const { expiresAtMs, source, sequence } = message;
  return `${sizeOf(message)} ${expiresAtMs} ${source.nodeId}#${source.incarnation}/${sequence}`;
}

function parseCatalog(text: string): CatalogEntry {
  const [bytes = 0, expiresAtMs = 0] = text.split(' ', 2).map(Number);
  return { text, bytes, expiresAtMs };
}

/** Which live topics to list. */
export interface LiveQuery {
  readonly filter: string;
  readonly after: string | undefined;
  readonly limit: number;
  readonly nowMs: number;
}

/** What a node knows of the retained messages: their topics, sizes and expiry, but not their payloads. */
export class RetainedIndex {
  readonly #topics = new TopicSet();
  readonly #entries = new Map<string, CatalogEntry>();
  /** Where expired() goes on. */
  #round = this.#entries.entries();
  #bytes = 0;
  /** The newest log entry that is applied; undefined when the log was empty. */
  readTo: string | undefined;

  constructor(readTo: string | undefined) {
    this.readTo = readTo;
  }

  /** Messages known and their bytes. */
  get size(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#entries.size, bytes: this.#bytes };
  }

  /** The bytes of a topic's message, expired or not, if {@link RetainedIndex.size} counts it. */
  bytesOf(topic: string): number | undefined {
    return this.#entries.get(topic)?.bytes;
  }

  /** Topics that a filter matches, expired or not, in no order; stops looking at the limit. */
  topics(filter: string, limit: number): readonly string[] {
    return this.#topics.match(filter, limit);
  }

  /** Applies a change; an empty text removes the topic. Changes may be applied again as long as the last one wins. */
  apply(topic: string, text: string): void {
    this.#bytes -= this.#entries.get(topic)?.bytes ?? 0;
    if (text === '') {
      if (this.#entries.delete(topic)) this.#topics.delete(topic);
      return;
    }
    const entry = parseCatalog(text);
    this.#bytes += entry.bytes;
    this.#entries.set(topic, entry);
    this.#topics.add(topic);
  }

  /** Whether a log entry is newer than all that is applied. */
  isNews(id: string): boolean {
    if (this.readTo === undefined) return true;
    const [one, other] = [decodePosition(id), decodePosition(this.readTo)];
    return one.epoch > other.epoch || (one.epoch === other.epoch && one.sequence > other.sequence);
  }

  /** The topics that a filter matches and whose messages have not expired, in no order. */
  match(filter: string, nowMs: number): readonly string[] {
    return this.#topics.match(filter, Infinity).filter((topic) => this.#isLive(topic, nowMs));
  }

  /** As of topics, expired or not. */
  dollarLevels(): readonly string[] {
    return this.#topics.dollarLevels();
  }

  /** The first `limit` topics after one that a filter matches and whose messages have not expired, in order. */
  list(query: LiveQuery): readonly string[] {
    const { filter, limit, nowMs } = query;
    for (let sought = limit; ; sought *= 2) {
      const found = this.#topics.list({ filter, after: query.after, limit: sought });
      const live = found.filter((topic) => this.#isLive(topic, nowMs));
      if (live.length >= limit || found.length < sought) return live.slice(0, limit);
    }
  }

  /**
   * Topics whose messages have expired, with what the catalog says of them, among the next `limit` topics: repeated
   * calls go round through all.
   */
  expired(nowMs: number, limit: number): readonly (readonly [topic: string, text: string])[] {
    const found: [string, string][] = [];
    for (let looked = 0; looked < limit; looked += 1) {
      const { value, done } = this.#round.next();
      if (done === true) {
        this.#round = this.#entries.entries();
        break;
      }
      const [topic, entry] = value;
      if (!isLive(entry, nowMs)) found.push([topic, entry.text]);
    }
    return found;
  }

  #isLive(topic: string, nowMs: number): boolean {
    const entry = this.#entries.get(topic);
    return entry !== undefined && isLive(entry, nowMs);
  }
}

function isLive(entry: CatalogEntry, nowMs: number): boolean {
  return entry.expiresAtMs === 0 || entry.expiresAtMs > nowMs;
}
