import { isLate } from './lane.ts';
import type { OutboundRecord } from './outbound-record.ts';
import type { SpoolPath } from './spool-path.ts';

/**
 * What an earlier version of a rule has left in the spool, whose `ack` is another one now, and the records that wait in memory until
 * that is gone: they must not overtake it.
 */
export class SpoolBacklog {
  readonly #spool: SpoolPath;
  readonly #upTo: number;
  #waiting: OutboundRecord[] = [];

  constructor(spool: SpoolPath) {
    this.#spool = spool;
    this.#upTo = spool.next - 1;
  }

  /** Holds a record, if it has to wait. */
  holds(record: OutboundRecord): boolean {
    if (this.#isGone && this.#waiting.length === 0) return false;
    this.#waiting.push(record);
    return true;
  }

  /** Takes out all that waits, in order, when the backlog is gone. */
  takeReady(): readonly OutboundRecord[] {
    return this.#waiting.length > 0 && this.#isGone ? this.takeAll() : [];
  }

  /** Takes out what its publishers will send again. */
  takeLate(): readonly OutboundRecord[] {
    const late = this.#waiting.filter(isLate);
    if (late.length > 0) this.#waiting = this.#waiting.filter((record) => !isLate(record));
    return late;
  }

  /** Takes out all that waits. */
  takeAll(): readonly OutboundRecord[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  get #isGone(): boolean {
    return this.#spool.done >= this.#upTo;
  }
}
