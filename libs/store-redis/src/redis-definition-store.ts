import {
  DEFINITION_REMOVALS_MAX,
  type DefinitionsChanged,
  type DefinitionStore,
  type DefinitionWriteResult,
  type StoredDefinition,
} from '#libs/broker-ports';
import { definitionKeys, type DefinitionKind } from './keys.ts';
import { readScript } from './lua-script.ts';
import type { RedisConnection } from './redis-connection.ts';

const PUT = readScript('put-definition');
const REMOVE = readScript('remove-definition');

/** The port promises two seconds; one round trip a second is nothing to Redis. */
const POLL_INTERVAL_MS = 1_000;

type PutReply = readonly ['stored', revision: string] | readonly ['conflict'] | readonly ['absent'];

type RemoveReply = readonly ['removed', text: string] | readonly ['conflict'] | readonly ['absent'];

/**
 * Rules or connectors in Redis, shared by the nodes of a cluster and the admin API.
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
    const texts = await this.#redis.run('rules', this.#keys.items, (client) =>
      client.hvals(this.#keys.items),
    );
    return texts.map((text) => decode<Item>(text));
  }

  async put(item: Item, revision: number | undefined): Promise<DefinitionWriteResult<Item>> {
    const keys = this.#keysOfWrite;
    const args = [item.id, revision ?? '', JSON.stringify(item)];
    const reply = (await this.#redis.run('rules', this.#keys.items, (client) =>
      client.evalsha(PUT.sha, keys.length, ...keys, ...args),
    )) as PutReply;
    if (reply[0] !== 'stored') return { kind: reply[0] };
    return { kind: 'stored', stored: { item, source: 'api', revision: Number(reply[1]) } };
  }

  async remove(id: string, revision: number | undefined): Promise<DefinitionWriteResult<Item>> {
    const keys = this.#keysOfWrite;
    const args = [id, revision ?? '', DEFINITION_REMOVALS_MAX];
    const reply = (await this.#redis.run('rules', this.#keys.items, (client) =>
      client.evalsha(REMOVE.sha, keys.length, ...keys, ...args),
    )) as RemoveReply;
    if (reply[0] !== 'removed') return { kind: reply[0] };
    return { kind: 'stored', stored: decode(reply[1]) };
  }

  watch(changed: DefinitionsChanged<Item>): void {
    let seen: string | null | undefined;
    let polling = false;
    const poll = async (): Promise<void> => {
      if (polling) return;
      polling = true;
      const revision = await this.#revision();
      const all = revision === undefined || revision === seen ? undefined : await this.#all();
      polling = false;
      if (all === undefined || !this.#timers.has(timer)) return;
      seen = revision;
      changed(...all);
    };
    const timer = setInterval(() => void poll(), POLL_INTERVAL_MS).unref();
    this.#timers.add(timer);
    void poll();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
  }

  /** Undefined while Redis is away, which the connection reports: the next poll tries again. */
  #revision(): Promise<string | null | undefined> {
    const key = this.#keys.revision;
    return this.#redis.run('rules', key, (client) => client.get(key)).catch(() => undefined);
  }

  /** What a watcher is told. An item that goes between the two questions is in both answers, never in none. */
  async #all(): Promise<Parameters<DefinitionsChanged<Item>> | undefined> {
    const { removed } = this.#keys;
    try {
      const items = await this.list();
      const texts = await this.#redis.run('rules', removed, (client) =>
        client.zrange(removed, 0, -1, 'WITHSCORES'),
      );
      const times = new Map<string, number>();
      for (let index = 0; index < texts.length; index += 2) {
        times.set(texts[index] ?? '', Number(texts[index + 1]));
      }
      return [items, times];
    } catch {
      return undefined;
    }
  }

  get #keysOfWrite(): readonly string[] {
    const { items, revision, removed } = this.#keys;
    return [items, revision, removed];
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
