/** Over how many minutes a load is averaged. */
export const LOAD_MINUTES = [1, 5, 15] as const;

/** How often something happens in a minute, averaged over the last 1, 5 and 15 minutes with fading weight. */
export class LoadAverage {
  #total = 0;
  readonly #averages = LOAD_MINUTES.map(() => 0);

  /** In the order of {@link LOAD_MINUTES}. */
  get averages(): readonly number[] {
    return this.#averages;
  }

  /**
   * Takes in what has happened.
   *
   * @param total - since the start.
   * @param seconds - since the last update, above 0.
   */
  update(total: number, seconds: number): void {
    const perMinute = ((total - this.#total) * 60) / seconds;
    this.#total = total;
    for (const [index, minutes] of LOAD_MINUTES.entries()) {
      const weight = Math.exp(-seconds / (60 * minutes));
      this.#averages[index] = perMinute + weight * ((this.#averages[index] ?? 0) - perMinute);
    }
  }
}
