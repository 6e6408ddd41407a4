import type { PublishDone, PublishError } from '#libs/broker-ports';

/** Counts what has to happen before a message is taken; reports once, with the first failure if there was one. */
export class Obligations {
  readonly #done: PublishDone;
  #left = 1;
  #error: PublishError | undefined;

  constructor(done: PublishDone) {
    this.#done = done;
  }

  begin(): void {
    this.#left += 1;
  }

  /** One is met, or failed. The creator calls it once for itself when all have begun. */
  end(error?: PublishError): void {
    this.#error ??= error;
    this.#left -= 1;
    if (this.#left === 0) this.#done(this.#error);
  }
}
