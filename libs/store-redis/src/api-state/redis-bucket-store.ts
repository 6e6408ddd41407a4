import type { BucketRate, BucketStore, BucketTaken } from '#libs/broker-ports';
import { apiKeyOf } from '../keys.ts';
import { readScript } from '../lua-script.ts';
import type { RedisConnection } from '../redis-connection.ts';
import { OPERATION } from './operation.ts';

const TAKE = readScript('take-tokens');

/** Buckets in Redis, filled by its clock; one that is full is not kept. */
export class RedisBucketStore implements BucketStore {
  readonly #redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    redis.use(TAKE);
  }

  async take(
    name: string,
    { ratePerSecond, burst }: BucketRate,
    count: number,
  ): Promise<BucketTaken> {
    const key = apiKeyOf(this.#redis.keyPrefix, 'bucket', name);
    const [given, remaining, retryAfterMs, resetMs] = (await this.#redis.run(
      OPERATION,
      key,
      (client) => client.evalsha(TAKE.sha, 1, key, ratePerSecond, burst, count),
    )) as readonly [string, string, string, string];
    return {
      allowed: given === '1',
      remaining: Number(remaining),
      retryAfterMs: Number(retryAfterMs),
      resetMs: Number(resetMs),
    };
  }
}
