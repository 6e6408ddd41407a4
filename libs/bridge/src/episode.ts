/** How long a trouble must not have shown itself before it is over, for it may come and go. */
const QUIET_MS = 10_000;

/** What is said when a trouble begins and when it is over. */
export interface EpisodeLines {
  begin(cause: string): void;
  end(): void;
}

/** A trouble that lasts: told once when it begins and once when all has gone well for a while. Its times are of the clock that never goes back. */
export class Episode {
  readonly #lines: EpisodeLines;
  #lastMs = 0;
  #cause: string | undefined;
  #isWell = false;

  constructor(lines: EpisodeLines) {
    this.#lines = lines;
  }

  /** What began it, while it lasts. */
  get cause(): string | undefined {
    return this.#cause;
  }

  /** The trouble shows itself. */
  seen(nowMs: number, cause: string): void {
    this.#lastMs = nowMs;
    this.#isWell = false;
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.#lines.begin(cause);
  }

  /** What the trouble prevents was done. */
  passed(): void {
    this.#isWell = true;
  }

  /** Looks whether it is over. */
  sweep(nowMs: number): void {
    if (this.#cause === undefined || !this.#isWell || nowMs - this.#lastMs < QUIET_MS) return;
    this.#cause = undefined;
    this.#lines.end();
  }
}
