/**
 * Counts what waits in memory for the other side on this node, all rules of a connector together, against one bound.
 *
 * @remarks Records of a spool are added without asking: their rules bound what they hold in memory, and look at `isHalfFull`.
 */
export class BufferBudget {
  readonly #bytesMax: number;
  #records = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether what is durable elsewhere had better stay there: half of the room is left to what lives in memory alone. */
  get isHalfFull(): boolean {
    return this.#bytes * 2 >= this.#bytesMax;
  }

  /** Takes room for a record; false when there is none. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.add(bytes);
    return true;
  }

  /** Counts a record, room or not. */
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#records += 1;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
    this.#records -= 1;
  }
}
