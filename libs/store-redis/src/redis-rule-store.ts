import type { BridgeRule, RuleStore, RuleWriteResult, StoredRule } from '#libs/broker-ports';
import { ruleKeys } from './keys.ts';
import { readScript } from './lua-script.ts';
import type { RedisConnection } from './redis-connection.ts';

const PUT = readScript('put-rule');
const REMOVE = readScript('remove-rule');

/** The port promises two seconds; one round trip a second is nothing to Redis. */
const POLL_INTERVAL_MS = 1_000;

type PutReply = readonly ['stored', revision: string] | readonly ['conflict'] | readonly ['absent'];

type RemoveReply = readonly ['removed', text: string] | readonly ['conflict'] | readonly ['absent'];

/**
 * Bridge rules in Redis, shared by the nodes of a cluster and the admin API.
 *
 * @remarks Revisions are numbered across all rules, so a rule that is made again never repeats one. A watcher is told
 * of changes late when Redis is away. The connection is the caller's and stays open after {@link close}.
 */
export class RedisRuleStore implements RuleStore {
  readonly #redis: RedisConnection;
  readonly #keys: ReturnType<typeof ruleKeys>;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    this.#keys = ruleKeys(redis.keyPrefix);
    redis.use(PUT);
    redis.use(REMOVE);
  }

  async list(): Promise<readonly StoredRule[]> {
    const texts = await this.#redis.run('rules', this.#keys.rules, (client) =>
      client.hvals(this.#keys.rules),
    );
    return texts.map(decodeRule);
  }

  async put(rule: BridgeRule, revision: number | undefined): Promise<RuleWriteResult> {
    const { rules, revision: counter } = this.#keys;
    const reply = (await this.#redis.run('rules', rules, (client) =>
      client.evalsha(PUT.sha, 2, rules, counter, rule.id, revision ?? '', JSON.stringify(rule)),
    )) as PutReply;
    if (reply[0] !== 'stored') return { kind: reply[0] };
    return { kind: 'stored', stored: { rule, source: 'api', revision: Number(reply[1]) } };
  }

  async remove(id: string, revision: number | undefined): Promise<RuleWriteResult> {
    const { rules, revision: counter } = this.#keys;
    const reply = (await this.#redis.run('rules', rules, (client) =>
      client.evalsha(REMOVE.sha, 2, rules, counter, id, revision ?? ''),
    )) as RemoveReply;
    if (reply[0] !== 'removed') return { kind: reply[0] };
    return { kind: 'stored', stored: decodeRule(reply[1]) };
  }

  watch(changed: (rules: readonly StoredRule[]) => void): void {
    let seen: string | null | undefined;
    let polling = false;
    const poll = async (): Promise<void> => {
      if (polling) return;
      polling = true;
      const revision = await this.#revision();
      const rules = revision === undefined || revision === seen ? undefined : await this.#rules();
      polling = false;
      if (rules === undefined || !this.#timers.has(timer)) return;
      seen = revision;
      changed(rules);
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

  #rules(): Promise<readonly StoredRule[] | undefined> {
    return this.list().catch(() => undefined);
  }
}

/** A rule as it is stored: `revision JSON`. Only {@link RedisRuleStore.put} writes there, so the JSON is a rule. */
function decodeRule(text: string): StoredRule {
  const split = text.indexOf(' ');
  return {
    rule: JSON.parse(text.slice(split + 1)) as BridgeRule,
    source: 'api',
    revision: Number(text.slice(0, split)),
  };
}
