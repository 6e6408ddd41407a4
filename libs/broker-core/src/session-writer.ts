import type { Log, SessionOperation, SessionStore, SessionWriteOutcome } from '#libs/broker-ports';
import type { Flushable, Turn } from './turn.ts';

/** Told how a write ended; undefined for writes nobody waits for. */
export type WriteDone = ((outcome: SessionWriteOutcome) => void) | undefined;

/**
 * Collects a turn's session writes of all clients into one call of the store.
 *
 * @remarks How they ended is told in the order in which they were added: a session delivers its messages in that order, and
 * takes one that is told of late for one that it has passed.
 */
export class SessionWriter implements Flushable {
  readonly #store: SessionStore;
  readonly #turn: Turn;
  readonly #log: Log;
  #operations: SessionOperation[] = [];
  #waiting: WriteDone[] = [];
  /** When all that was handed over has been answered for. */
  #settled: Promise<void> = Promise.resolve();

  constructor(store: SessionStore, turn: Turn, log: Log) {
    this.#store = store;
    this.#turn = turn;
    this.#log = log;
  }

  add(operation: SessionOperation, done?: WriteDone): void {
    this.#operations.push(operation);
    this.#waiting.push(done);
    this.#turn.touch();
  }

  flush(): void {
    if (this.#operations.length === 0) return;
    const operations = this.#operations;
    const waiting = this.#waiting;
    this.#operations = [];
    this.#waiting = [];
    // The store may answer a later call first, if it had to look twice at something in this one.
    const earlier = this.#settled;
    this.#settled = this.#written(operations).then(async (outcomes) => {
      await earlier;
      for (const [index, tell] of waiting.entries()) tell?.(outcomes[index] ?? 'failed');
    });
  }

  async #written(operations: readonly SessionOperation[]): Promise<readonly SessionWriteOutcome[]> {
    try {
      const outcomes = await this.#store.write(operations);
      if (outcomes.includes('failed')) {
        const failed = outcomes.filter((outcome) => outcome === 'failed').length;
        this.#warn(failed, 'a part of the store');
      }
      return outcomes;
    } catch (error) {
      this.#warn(operations.length, String(error));
      return [];
    }
  }

  #warn(operations: number, reason: string): void {
    this.#log.warn('session-write-failed', { operations, reason });
  }

  /** Hands over what is collected and resolves when the last write has been answered. */
  async idle(): Promise<void> {
    this.flush();
    await this.#settled;
  }
}
