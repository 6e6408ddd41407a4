import {
  DEFINITION_REMOVALS_MAX,
  type DefinitionPageQuery,
  type DefinitionsChanged,
  type DefinitionStore,
  type DefinitionWriteResult,
  type StoredDefinition,
} from '#libs/broker-ports';
import { DEFINITION_LOG_ENTRIES, definitionKeys, type DefinitionKind } from './keys.ts';
import { readScript } from './lua-script.ts';
import type { RedisConnection } from './redis-connection.ts';

const PUT = readScript('put-definition');
const REMOVE = readScript('remove-definition');

/** The port promises two seconds; one round trip a second is nothing to Redis. */
const POLL_INTERVAL_MS = 1_000;

/** Changes that are read at a time; who is further behind reads what it needs anew. */
const CHANGES_MAX = 1_000;

/** The label of the calls in the metrics. */
const OPERATION = 'rules';

type PutReply = readonly ['stored', revision: string] | readonly ['conflict'] | readonly ['absent'];

type RemoveReply = readonly ['removed', text: string] | readonly ['conflict'] | readonly ['absent'];

/** Reads what has changed between two revisions, and gives what tells it. */
type Tell = (seen: number | undefined, revision: number) => Promise<() => void>;

/**
 * Definitions of a kind in Redis, shared by the nodes of a cluster and the admin API.
 *
 * @remarks Revisions are numbered across all of a kind, so one that is made again never repeats one. A watcher is told
 * of changes late when Redis is away. The connection is the caller's and stays open after {@link close}.
 */
export class RedisDefinitionStore<
  Item extends { readonly id: string },
> implements DefinitionStore<Item> {
  readonly #redis: RedisConnection;
  readonly #keys: ReturnType<typeof definitionKeys>;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(redis: RedisConnection, kind: DefinitionKind) {
    this.#redis = redis;
    this.#keys = definitionKeys(redis.keyPrefix, kind);
    redis.use(PUT);
    redis.use(REMOVE);
  }

  async list(): Promise<readonly StoredDefinition<Item>[]> {
    const [items] = this.#keys;
    const texts = await this.#redis.run(OPERATION, items, (client) => client.hvals(items));
    return texts.map((text) => decode<Item>(text));
  }

  async get(id: string): Promise<StoredDefinition<Item> | undefined> {
    const [items] = this.#keys;
    const text = await this.#redis.run(OPERATION, items, (client) => client.hget(items, id));
    return text === null ? undefined : decode(text);
  }

  async page({ after, limit }: DefinitionPageQuery): Promise<readonly StoredDefinition<Item>[]> {
    const [items, , , ids] = this.#keys;
    const from = after === undefined ? '-' : `(${after}`;
    const found = await this.#redis.run(OPERATION, ids, (client) =>
      client.zrange(ids, from, '+', 'BYLEX', 'LIMIT', 0, limit),
    );
    if (found.length === 0) return [];
    const texts = await this.#redis.run(OPERATION, items, (client) =>
      client.hmget(items, ...found),
    );
    return texts.filter((text) => text !== null).map((text) => decode<Item>(text));
  }

  async put(item: Item, revision: number | undefined): Promise<DefinitionWriteResult<Item>> {
    const args = [item.id, revision ?? '', DEFINITION_LOG_ENTRIES, JSON.stringify(item)];
    const reply = (await this.#written(PUT.sha, args)) as PutReply;
    if (reply[0] !== 'stored') return { kind: reply[0] };
    return { kind: 'stored', stored: { item, source: 'api', revision: Number(reply[1]) } };
  }

  async remove(id: string, revision: number | undefined): Promise<DefinitionWriteResult<Item>> {
    const args = [id, revision ?? '', DEFINITION_LOG_ENTRIES, DEFINITION_REMOVALS_MAX];
    const reply = (await this.#written(REMOVE.sha, args)) as RemoveReply;
    if (reply[0] !== 'removed') return { kind: reply[0] };
    return { kind: 'stored', stored: decode(reply[1]) };
  }

  watch(changed: DefinitionsChanged<Item>): void {
    this.#poll(async () => {
      // An item that goes between the two questions is in both answers, never in none.
      const items = await this.list();
      const removed = await this.#removals();
      return () => changed(items, removed);
    }, true);
  }

  follow(changed: (ids: readonly string[] | undefined) => void): void {
    this.#poll(async (seen, revision) => {
      const ids = seen === undefined ? undefined : await this.#changes(seen, revision);
      return () => changed(ids);
      // Of these there are many, and to have them all read again at that moment would cost more than it saves.
    }, false);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
  }

  /** Calls a script that writes. With `waitReplicas` what it has written outlives the master: a revocation is none before. */
  async #written(sha: string, args: readonly (string | number)[]): Promise<unknown> {
    const keys = this.#keys;
    const [reply] = await this.#redis.pipeline(OPERATION, [
      [keys[0], (pipeline) => pipeline.evalsha(sha, keys.length, ...keys, ...args)],
    ]);
    return reply;
  }

  /**
   * Looks for changes. While Redis is away, which the connection reports, the next look tries again.
   *
   * @param isWary - tells all anew after Redis was away: a master that has lost its latest writes may have counted to the same revision again.
   */
  #poll(tell: Tell, isWary: boolean): void {
    let seen: number | undefined;
    let polling = false;
    const look = async (): Promise<void> => {
      if (polling) return;
      polling = true;
      const revision = await this.#revision().catch(() => undefined);
      if (revision === undefined && isWary) seen = undefined;
      const isNew = revision !== undefined && revision !== seen;
      const told = isNew ? await tell(seen, revision).catch(() => undefined) : undefined;
      polling = false;
      if (told === undefined || !this.#timers.has(timer)) return;
      seen = revision;
      told();
    };
    const timer = setInterval(() => void look(), POLL_INTERVAL_MS).unref();
    this.#timers.add(timer);
    void look();
  }

  async #revision(): Promise<number> {
    const [, key] = this.#keys;
    return Number(await this.#redis.run(OPERATION, key, (client) => client.get(key)));
  }

  async #removals(): Promise<ReadonlyMap<string, number>> {
    const [, , removed] = this.#keys;
    const texts = await this.#redis.run(OPERATION, removed, (client) =>
      client.zrange(removed, 0, -1, 'WITHSCORES'),
    );
    const times = new Map<string, number>();
    for (let index = 0; index < texts.length; index += 2) {
      times.set(texts[index] ?? '', Number(texts[index + 1]));
    }
    return times;
  }

  /** The ids of what has changed after a revision up to another; undefined when the log does not say, or it is too much. */
  async #changes(after: number, upTo: number): Promise<readonly string[] | undefined> {
    // A master that has lost its latest writes counts anew.
    if (upTo < after || upTo - after > CHANGES_MAX) return undefined;
    const [, , , , log] = this.#keys;
    const [from, to] = [`${String(after + 1)}-0`, `${String(upTo)}-0`];
    const entries = await this.#redis.run(OPERATION, log, (client) => client.xrange(log, from, to));
    if (entries.length !== upTo - after) return undefined;
    return [...new Set(entries.map(([, [, id = '']]) => id))];
  }
}

/** An item as it is stored: `revision JSON`. Only {@link RedisDefinitionStore.put} writes there, so the JSON is an item. */
function decode<Item>(text: string): StoredDefinition<Item> {
  const split = text.indexOf(' ');
  return {
    item: JSON.parse(text.slice(split + 1)) as Item,
    source: 'api',
    revision: Number(text.slice(0, split)),
  };
}
