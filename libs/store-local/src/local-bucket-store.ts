import type { BucketRate, BucketStore, BucketTaken } from '#libs/broker-ports';

/** How many buckets are known; whoever comes then finds a full one in place of the one that was used longest ago. */
const BUCKETS_MAX = 10_000;

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** Buckets of a single API process: they are full again when it is started anew. */
export class LocalBucketStore implements BucketStore {
  readonly #clock: () => number;
  /** In the order of their use. */
  readonly #buckets = new Map<string, Bucket>();

  /** @param clock - milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  async take(
    name: string,
    { ratePerSecond, burst }: BucketRate,
    count: number,
  ): Promise<BucketTaken> {
    const nowMs = this.#clock();
    const held = this.#buckets.get(name) ?? { tokens: burst, atMs: nowMs };
    const passedMs = Math.max(nowMs - held.atMs, 0);
    const before = Math.min(burst, held.tokens + (passedMs * ratePerSecond) / 1_000);
    const needed = Math.min(count, burst);
    const allowed = before >= needed;
    const tokens = allowed ? before - count : before;
    this.#buckets.delete(name);
    this.#buckets.set(name, { tokens, atMs: nowMs });
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= BUCKETS_MAX) break;
      this.#buckets.delete(oldest);
    }
    const waitMs = (wanted: number) => Math.ceil(((wanted - tokens) / ratePerSecond) * 1_000);
    return {
      allowed,
      remaining: Math.max(Math.floor(tokens), 0),
      retryAfterMs: allowed ? 0 : waitMs(needed),
      resetMs: waitMs(burst),
    };
  }
}
