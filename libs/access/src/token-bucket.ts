/** How much of something there may be: so many a second for long, and so many at once after a rest. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/**
 * A bound on a rate: tokens come with time, and everything that is done takes some of them.
 *
 * @example
 * ```ts
 * const bucket = new TokenBucket({ perSecond: 100, burst: 200 }, nowMs);
 * if (!bucket.take(1, nowMs)) refuse();
 * ```
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  /** A bucket is full at first. */
  constructor({ perSecond, burst }: Rate, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Takes tokens, if there are as many: for what can be refused. */
  take(count: number, nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /**
   * Takes tokens also where there are too few: for what has happened already.
   *
   * @returns false from when more is taken than there was, until that much has come again.
   */
  spend(count: number, nowMs: number): boolean {
    this.#fill(nowMs);
    this.#tokens -= count;
    return this.#tokens >= 0;
  }

  /** The share of the burst that could be taken now; less than 0 when more was spent than there was. */
  fillLevel(nowMs: number): number {
    this.#fill(nowMs);
    return this.#tokens / this.#burst;
  }

  /** A clock that goes back gives nothing, and takes nothing. */
  #fill(nowMs: number): void {
    if (nowMs === this.#atMs) return;
    const elapsedMs = nowMs - this.#atMs;
    this.#atMs = nowMs;
    if (elapsedMs <= 0) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + elapsedMs * this.#perMs);
  }
}
