/** A part is split at about twice as many: a few milliseconds. */
const PART_MEAN = 8_192;

/**
 * A map from texts that may hold tens of millions.
 *
 * @remarks A Map of JavaScript ends at 2^24 entries, and each time it grows it moves all of them at once: seconds, when there are
 * millions. This one is many Maps, of which one at a time is split when entries are added (linear hashing). It does
 * not shrink. A small one costs a look-up no more than a Map.
 *
 * @internal
 */
export class WideMap<Value> {
  readonly #parts: Map<string, Value>[] = [new Map()];
  /** The power of two that there were parts before the round of splits at hand. */
  #round = 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): Value | undefined {
    return this.#partOf(key).get(key);
  }

  has(key: string): boolean {
    return this.#partOf(key).has(key);
  }

  set(key: string, value: Value): void {
    const part = this.#partOf(key);
    const before = part.size;
    part.set(key, value);
    this.#size += part.size - before;
    if (this.#size > this.#parts.length * PART_MEAN) this.#split();
  }

  delete(key: string): boolean {
    const isThere = this.#partOf(key).delete(key);
    if (isThere) this.#size -= 1;
    return isThere;
  }

  /** In no order; the map must not change meanwhile. */
  *keys(): Generator<string, void, undefined> {
    for (const part of this.#parts) yield* part.keys();
  }

  /** In no order; the map must not change meanwhile. */
  *values(): Generator<Value, void, undefined> {
    for (const part of this.#parts) yield* part.values();
  }

  #partOf(key: string): Map<string, Value> {
    const parts = this.#parts;
    const index = parts.length === 1 ? 0 : this.#indexOf(hashOf(key));
    return parts[index] as Map<string, Value>;
  }

  /** The parts before the one that is split next are split already: one more bit tells their halves apart. */
  #indexOf(hash: number): number {
    const index = hash & (2 * this.#round - 1);
    return index < this.#parts.length ? index : index - this.#round;
  }

  #split(): void {
    const parts = this.#parts;
    const at = parts.length - this.#round;
    const [staying, leaving] = [new Map<string, Value>(), new Map<string, Value>()];
    const bit = this.#round;
    for (const [key, value] of parts[at] ?? []) {
      ((hashOf(key) & bit) === 0 ? staying : leaving).set(key, value);
    }
    parts[at] = staying;
    parts.push(leaving);
    if (parts.length === 2 * this.#round) this.#round = parts.length;
  }
}

/** FNV-1a, with its high bits mixed into those that choose a part. */
function hashOf(text: string): number {
  let hash = 0x81_1c_9d_c5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01_00_01_93);
  }
  return hash ^ (hash >>> 15);
}
