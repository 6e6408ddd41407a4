import type {
  DeadLetter,
  DeadLetterBounds,
  DeadLetterQuery,
  DeadLetterStore,
  KeptDeadLetter,
} from '#libs/broker-ports';
import { deadLetterKeys } from './keys.ts';
import { readScript } from './lua-script.ts';
import type { RedisConnection } from './redis-connection.ts';

const APPEND = readScript('append-dead-letters');
const REMOVE = readScript('remove-dead-letters');

/** How many ids one call removes: Redis serves nobody else while it runs. */
const CALL_IDS_MAX = 500;

type Entry = readonly [id: string, fields: readonly string[]];

/** Dead letters in Redis: a stream, so the ids and times are those of Redis. The connection is the caller's. */
export class RedisDeadLetterStore implements DeadLetterStore {
  readonly #redis: RedisConnection;
  readonly #keys: readonly [letters: string, bytes: string];
  readonly #bounds: DeadLetterBounds;

  constructor(redis: RedisConnection, bounds: DeadLetterBounds) {
    this.#redis = redis;
    this.#keys = deadLetterKeys(redis.keyPrefix);
    this.#bounds = bounds;
    redis.use(APPEND);
    redis.use(REMOVE);
  }

  async append(letters: readonly DeadLetter[]): Promise<number> {
    const { lettersMax, bytesMax, ageMsMax } = this.#bounds;
    const texts = letters.map((letter) => JSON.stringify(letter));
    const args = [lettersMax, bytesMax, ageMsMax, ...texts];
    const gone = await this.#redis.run('dead_letters', this.#keys[0], (client) =>
      client.evalsha(APPEND.sha, 2, ...this.#keys, ...args),
    );
    return Number(gone);
  }

  async page({ after, fromMs = 0, limit }: DeadLetterQuery): Promise<readonly KeptDeadLetter[]> {
    await this.append([]);
    const from = after === undefined || isBefore(after, fromMs) ? String(fromMs) : `(${after}`;
    return this.#range(from, '+', limit);
  }

  async get(id: string): Promise<KeptDeadLetter | undefined> {
    await this.append([]);
    const [letter] = await this.#range(id, id, 1);
    return letter;
  }

  async remove(ids: readonly string[]): Promise<number> {
    let removed = 0;
    for (let from = 0; from < ids.length; from += CALL_IDS_MAX) {
      const call = ids.slice(from, from + CALL_IDS_MAX);
      const found = await this.#redis.run('dead_letters', this.#keys[0], (client) =>
        client.evalsha(REMOVE.sha, 2, ...this.#keys, ...call),
      );
      removed += Number(found);
    }
    return removed;
  }

  async close(): Promise<void> {
    // Nothing is kept here.
  }

  async #range(from: string, to: string, limit: number): Promise<readonly KeptDeadLetter[]> {
    const [key] = this.#keys;
    const found = (await this.#redis.run('dead_letters', key, (client) =>
      client.xrange(key, from, to, 'COUNT', limit),
    )) as readonly Entry[];
    return found.map(([id, [, text = '']]) => ({
      // Only append() writes there.
      ...(JSON.parse(text) as DeadLetter),
      id,
      atMs: Number.parseInt(id, 10),
    }));
  }
}

function isBefore(id: string, atMs: number): boolean {
  return Number.parseInt(id, 10) < atMs;
}
