import type { Redis } from 'ioredis';

/** How many replicas have to have a write before it counts, and for how long they are waited for. */
export interface ReplicaWaitOptions {
  /** 0: a write counts when the master has it. */
  readonly replicas: number;
  readonly timeoutMs: number;
}

/**
 * Waits until replicas have what a connection has written (WAIT).
 *
 * @remarks Redis answers nothing else on the connection meanwhile, so at most one WAIT is under way; who comes later shares
 * the next. Writes of one turn, and of all turns that come while replicas are slow, cost one.
 */
export class ReplicaWait {
  readonly #redis: Redis;
  readonly #options: ReplicaWaitOptions;
  #current: Promise<boolean> | undefined;
  #next: Promise<boolean> | undefined;

  constructor(redis: Redis, options: ReplicaWaitOptions) {
    this.#redis = redis;
    this.#options = options;
  }

  /** Resolves to whether enough replicas have what was sent before this call; rejects when the connection is lost. */
  reached(): Promise<boolean> {
    if (this.#options.replicas === 0) return Promise.resolve(true);
    this.#next ??= this.#after(this.#current);
    return this.#next;
  }

  async #after(former: Promise<boolean> | undefined): Promise<boolean> {
    await former?.catch(() => undefined);
    this.#current = this.#next;
    this.#next = undefined;
    const { replicas, timeoutMs } = this.#options;
    return Number(await this.#redis.call('WAIT', replicas, timeoutMs)) >= replicas;
  }
}
