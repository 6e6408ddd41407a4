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

/** As {@link spreadWork}; resolves when the work is done, and rejects with what a step throws. */
export function spreadWorkToEnd(
  steps: Iterable<void>,
  defer: (run: () => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    spreadWork(settling(steps, { resolve, reject }), defer);
  });
}

function* settling(
  steps: Iterable<void>,
  { resolve, reject }: { readonly resolve: () => void; readonly reject: (error: unknown) => void },
): Generator<void> {
  try {
    yield* steps;
    resolve();
  } catch (error) {
    reject(error);
  }
}
