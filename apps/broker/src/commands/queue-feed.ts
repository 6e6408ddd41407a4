import type { QueuedMessage } from '#libs/broker-ports';

/** A queue that comes piece by piece, each with a command of its own. */
export class QueueFeed implements AsyncIterable<readonly QueuedMessage[]> {
  #waiting: readonly QueuedMessage[] | undefined;
  #isEnded = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  #taken: (() => void) | undefined;

  /** Resolves when the piece before it has been taken: one piece waits, and no more. */
  async push(piece: readonly QueuedMessage[]): Promise<void> {
    if (this.#waiting !== undefined) await new Promise<void>((resolve) => (this.#taken = resolve));
    this.#waiting = piece;
    this.#wake?.();
  }

  /** Nothing follows. */
  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** What would follow does not come. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly QueuedMessage[], void, undefined> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      const piece = this.#waiting;
      if (piece !== undefined) {
        this.#waiting = undefined;
        this.#taken?.();
        yield piece;
      } else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
