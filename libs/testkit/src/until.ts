import { setTimeout as delay } from 'node:timers/promises';

/** How often until() looks. */
const PAUSE_MS = 10;

/**
 * Waits until a condition holds; a condition that throws does not hold yet.
 *
 * @param condition - looked at at once and every few milliseconds; may be an assertion that returns nothing.
 * @param deadlineMs - how long to wait at most.
 *
 * @throws Error with the last failure as its cause when the deadline passes.
 */
export async function until(condition: () => unknown, deadlineMs: number): Promise<void> {
  const end = performance.now() + deadlineMs;
  let failure: unknown;
  for (;;) {
    try {
      if ((await condition()) !== false) return;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= end) {
      throw new Error(`not so within ${String(deadlineMs)} ms: ${condition.toString()}`, {
        cause: failure,
      });
    }
    await delay(PAUSE_MS);
  }
}
