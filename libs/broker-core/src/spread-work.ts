/** About a millisecond of work on each session or filter. */
const STEPS_PER_TURN = 2_000;

/**
 * Carries out long work in pieces, so that what comes in is served between them. The first piece is done at once.
 *
 * @param steps - does a small step with each call; a generator that is returned does no more.
 * @param defer - runs a function after the input of this event-loop turn has been handled.
 */
export function spreadWork(steps: Iterator<void>, defer: (run: () => void) => void): void {
  for (let step = 0; step < STEPS_PER_TURN; step += 1) {
    if (steps.next().done === true) return;
  }
  defer(() => spreadWork(steps, defer));
}
