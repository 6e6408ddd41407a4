/** Lets so much work run at a time; some more waits in line, not all of it of one, and the rest is turned away. */
export class Gate {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  readonly #waitingOfOneMax: number;
  readonly #waiting: (() => void)[] = [];
  /** How much waits of each. */
  readonly #waitingOf = new Map<string, number>();
  #running = 0;

  constructor(runningMax: number, waitingMax: number, waitingOfOneMax = waitingMax) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
    this.#waitingOfOneMax = waitingOfOneMax;
  }

  /**
   * Runs some work when it is its turn; undefined when there is too much before it.
   *
   * @param whose - for whom it is: nobody fills the line alone.
   */
  async run<Result>(work: () => Promise<Result>, whose = ''): Promise<Result | undefined> {
    if (this.#running < this.#runningMax) this.#running += 1;
    else if (!this.#hasRoomFor(whose)) return undefined;
    else await this.#turnOf(whose);
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #hasRoomFor(whose: string): boolean {
    const own = this.#waitingOf.get(whose) ?? 0;
    return this.#waiting.length < this.#waitingMax && own < this.#waitingOfOneMax;
  }

  async #turnOf(whose: string): Promise<void> {
    this.#waitingOf.set(whose, (this.#waitingOf.get(whose) ?? 0) + 1);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const left = (this.#waitingOf.get(whose) ?? 1) - 1;
    if (left > 0) this.#waitingOf.set(whose, left);
    else this.#waitingOf.delete(whose);
  }
}
