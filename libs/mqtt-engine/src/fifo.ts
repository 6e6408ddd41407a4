/**
 * A first-in, first-out queue whose every operation is O(1), amortised.
 *
 * @remarks An array with a moving head, cut when half of it is spent: Array.shift() moves every element, which
 * is what stops other brokers under a flood.
 */
export class Fifo<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  /** The oldest item, which stays; undefined when there is none. */
  peek(): Item | undefined {
    return this.#items[this.#head];
  }

  /** Adds an item behind all others. The bound is the caller's: the queue has none. */
  push(item: Item): void {
    this.#items.push(item);
  }

  /** Takes the oldest item; undefined when there is none. */
  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Drops all items. */
  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  /** The items from the oldest to the newest; the queue must not change meanwhile. */
  *[Symbol.iterator](): IterableIterator<Item> {
    for (let index = this.#head; index < this.#items.length; index += 1) {
      const item = this.#items[index];
      if (item !== undefined) yield item;
    }
  }
}
