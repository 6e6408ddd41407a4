import { PublishError, type PublishDone } from '#libs/broker-ports';

/**
 * Holds back the acknowledgement of one message until every record that gates it is settled.
 *
 * @remarks Calls back exactly once: at the first error, else when the last record is accepted and the gate is sealed.
 */
export class AckGate {
  readonly deadlineMs: number;
  /** The client id of whoever waits; empty when that is no client. */
  readonly publisher: string;
  readonly #done: PublishDone;
  // One hold stands for the offer itself: without it the first record could finish before the second is there.
  #holds = 1;
  #open = true;
  #isLate = false;

  constructor(done: PublishDone, deadlineMs: number, publisher = '') {
    this.#done = done;
    this.deadlineMs = deadlineMs;
    this.publisher = publisher;
  }

  /** Whether the callback is still to come. */
  get open(): boolean {
    return this.#open;
  }

  /** Whether the message was refused because it was not settled in time, so that it will be sent again. */
  get isLate(): boolean {
    return this.#isLate;
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

  /** Refuses an open message: its time is up. */
  expire(): void {
    this.#isLate = true;
    const text = 'the bridge did not deliver the message in time';
    this.release(new PublishError('BRIDGE_UNAVAILABLE', text));
  }
}
