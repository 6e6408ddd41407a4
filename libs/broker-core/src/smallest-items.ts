/** The smallest of many items: a heap whose top is the largest that is kept. A page of a large list needs no order of all of it. */
export class SmallestItems<Item extends Key, Key = Item> {
  readonly #heap: Item[] = [];
  readonly #limit: number;
  readonly #compare: (a: Key, b: Key) => number;

  constructor(limit: number, compare: (a: Key, b: Key) => number) {
    this.#limit = limit;
    this.#compare = compare;
  }

  /** Whether an item with this key would be kept. */
  takes(key: Key): boolean {
    const [largest] = this.#heap;
    return (
      this.#heap.length < this.#limit || (largest !== undefined && this.#compare(key, largest) < 0)
    );
  }

  add(item: Item): void {
    if (!this.takes(item)) return;
    if (this.#heap.length < this.#limit) return this.#rise(item);
    this.#sink(item);
  }

  /** What is kept, the smallest first. */
  sorted(): Item[] {
    return this.#heap.toSorted(this.#compare);
  }

  #rise(item: Item): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || this.#compare(parent, item) >= 0) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = item;
  }

  /** Puts an item in the place of the largest. */
  #sink(item: Item): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      if (left === undefined) break;
      const isRight = right !== undefined && this.#compare(right, left) > 0;
      const larger = isRight ? right : left;
      if (this.#compare(larger, item) <= 0) break;
      heap[at] = larger;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = item;
  }
}
