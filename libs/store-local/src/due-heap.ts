/** A number and the time at which it is due. */
export interface Due {
  readonly atMs: number;
  readonly number: number;
}

/** Numbers by the time at which they are due and, for equal times, by size: a binary heap. */
export class DueHeap {
  readonly #items: Due[] = [];

  /** The first one, which stays. */
  peek(): Due | undefined {
    return this.#items[0];
  }

  add(item: Due): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = items[parent];
      if (above === undefined || !isBefore(item, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  /** Takes the first one away. */
  shift(): Due | undefined {
    const first = this.#items[0];
    const last = this.#items.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first;
  }

  /** Puts an item at the top, and then as far down as it belongs. */
  #sink(item: Due): void {
    const items = this.#items;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const right = items[child + 1];
      let below = items[child];
      if (right !== undefined && below !== undefined && isBefore(right, below)) {
        child += 1;
        below = right;
      }
      if (below === undefined || !isBefore(below, item)) break;
      items[at] = below;
      at = child;
    }
    items[at] = item;
  }
}

function isBefore(one: Due, other: Due): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.number < other.number);
}
