/**
 * Calls that have not been answered.
 *
 * @remarks Nothing is kept of their results: each call is chained to those before it, and would keep what they came to for ever.
 */
export class UnderWay {
  #all: Promise<void> = Promise.resolve();

  /** Adds a call, however it ends. */
  add(call: Promise<unknown>): void {
    this.#all = Promise.allSettled([this.#all, call]).then(() => undefined);
  }

  /** Resolves when all calls up to now have been answered, be it with an error. */
  answered(): Promise<void> {
    return this.#all;
  }
}
