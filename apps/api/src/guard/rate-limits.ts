import type { FastifyReply } from 'fastify';
import type { Operation } from '#libs/api-contracts';
import { networkOf } from '#libs/access';
import { StoreUnavailableError, type ApiState, type BucketTaken } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import type { ApiMeter } from '#libs/metrics-prom';
import { ProblemError } from '../http/problem-error.ts';
import type { Caller } from './caller.ts';

/** What is counted apart. */
export type RatePolicy = 'requests' | 'publishes' | 'failures';

/** How much of it a caller may send. */
export interface RateLimit {
  readonly policy: RatePolicy;
  readonly ratePerSecond: number;
  readonly burst: number;
}

/** How long a caller that was known without the store waits for it. */
const PATIENCE_MS = 500;

/** What callers may ask for, counted by all replicas together. */
export class RateLimits {
  readonly #limits: ReadonlyMap<RatePolicy, RateLimit>;
  readonly #state: ApiState;
  readonly #meter: ApiMeter;

  constructor(settings: Config['api']['rateLimits'], state: ApiState, meter: ApiMeter) {
    const all: readonly RateLimit[] = [
      limitOf('requests', settings.requestsPerSecond, settings.requestBurst),
      limitOf('publishes', settings.publishesPerSecond, settings.publishBurst),
      limitOf('failures', settings.failuresPerSecond, settings.failureBurst),
    ];
    const set = all.filter(({ ratePerSecond }) => ratePerSecond > 0);
    this.#limits = new Map(set.map((limit) => [limit.policy, limit]));
    this.#state = state;
    this.#meter = meter;
  }

  /** Those that a caller is held to. */
  get limits(): readonly RateLimit[] {
    return [...this.#limits.values()].filter(({ policy }) => policy !== 'failures');
  }

  /**
   * Counts a request and tells the caller how much is left.
   *
   * @throws ProblemError 429 when it is too much; StoreUnavailableError when nobody can count, unless the caller is known
   * without the store: it must be able to look when Redis is away.
   */
  async take(
    caller: Caller,
    operation: Pick<Operation, 'scope'> | undefined,
    { reply }: { readonly reply: FastifyReply },
  ): Promise<void> {
    const limit = this.#limits.get(policyOf(operation));
    if (limit !== undefined) await this.#take(caller, { limit, count: 1 }, reply);
  }

  /**
   * Counts the items of a request that holds many, all but the one that it was counted as before its body was read. More
   * than the burst leave a debt.
   *
   * @throws as take().
   */
  async takeMore(
    caller: Caller,
    operation: Pick<Operation, 'scope'> | undefined,
    { reply, items }: { readonly reply: FastifyReply; readonly items: number },
  ): Promise<void> {
    const limit = this.#limits.get(policyOf(operation));
    if (limit === undefined || items < 2) return;
    // A bucket from which one was just taken is never full: without this a small one would refuse every such request.
    const burst = limit.burst - 1;
    if (burst > 0)
      await this.#take(caller, { limit: { ...limit, burst }, count: items - 1 }, reply);
  }

  async #take(
    caller: Caller,
    { limit, count }: { readonly limit: RateLimit; readonly count: number },
    reply: FastifyReply,
  ): Promise<void> {
    const { policy } = limit;
    const taking = this.#state.buckets.take(`${policy} ${caller.id}`, limit, count);
    const needsStore = caller.kind === 'api_key' || caller.kind === 'jwt';
    const taken = needsStore ? await taking : await patiently(taking);
    if (taken === undefined) return;
    const { ratePerSecond, burst } = this.#limits.get(policy) ?? limit;
    void reply.headers({
      'ratelimit-limit': String(burst),
      'ratelimit-remaining': String(taken.remaining),
      'ratelimit-reset': String(Math.ceil(taken.resetMs / 1_000)),
      'ratelimit-policy': `${burst};w=${Math.ceil(burst / ratePerSecond)};policy="${policy}"`,
    });
    if (!taken.allowed) throw this.#refusal(policy, taken);
  }

  /**
   * Counts a credential that was refused. Whoever has an IPv6 address has a whole network of them, which counts as one.
   *
   * @throws ProblemError 429 in place of the refusal, when too many came from one address.
   */
  async failed(address: string): Promise<void> {
    const limit = this.#limits.get('failures');
    if (limit === undefined) return;
    const taken = await patiently(
      this.#state.buckets.take(`failures ${networkOf(address)}`, limit, 1),
    );
    if (taken?.allowed === false) throw this.#refusal('failures', taken);
  }

  #refusal(policy: RatePolicy, { retryAfterMs }: BucketTaken): ProblemError {
    this.#meter.rateLimited(policy);
    const seconds = Math.max(Math.ceil(retryAfterMs / 1_000), 1);
    return new ProblemError('rate-limited', `Too many requests; try again in ${seconds} s`, {
      headers: { 'retry-after': String(seconds) },
    });
  }
}

function policyOf(operation: Pick<Operation, 'scope'> | undefined): RatePolicy {
  return operation?.scope === 'messages:publish' ? 'publishes' : 'requests';
}

function limitOf(policy: RatePolicy, ratePerSecond: number, burst: number): RateLimit {
  return { policy, ratePerSecond, burst };
}

/** What was taken, unless the store is away or too slow to tell. */
async function patiently(taking: Promise<BucketTaken>): Promise<BucketTaken | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, undefined);
  });
  try {
    return await Promise.race([taking, late]);
  } catch (error) {
    if (error instanceof StoreUnavailableError) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
