/** Capacity of a queue's first item; it doubles. A power of two. */
const CAPACITY_MIN = 4;
/** An empty queue keeps room for so many. */
const CAPACITY_KEPT = 64;

/**
 * A first-in, first-out queue whose every operation is O(1), amortised.
 *
 * @remarks A ring that doubles: Array.shift() moves every element, which is what stops other brokers under a flood. A
 * queue that items pass through one by one allocates nothing.
 */
export class Fifo<Item> {
  /** Its length is 0 or a power of two. */
  #items: (Item | undefined)[] = [];
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The oldest item, which stays; undefined when there is none. */
  peek(): Item | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#head];
  }

  /** Adds an item behind all others. The bound is the caller's: the queue has none. */
  push(item: Item): void {
    if (this.#size === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#size) & (this.#items.length - 1)] = item;
    this.#size += 1;
  }

  /** Takes the oldest item; undefined when there is none. */
  shift(): Item | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#size -= 1;
    if (this.#size === 0 && this.#items.length > CAPACITY_KEPT) this.clear();
    return item;
  }

  /** Drops all items. */
  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#size = 0;
  }

  /** The items from the oldest to the newest; the queue must not change meanwhile. */
  *[Symbol.iterator](): IterableIterator<Item> {
    for (let index = 0; index < this.#size; index += 1) {
      const item = this.#items[(this.#head + index) & (this.#items.length - 1)];
      if (item !== undefined) yield item;
    }
  }

  /** Makes room for twice as many, the oldest first again. */
  #grow(): void {
    const items = Array.from(this);
    this.#head = 0;
    const capacity = Math.max(CAPACITY_MIN, 2 * this.#size);
    this.#items = Array.from({ length: capacity }, (_, index) => items[index]);
  }
}
