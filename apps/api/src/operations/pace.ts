import { ProblemError } from '../http/problem-error.ts';
import type { OperationRun } from './operation-kind.ts';

/** What is done at once, at most. */
const BATCH_MAX = 500;

/** How long an operation waits for nodes or stores that are away before it fails. */
const PATIENCE_MS = 30_000;
const RETRY_MS = 1_000;

type Aborting = Pick<OperationRun, 'signal'>;

/** Waits. @throws what the signal says. */
export function pause(ms: number, { signal }: Aborting): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const give = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', give);
      resolve();
    }, ms).unref();
    signal.addEventListener('abort', give, { once: true });
  });
}

/**
 * Asks again while nodes or stores are away, for half a minute.
 *
 * @throws ProblemError what it was the last time; OperationEnded.
 */
export async function patiently<Answer>(
  run: Aborting,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const giveUpAtMs = performance.now() + PATIENCE_MS;
  for (;;) {
    run.signal.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      const isAway = error instanceof ProblemError && error.status === 503;
      if (!isAway || performance.now() >= giveUpAtMs) throw error;
      await pause(RETRY_MS, run);
    }
  }
}

/** Keeps an operation to so much a second. */
export class Pace {
  readonly #perSecond: number;
  #freeAtMs = performance.now();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** How much to do at once: a second's worth, or less. */
  get batch(): number {
    return Math.min(this.#perSecond, BATCH_MAX);
  }

  /** Waits until so much more may be done. @throws what the signal says. */
  async take(count: number, run: Aborting): Promise<void> {
    const nowMs = performance.now();
    const waitMs = this.#freeAtMs - nowMs;
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + (count * 1_000) / this.#perSecond;
    if (waitMs > 0) await pause(waitMs, run);
  }
}
