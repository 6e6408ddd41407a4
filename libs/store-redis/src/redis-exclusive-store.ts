import type { ExclusiveHolder, ExclusiveStore } from '#libs/broker-ports';
import { exclusiveKey } from './keys.ts';
import { readScript } from './lua-script.ts';
import type { RedisConnection, RedisStep } from './redis-connection.ts';

const CLAIM = readScript('claim-exclusive');
const RELEASE = readScript('release-exclusive');

/** How many filters one call gives up: Redis serves nobody else while it runs. */
const CALL_FILTERS_MAX = 500;

/**
 * Exclusive subscriptions in Redis, shared by the nodes of a cluster.
 *
 * @remarks One hash holds them all. The connection is the caller's and stays open after {@link close}.
 */
export class RedisExclusiveStore implements ExclusiveStore {
  readonly #redis: RedisConnection;
  readonly #key: string;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    this.#key = exclusiveKey(redis.keyPrefix);
    redis.use(CLAIM);
    redis.use(RELEASE);
  }

  async claim(
    filter: string,
    holder: ExclusiveHolder,
    replaces?: ExclusiveHolder,
  ): Promise<ExclusiveHolder> {
    const before = replaces === undefined ? '' : textOf(replaces);
    const held = await this.#redis.run('exclusive', this.#key, (client) =>
      client.evalsha(CLAIM.sha, 1, this.#key, filter, textOf(holder), before),
    );
    return holderOf(String(held));
  }

  async release(filters: readonly string[], holder: ExclusiveHolder): Promise<void> {
    if (filters.length === 0) return;
    const steps: RedisStep[] = [];
    for (let from = 0; from < filters.length; from += CALL_FILTERS_MAX) {
      const call = filters.slice(from, from + CALL_FILTERS_MAX);
      steps.push([
        this.#key,
        (to, key) => to.evalsha(RELEASE.sha, 1, key, textOf(holder), ...call),
      ]);
    }
    await this.#redis.pipeline('exclusive', steps);
  }

  async close(): Promise<void> {
    // Nothing is kept here.
  }
}

/** A holder as it is stored: `created client id`. */
function textOf({ clientId, createdAtMs }: ExclusiveHolder): string {
  return `${createdAtMs} ${clientId}`;
}

function holderOf(text: string): ExclusiveHolder {
  const split = text.indexOf(' ');
  return { clientId: text.slice(split + 1), createdAtMs: Number(text.slice(0, split)) };
}
