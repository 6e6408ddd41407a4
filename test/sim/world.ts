import { Random } from '../fuzz/random.ts';

/** Cancels what was scheduled. */
export type Cancel = () => void;

interface Event {
  readonly atMs: number;
  /** Events of one moment happen in the order in which they were scheduled. */
  readonly order: number;
  run: (() => void) | undefined;
}

/** Where the wall clocks of a simulation begin: milliseconds since 1970. */
export const EPOCH_MS = 1_700_000_000_000;

/** Time and chance of a simulation: one queue of events, and whatever an event starts ends before the next one. */
export class World {
  readonly #random: Random;
  readonly #heap: Event[] = [];
  readonly #trace: ((line: string) => void) | undefined;
  #nowMs = 0;
  #scheduled = 0;
  #steps = 0;

  /** @param trace - is told what happens, one line each. */
  constructor(seed: number, trace?: (line: string) => void) {
    this.#random = new Random(seed);
    this.#trace = trace;
  }

  /** Milliseconds since the simulation began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events so far. */
  get steps(): number {
    return this.#steps;
  }

  get isTraced(): boolean {
    return this.#trace !== undefined;
  }

  /** Writes a line if there is a trace. */
  tell(who: string, text: () => string): void {
    this.#trace?.(`${this.#nowMs.toFixed(3).padStart(10)} ${who.padEnd(8)} ${text()}`);
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return this.#random.below(end);
  }

  /** True with a probability from 0 to 1. */
  chance(probability: number): boolean {
    return this.#random.below(1_000_000) < probability * 1_000_000;
  }

  /** A number between two, most often near the lower one, as delays are. */
  delay(leastMs: number, mostMs: number): number {
    const share = this.#random.below(1_000_000) / 1_000_000;
    return leastMs + (mostMs - leastMs) * share ** 3;
  }

  /** A number between two. */
  between(least: number, most: number): number {
    return least + ((most - least) * this.#random.below(1_000_000)) / 1_000_000;
  }

  pick<Item>(items: readonly Item[]): Item {
    return this.#random.pick(items);
  }

  /** Runs something later; 0 is after all that happens at this moment already. */
  after(ms: number, run: () => void): Cancel {
    return this.at(this.#nowMs + ms, run);
  }

  /** Runs something at a time, or now if that has passed. */
  at(atMs: number, run: () => void): Cancel {
    this.#scheduled += 1;
    const event: Event = { atMs: Math.max(this.#nowMs, atMs), order: this.#scheduled, run };
    this.#push(event);
    return () => (event.run = undefined);
  }

  /**
   * Lets time pass until a condition holds.
   *
   * @returns whether it holds.
   */
  async runUntil(condition: () => boolean, withinMs: number): Promise<boolean> {
    const untilMs = this.#nowMs + withinMs;
    while (!condition()) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = untilMs;
        return condition();
      }
      this.#pop();
      const { run } = next;
      if (run === undefined) continue;
      this.#nowMs = next.atMs;
      this.#steps += 1;
      run();
      await settled();
    }
    return true;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = heap[2 * index + 1];
      const right = heap[2 * index + 2];
      if (left === undefined) break;
      const isLeft = right === undefined || isBefore(left, right);
      const child = isLeft ? left : right;
      if (isBefore(last, child)) break;
      heap[index] = child;
      index = 2 * index + (isLeft ? 1 : 2);
    }
    heap[index] = last;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

/** Resolves when every promise that could go on has done so. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
