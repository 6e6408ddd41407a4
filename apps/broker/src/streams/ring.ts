/** How much a ring keeps. */
export interface RingBounds {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

/** A part of what came. */
export interface RingPart<Entry> {
  readonly entries: readonly Entry[];
  /** The number of the last entry that was looked at. */
  readonly last: number;
  /** How many entries after the position asked for are gone. */
  readonly lost: number;
}

/** The latest entries of what comes, numbered from 1: bounded, for readers who come back with the number of the last one they had. */
export class Ring<Entry> {
  readonly #bounds: RingBounds;
  readonly #sizeOf: (entry: Entry) => number;
  #entries: Entry[] = [];
  /** Where in the list the oldest one is: what is before it has gone. */
  #begin = 0;
  #last = 0;
  #bytes = 0;
  #waiters = new Set<() => void>();

  constructor(bounds: RingBounds, sizeOf: (entry: Entry) => number) {
    this.#bounds = bounds;
    this.#sizeOf = sizeOf;
  }

  /** The number of the latest entry; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** How many wait for what comes. */
  get waiting(): number {
    return this.#waiters.size;
  }

  append(entry: Entry): void {
    this.#entries.push(entry);
    this.#last += 1;
    this.#bytes += this.#sizeOf(entry);
    const { entriesMax, bytesMax } = this.#bounds;
    while (this.#size > entriesMax || (this.#bytes > bytesMax && this.#size > 1)) this.#drop();
    if (this.#waiters.size > 0) this.#wake();
  }

  /** Entries after a number, as far as they are wanted; at most so many are looked at and so many given. */
  read(after: number, limit: number, isWanted: (entry: Entry) => boolean): RingPart<Entry> {
    const first = this.#last - this.#size + 1;
    const from = Math.max(after + 1, first);
    const entries: Entry[] = [];
    let last = from - 1;
    for (let at = this.#begin + (from - first); at < this.#entries.length; at += 1) {
      const entry = this.#entries[at];
      if (entry === undefined || entries.length === limit) break;
      last += 1;
      if (isWanted(entry)) entries.push(entry);
    }
    return { entries, last, lost: from - after - 1 };
  }

  /** Resolves when there is something after a number, at the latest after so long. */
  async after(number: number, withinMs: number): Promise<void> {
    if (this.#last > number || withinMs <= 0) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        // Where nothing comes for days, those who have waited do not pile up.
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.#waiters.add(done);
    });
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#wake();
  }

  get #size(): number {
    return this.#entries.length - this.#begin;
  }

  #drop(): void {
    const entry = this.#entries[this.#begin];
    if (entry !== undefined) this.#bytes -= this.#sizeOf(entry);
    this.#begin += 1;
    if (this.#begin < this.#entries.length / 2 || this.#begin < 64) return;
    this.#entries = this.#entries.slice(this.#begin);
    this.#begin = 0;
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }
}
