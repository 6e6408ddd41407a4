/**
 * Keeps what topics matched, for as long as the trie that was asked stays at one version.
 *
 * @remarks Bounded by two generations: when the young one is full it becomes the old one, and what was not asked for since is
 * gone. A get() allocates nothing. The results are shared: callers must not change them.
 */
export class MatchCache<Result> {
  readonly #generationMax: number;
  #version = -1;
  #young = new Map<string, Result>();
  #old = new Map<string, Result>();

  /** @param entriesMax - the most results kept, at least 2. */
  constructor(entriesMax: number) {
    this.#generationMax = Math.max(1, Math.floor(entriesMax / 2));
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
      this.#old.clear();
    }
    this.#keep(topic, result);
  }

  #keep(topic: string, result: Result): void {
    if (this.#young.size >= this.#generationMax) {
      const evicted = this.#old;
      this.#old = this.#young;
      this.#young = evicted;
      evicted.clear();
    }
    this.#young.set(topic, result);
  }
}
