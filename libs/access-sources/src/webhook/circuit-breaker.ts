/** When calls that fail are given a rest. */
export interface CircuitBreakerOptions {
  /** So many failures in a row begin a rest. */
  readonly failuresMax: number;
  readonly restMs: number;
  readonly nowMs: () => number;
}

/** Keeps calls from somebody who has failed several times in a row; after a rest one call shows how it is. */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #failures = 0;
  #restUntilMs = 0;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  /** Whether a call may be made; after a rest, the one that asks first tries it. */
  mayCall(): boolean {
    const { failuresMax, restMs, nowMs } = this.#options;
    if (this.#failures < failuresMax) return true;
    if (nowMs() < this.#restUntilMs) return false;
    this.#restUntilMs = nowMs() + restMs;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(): void {
    const { failuresMax, restMs, nowMs } = this.#options;
    this.#failures += 1;
    if (this.#failures >= failuresMax) this.#restUntilMs = nowMs() + restMs;
  }
}
