/** A clock that stands still until a test moves it. */
export class FakeClock {
  #nowMs: number;

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
  }

  /** The time, as a function that can be handed to whoever takes a clock. */
  readonly now = (): number => this.#nowMs;

  /** Moves the clock forward. */
  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

/** A clock at a fixed time, moved by hand. */
export function fakeClock(startMs?: number): FakeClock {
  return new FakeClock(startMs);
}
