import type { PublishDone, PublishError } from '#libs/broker-ports';

/**
 * Holds back the acknowledgement of one message until every record that gates it is settled.
 *
 * @remarks Calls back exactly once: at the first error, else when the last record is accepted and the gate is sealed.
 */
export class AckGate {
  readonly deadlineMs: number;
  readonly #done: PublishDone;
  // One hold stands for the offer itself: without it the first record could finish before the second is there.
  #holds = 1;
  #open = true;

  constructor(done: PublishDone, deadlineMs: number) {
    this.#done = done;
    this.deadlineMs = deadlineMs;
  }

  /** Whether the callback is still to come. */
  get open(): boolean {
    return this.#open;
  }

  /** One more record gates the message. */
  hold(): void {
    this.#holds += 1;
  }

  /** A record is settled, or the offer is complete. */
  release(error?: PublishError): void {
    this.#holds -= 1;
    if (!this.#open || (error === undefined && this.#holds > 0)) return;
    this.#open = false;
    if (error === undefined) this.#done();
    else this.#done(error);
  }
}
