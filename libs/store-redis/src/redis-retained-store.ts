import {
  decodeMessage,
  encodeMessage,
  type Message,
  type RetainedPage,
  type RetainedQuery,
  type RetainedStore,
} from '#libs/broker-ports';
import { isWildcard } from '#libs/topic-index';
import { asBuffer } from './bytes.ts';
import { RETAINED_LOG_ENTRIES, retainedKeys } from './keys.ts';
import { readScript } from './lua-script.ts';
import type { RedisConnection, RedisStep } from './redis-connection.ts';
import { catalogText } from './retained-index.ts';
import { RetainedCatalog } from './retained-catalog.ts';

const STORE = readScript('store-retained');
const DROP = readScript('drop-retained');

/** How much one call of a script may hold, about: Redis serves nobody else while it runs. */
const CALL_MESSAGES_MAX = 500;
const CALL_BYTES_MAX = 1024 * 1024;

/** How many values are read in one round trip. */
const READ_MESSAGES_MAX = 100;

/** How often the index is brought up to date for size(), and how many topics are then looked at for expired messages. */
const SWEEP_INTERVAL_MS = 2_000;
const SWEEP_TOPICS_MAX = 10_000;

/**
 * Retained messages in Redis, shared by the nodes of a cluster.
 *
 * @remarks The last store() of a topic that reaches Redis wins; those of one node arrive in the order of its calls.
 * A filter with wildcards is matched against an index in this process, which first reads what the log of changes
 * has brought since the last time; only the values that match are fetched. An exact filter is one read. Expired messages
 * are left out at once and removed by a sweep. The connection is the caller's and stays open after {@link close}.
 */
export class RedisRetainedStore implements RetainedStore {
  readonly #redis: RedisConnection;
  readonly #keys: ReturnType<typeof retainedKeys>;
  readonly #catalog: RetainedCatalog;
  readonly #timer: NodeJS.Timeout;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    this.#keys = retainedKeys(redis.keyPrefix);
    this.#catalog = new RetainedCatalog(redis);
    redis.use(STORE);
    redis.use(DROP);
    this.#timer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS).unref();
    this.#sweep();
  }

  async store(messages: readonly Message[]): Promise<void> {
    if (messages.length === 0) return;
    const changes = messages.map(changeOf);
    const calls = callsOf(changes);
    const { messages: values, catalog, log } = this.#keys;
    const replies = await this.#redis.pipeline(
      'retained_write',
      calls.map((call): RedisStep => {
        const args = call.flatMap(({ topic, text, value }) => [topic, text, value]);
        const keys = [values, catalog, log] as const;
        return [log, (to) => to.evalsha(STORE.sha, 3, ...keys, RETAINED_LOG_ENTRIES, ...args)];
      }),
    );
    calls.forEach((call, at) => this.#catalog.applyOwn(String(replies[at]), call));
  }

  async *match(filter: string): AsyncGenerator<readonly Message[], void, undefined> {
    if (!isWildcard(filter)) return yield* this.#read([filter]);
    const index = await this.#catalog.upToDate();
    yield* this.#read(index.match(filter, Date.now()));
  }

  async dollarLevels(): Promise<readonly string[]> {
    return (await this.#catalog.upToDate()).dollarLevels();
  }

  async list(query: RetainedQuery): Promise<RetainedPage> {
    const { filter, after, limit } = query;
    if (limit <= 0) return { messages: [], nextAfter: undefined };
    const index = await this.#catalog.upToDate();
    const topics = index.list({ filter, after, limit: limit + 1, nowMs: Date.now() });
    const page = topics.slice(0, limit);
    const messages: Message[] = [];
    for await (const piece of this.#read(page)) messages.push(...piece);
    return { messages, nextAfter: topics.length > limit ? page.at(-1) : undefined };
  }

  size(): { readonly messages: number; readonly bytes: number } {
    return this.#catalog.size;
  }

  bytesOf(topic: string): number | undefined {
    return this.#catalog.bytesOf(topic);
  }

  topics(filter: string, limit: number): readonly string[] {
    return this.#catalog.topics(filter, limit);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
  }

  /** The messages of these topics in pieces, without those that are gone or expired by then. */
  async *#read(topics: readonly string[]): AsyncGenerator<readonly Message[], void, undefined> {
    for (let from = 0; from < topics.length; from += READ_MESSAGES_MAX) {
      const values = await this.#redis.run('retained_read', this.#keys.messages, (client) =>
        client.hmgetBuffer(this.#keys.messages, ...topics.slice(from, from + READ_MESSAGES_MAX)),
      );
      const nowMs = Date.now();
      const found: Message[] = [];
      for (const value of values) {
        const message = value === null ? undefined : decodeMessage(value);
        if (message !== undefined && !hasExpired(message, nowMs)) found.push(message);
      }
      yield found;
    }
  }

  /** What fails here fails because Redis is away, which the connection reports; the next sweep tries again. */
  #sweep(): void {
    this.#dropExpired().catch(() => undefined);
  }

  async #dropExpired(): Promise<void> {
    const index = await this.#catalog.upToDate();
    const expired = index.expired(Date.now(), SWEEP_TOPICS_MAX);
    const { messages, catalog, log } = this.#keys;
    for (let from = 0; from < expired.length; from += CALL_MESSAGES_MAX) {
      const args = expired.slice(from, from + CALL_MESSAGES_MAX).flat();
      const dropped = await this.#redis.run('retained_write', log, (client) =>
        client.evalsha(DROP.sha, 3, messages, catalog, log, RETAINED_LOG_ENTRIES, ...args),
      );
      for (let count = Number(dropped); count > 0; count -= 1) {
        this.#redis.meter.retainedOperation('expire');
      }
    }
    if (expired.length > 0) await this.#catalog.upToDate();
  }
}

/** A message as the script takes it; empty text and value remove the topic's. */
interface Change {
  readonly topic: string;
  readonly text: string;
  readonly value: Buffer;
}

function changeOf(message: Message): Change {
  const { topic, payload } = message;
  if (payload.length === 0) return { topic, text: '', value: Buffer.alloc(0) };
  return { topic, text: catalogText(message), value: asBuffer(encodeMessage(message)) };
}

/** Arranges changes as calls of bounded size, in their order. */
function callsOf(changes: readonly Change[]): Change[][] {
  const calls: Change[][] = [];
  let bytes = Infinity;
  for (const change of changes) {
    let call = calls.at(-1);
    if (call === undefined || bytes >= CALL_BYTES_MAX || call.length >= CALL_MESSAGES_MAX) {
      call = [];
      calls.push(call);
      bytes = 0;
    }
    call.push(change);
    bytes += change.value.length;
  }
  return calls;
}

function hasExpired(message: Message, nowMs: number): boolean {
  return message.expiresAtMs > 0 && message.expiresAtMs <= nowMs;
}
