/** What bounds a MatchCache besides the number of its entries. */
export interface ByteBound<Result> {
  readonly bytesMax: number;
  /** About how much memory a result takes; asked whenever it is kept. */
  readonly bytesOf: (result: Result) => number;
}

/**
 * Keeps what topics matched, for as long as the trie that was asked stays at one version.
 *
 * @remarks Bounded by two generations: when the young one is full it becomes the old one, and what was not asked for since is
 * gone. It is full of entries, or of the bytes that they take. A get() allocates nothing. The results are shared: callers must not change them.
 */
export class MatchCache<Result> {
  readonly #generationMax: number;
  readonly #generationBytesMax: number;
  readonly #bytesOf: (result: Result) => number;
  #version = -1;
  #young = new Map<string, Result>();
  #old = new Map<string, Result>();
  #youngBytes = 0;

  /**
   * @param entriesMax - the most results kept, at least 2.
   * @param weighed - how many bytes a result takes, and the most that all of them may; one above half of that is not kept.
   */
  constructor(entriesMax: number, weighed?: ByteBound<Result>) {
    this.#generationMax = Math.max(1, Math.floor(entriesMax / 2));
    this.#generationBytesMax = (weighed?.bytesMax ?? Infinity) / 2;
    this.#bytesOf = weighed?.bytesOf ?? weightless;
  }

  /** The result for a topic, if it was set at this version of the trie and not evicted since. */
  get(topic: string, version: number): Result | undefined {
    if (version !== this.#version) return undefined;
    const young = this.#young.get(topic);
    if (young !== undefined) return young;
    const old = this.#old.get(topic);
    if (old !== undefined) this.#keep(topic, old);
    return old;
  }

  /** Keeps a result; those of another version are forgotten. */
  set(topic: string, version: number, result: Result): void {
    if (version !== this.#version) {
      this.#version = version;
      this.#young.clear();
      this.#youngBytes = 0;
      this.#old.clear();
    }
    this.#keep(topic, result);
  }

  #keep(topic: string, result: Result): void {
    const bytes = this.#bytesOf(result);
    if (bytes > this.#generationBytesMax) return;
    const isFull =
      this.#young.size >= this.#generationMax ||
      this.#youngBytes + bytes > this.#generationBytesMax;
    if (isFull) {
      const evicted = this.#old;
      this.#old = this.#young;
      this.#young = evicted;
      evicted.clear();
      this.#youngBytes = 0;
    }
    this.#youngBytes += bytes;
    this.#young.set(topic, result);
  }
}

function weightless(): number {
  return 0;
}
