import { seededRandom } from '#libs/testkit';

/** Random choices that a seed determines. */
export class Random {
  readonly #next: () => number;

  /** The choices of the n-th case of a run: each case can be repeated alone. */
  constructor(seed: number, index = 0) {
    this.#next = seededRandom(Math.imul(index + 1, 0x9e37_79b1) ^ seed);
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.#next() * end);
  }

  /** True in one of so many cases. */
  oneIn(cases: number): boolean {
    return this.#next() * cases < 1;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}
