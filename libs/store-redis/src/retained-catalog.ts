import { StoreUnavailableError } from '#libs/broker-ports';
import { retainedKeys } from './keys.ts';
import type { RedisConnection } from './redis-connection.ts';
import { RetainedIndex } from './retained-index.ts';

/** How many log entries or catalog fields one round trip reads, about. */
const PAGE = 1_000;

/** How often a scan may be overtaken by the trimming of the log before the store counts as unavailable. */
const SCANS_MAX = 3;

type LogEntry = readonly [id: string, fields: readonly string[]];

/**
 * Keeps a node's {@link RetainedIndex} up to date with the catalog in Redis.
 *
 * @remarks Each reading of the log begins with the entry that was read last. If that one is not there, the log has
 * been trimmed beyond it or Redis has lost data, and the index is made anew from a scan of the catalog.
 */
export class RetainedCatalog {
  readonly #redis: RedisConnection;
  readonly #keys: ReturnType<typeof retainedKeys>;
  #index: RetainedIndex | undefined;
  #reading: Promise<RetainedIndex> | undefined;
  #next: Promise<RetainedIndex> | undefined;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    this.#keys = retainedKeys(redis.keyPrefix);
  }

  /** As of the last reading; zeros before the first. */
  get size(): { readonly messages: number; readonly bytes: number } {
    return this.#index?.size ?? { messages: 0, bytes: 0 };
  }

  /** The bytes of a topic's message, if {@link RetainedCatalog.size} counts it. */
  bytesOf(topic: string): number | undefined {
    return this.#index?.bytesOf(topic);
  }

  /** Topics of messages that {@link RetainedCatalog.size} counts. */
  topics(filter: string, limit: number): readonly string[] {
    return this.#index?.topics(filter, limit) ?? [];
  }

  /**
   * The index with every change that was complete before this call.
   *
   * @remarks A reading that has already begun may lack the newest of them: callers that come meanwhile share the next.
   */
  upToDate(): Promise<RetainedIndex> {
    this.#next ??= this.#readAfter(this.#reading);
    return this.#next;
  }

  /** Applies this node's own changes, up to the log entry with the id, before they are read back. */
  applyOwn(
    id: string,
    changes: readonly { readonly topic: string; readonly text: string }[],
  ): void {
    if (id === '' || this.#index?.isNews(id) !== true) return;
    for (const { topic, text } of changes) this.#index.apply(topic, text);
  }

  async #readAfter(former: Promise<RetainedIndex> | undefined): Promise<RetainedIndex> {
    await former?.catch(() => undefined);
    this.#reading = this.#next;
    this.#next = undefined;
    this.#index = await this.#read();
    return this.#index;
  }

  async #read(): Promise<RetainedIndex> {
    if (this.#index !== undefined && (await this.#catchUp(this.#index))) return this.#index;
    for (let scans = 0; scans < SCANS_MAX; scans += 1) {
      const index = await this.#scan();
      if (index.readTo === undefined || (await this.#catchUp(index))) return index;
    }
    throw new StoreUnavailableError('The retained messages change faster than they can be listed.');
  }

  /** @returns false when the log no longer holds the entry that was read last. */
  async #catchUp(index: RetainedIndex): Promise<boolean> {
    for (;;) {
      const { readTo } = index;
      if (readTo === undefined) return false;
      const entries: readonly LogEntry[] = await this.#redis.run(
        'retained_read',
        this.#keys.log,
        (client) => client.xrange(this.#keys.log, readTo, '+', 'COUNT', PAGE),
      );
      if (entries[0]?.[0] !== readTo) return false;
      for (const [id, [topic = '', text = '']] of entries.slice(1)) {
        index.apply(topic, text);
        index.readTo = id;
      }
      if (entries.length < PAGE) return true;
    }
  }

  /** Changes made during the scan may be missing: the log is to be read from where the scan began. */
  async #scan(): Promise<RetainedIndex> {
    const [newest] = await this.#redis.run('retained_read', this.#keys.log, (client) =>
      client.xrevrange(this.#keys.log, '+', '-', 'COUNT', 1),
    );
    const index = new RetainedIndex(newest?.[0]);
    let cursor = '0';
    do {
      const [next, fields] = await this.#redis.run('retained_read', this.#keys.log, (client) =>
        client.hscan(this.#keys.catalog, cursor, 'COUNT', PAGE),
      );
      for (let at = 0; at + 1 < fields.length; at += 2) {
        index.apply(fields[at] ?? '', fields[at + 1] ?? '');
      }
      cursor = next;
    } while (cursor !== '0');
    return index;
  }
}
