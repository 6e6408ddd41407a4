/** Counts what waits for the other side on this node, all rules of a connector together, against one bound. */
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

  /** Takes room for a record; false when there is none. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    this.#records += 1;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
    this.#records -= 1;
  }
}
