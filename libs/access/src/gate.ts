/**
 * Lets so much work run at a time; some more waits in line, and the rest is turned away.
 *
 * @remarks One for whom work is done may have as many places as are free, so that there are some for others: alone it has half of
 * them, two have a third each, and so on.
 */
export class Gate {
  readonly #runningMax: number;
  readonly #placesMax: number;
  readonly #waiting: (() => void)[] = [];
  /** The places of each, running or waiting. */
  readonly #placesOf = new Map<string, number>();
  #running = 0;

  constructor(runningMax: number, waitingMax: number) {
    this.#runningMax = runningMax;
    this.#placesMax = runningMax + waitingMax;
  }

  /**
   * Runs some work when it is its turn; undefined when there is too much before it.
   *
   * @param whose - for whom it is; work without it may have all places.
   */
  async run<Result>(work: () => Promise<Result>, whose = ''): Promise<Result | undefined> {
    const own = this.#placesOf.get(whose) ?? 0;
    const free = this.#placesMax - this.#running - this.#waiting.length;
    if (free === 0 || (whose !== '' && own >= free)) return undefined;
    this.#placesOf.set(whose, own + 1);
    if (this.#running < this.#runningMax) this.#running += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.#leave(whose);
    }
  }

  #leave(whose: string): void {
    const left = (this.#placesOf.get(whose) ?? 1) - 1;
    if (left > 0) this.#placesOf.set(whose, left);
    else this.#placesOf.delete(whose);
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}
