import type { ClusterBus } from '#libs/broker-ports';
import { encodeFrame } from './frame.ts';

/** More sweeps than anybody who asks for a session waits for the answer. */
const SWEEPS_MAX = 5;

/**
 * Tells when a node has read its inbox up to now: it sends itself a mark, and everything before the mark comes before it.
 *
 * @remarks One mark is under way at a time; whoever asks meanwhile shares the next one. A mark may never come: a Redis that
 * fails over loses it, and an inbox is not read on while what was read waits for those who wait for the mark.
 */
export class InboxMarks {
  readonly #bus: ClusterBus;
  #lastNumber = 0;
  /** How many sweeps the mark under way has seen. */
  #sweeps = 0;
  #reached: (isThere: boolean) => void = () => undefined;
  #current: Promise<boolean> = Promise.resolve(true);
  #next: Promise<boolean> | undefined;
  /** By session: ends the wait for it. */
  readonly #waiting = new Map<object, (isThere: false) => void>();
  #isClosed = false;

  constructor(bus: ClusterBus) {
    this.#bus = bus;
  }

  /**
   * Resolves when what is in the inbox by now has come.
   *
   * @param session - for which somebody waits, and not once it has gone: what was read of the inbox may wait for that.
   *
   * @returns false at once when the inbox cannot be reached, or is not read any more, or the session goes; false after a while
   * when the mark does not come.
   */
  async caughtUp(session: object): Promise<boolean> {
    const gone = new Promise<false>((resolve) => this.#waiting.set(session, resolve));
    try {
      return await Promise.race([this.#comingMark(), gone]);
    } finally {
      this.#waiting.delete(session);
    }
  }

  /** A session has gone. */
  gone(session: object): void {
    this.#waiting.get(session)?.(false);
  }

  /** A mark has come. */
  passed(number: number): void {
    if (number === this.#lastNumber) this.#reached(true);
  }

  /** Gives up a mark that is too long under way; called about once a second. */
  sweep(): void {
    this.#sweeps += 1;
    if (this.#sweeps >= SWEEPS_MAX) this.#reached(false);
  }

  /** The inbox is not read any more: nobody waits for it. */
  close(): void {
    this.#isClosed = true;
    this.#reached(false);
  }

  #comingMark(): Promise<boolean> {
    this.#next ??= this.#current.then(() => {
      this.#next = undefined;
      this.#current = this.#mark();
      return this.#current;
    });
    return this.#next;
  }

  async #mark(): Promise<boolean> {
    if (this.#isClosed) return false;
    this.#lastNumber += 1;
    this.#sweeps = 0;
    const reached = new Promise<boolean>((resolve) => (this.#reached = resolve));
    const frame = encodeFrame({ kind: 'mark', number: this.#lastNumber });
    const isSent = await this.#bus.sendDurable(this.#bus.self, frame).then(
      () => true,
      () => false,
    );
    return isSent && (await reached);
  }
}
