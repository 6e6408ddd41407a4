import type { Log, SessionOperation, SessionStore, SessionWriteOutcome } from '#libs/broker-ports';
import type { Flushable, Turn } from './turn.ts';

/** How a write ended; `failed` means that the store did not answer and the outcome is unknown. */
export type WriteResult = SessionWriteOutcome | 'failed';

/** Told how a write ended; undefined for writes nobody waits for. */
export type WriteDone = ((result: WriteResult) => void) | undefined;

/** Collects a turn's session writes of all clients into one call of the store. */
export class SessionWriter implements Flushable {
  readonly #store: SessionStore;
  readonly #turn: Turn;
  readonly #log: Log;
  #operations: SessionOperation[] = [];
  #waiting: WriteDone[] = [];
  #settled: Promise<unknown> = Promise.resolve();

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
    this.#settled = this.#store.write(operations).then(
      (outcomes) => {
        for (const [index, tell] of waiting.entries()) tell?.(outcomes[index] ?? 'failed');
      },
      (error: unknown) => {
        this.#log.warn('session-write-failed', {
          operations: operations.length,
          reason: String(error),
        });
        for (const tell of waiting) tell?.('failed');
      },
    );
  }

  /** Hands over what is collected and resolves when the last write has been answered. */
  async idle(): Promise<void> {
    this.flush();
    await this.#settled;
  }
}
