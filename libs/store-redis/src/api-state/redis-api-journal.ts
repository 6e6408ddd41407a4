import type {
  ApiJournal,
  ApiJournalBounds,
  ApiJournalName,
  ApiJournalQuery,
  ApiJournalRecord,
} from '#libs/broker-ports';
import { apiJournalKey } from '../keys.ts';
import { readScript } from '../lua-script.ts';
import type { RedisConnection } from '../redis-connection.ts';
import { OPERATION } from './operation.ts';

const APPEND = readScript('append-journal');
const PAGE = readScript('page-journal');

/** A journal of the API in Redis; the ids are those of a stream, so the clock is that of Redis. */
export class RedisApiJournal<Entry> implements ApiJournal<Entry> {
  readonly #redis: RedisConnection;
  readonly #key: string;
  readonly #bounds: ApiJournalBounds;

  constructor(redis: RedisConnection, name: ApiJournalName, bounds: ApiJournalBounds) {
    this.#redis = redis;
    this.#key = apiJournalKey(redis.keyPrefix, name);
    this.#bounds = bounds;
    redis.use(APPEND);
    redis.use(PAGE);
  }

  async append(entry: Entry): Promise<string> {
    const { entriesMax, ageMsMax } = this.#bounds;
    const args = [JSON.stringify(entry), entriesMax, ageMsMax];
    const id = await this.#redis.run(OPERATION, this.#key, (client) =>
      client.evalsha(APPEND.sha, 1, this.#key, ...args),
    );
    return String(id);
  }

  async page(query: ApiJournalQuery): Promise<readonly ApiJournalRecord<Entry>[]> {
    const { before, after, limit } = query;
    const [way, from = ''] = after === undefined ? ['before', before] : ['after', after];
    const args = [way, from, limit, this.#bounds.ageMsMax];
    const found = (await this.#redis.run(OPERATION, this.#key, (client) =>
      client.evalsha(PAGE.sha, 1, this.#key, ...args),
    )) as readonly (readonly [id: string, fields: readonly string[]])[];
    return found.map(([id, [, text = '']]) => ({
      id,
      atMs: Number.parseInt(id, 10),
      // Only append() writes there.
      entry: JSON.parse(text) as Entry,
    }));
  }
}
