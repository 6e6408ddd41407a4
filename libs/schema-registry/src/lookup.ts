/** What a lookup works with. */
export interface LookupOptions<Key, Value> {
  readonly ask: (key: Key) => Promise<Value>;
  /** Most answers that are kept: the one that was not used for longest goes first. */
  readonly entriesMax: number;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
}

interface Entry<Value> {
  /** The latest answer; undefined before the first. */
  answer: { readonly value: Value; readonly atMs: number } | undefined;
  asking: Promise<Value> | undefined;
  failures: number;
  failure: { readonly error: unknown; readonly untilMs: number } | undefined;
}

const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 10_000;

/**
 * Answers that come from elsewhere and are kept.
 *
 * @remarks One question per key is under way at a time, whoever asks. After a failure it is asked again when a growing pause
 * is over; until then the same error is given.
 */
export class Lookup<Key, Value> {
  readonly #options: LookupOptions<Key, Value>;
  readonly #entries = new Map<Key, Entry<Value>>();

  constructor(options: LookupOptions<Key, Value>) {
    this.#options = options;
  }

  /** The answer that is kept, however old. */
  known(key: Key): Value | undefined {
    return this.#entries.get(key)?.answer?.value;
  }

  /** How old the answer is; infinite without one. */
  ageMs(key: Key): number {
    const answer = this.#entries.get(key)?.answer;
    return answer === undefined ? Infinity : this.#options.clock() - answer.atMs;
  }

  /** Asks, whether an answer is kept or not; it rejects with what the question does. */
  ask(key: Key): Promise<Value> {
    const entry = this.#entryOf(key);
    const { failure } = entry;
    if (failure !== undefined && this.#options.clock() < failure.untilMs) {
      return Promise.reject(failure.error);
    }
    entry.asking ??= this.#ask(key, entry).finally(() => {
      entry.asking = undefined;
    });
    return entry.asking;
  }

  async #ask(key: Key, entry: Entry<Value>): Promise<Value> {
    const { ask, clock } = this.#options;
    try {
      const value = await ask(key);
      entry.answer = { value, atMs: clock() };
      entry.failure = undefined;
      entry.failures = 0;
      return value;
    } catch (error) {
      const pauseMs = Math.min(BACKOFF_MIN_MS * 2 ** entry.failures, BACKOFF_MAX_MS);
      entry.failures += 1;
      entry.failure = { error, untilMs: clock() + pauseMs };
      throw error;
    }
  }

  #entryOf(key: Key): Entry<Value> {
    const existing = this.#entries.get(key);
    const entry = existing ?? {
      answer: undefined,
      asking: undefined,
      failures: 0,
      failure: undefined,
    };
    // The map keeps the order of insertion: the last one used is the last one.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#options.entriesMax) break;
      this.#entries.delete(oldest);
    }
    return entry;
  }
}
