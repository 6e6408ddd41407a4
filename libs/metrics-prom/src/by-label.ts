/** The label value of whatever is not known. */
export const OTHER = 'other';

/** Most bridges and most rules that have series of their own. */
export const OPEN_LABEL_MAX = 200;

/**
 * Finds the series of a label value without allocating.
 *
 * @remarks Values given at the start have their series from the start. Others get one until there are `max` of them;
 * beyond that they share the series `other`, so that nobody outside can grow a scrape without bound. Most values are
 * those of the message before, hence the comparison before the map is asked.
 */
export class ByLabel<Value extends string | number, Series> {
  readonly #series = new Map<Value | typeof OTHER, Series>();
  readonly #make: (value: Value | typeof OTHER) => Series;
  readonly #max: number;
  #latest: Value | undefined;
  #latestSeries: Series | undefined;

  constructor(
    values: readonly Value[],
    make: (value: Value | typeof OTHER) => Series,
    max = values.length,
  ) {
    this.#make = make;
    this.#max = max;
    for (const value of values) this.#series.set(value, make(value));
  }

  get(value: Value): Series {
    if (value === this.#latest && this.#latestSeries !== undefined) return this.#latestSeries;
    const series = this.#series.get(value) ?? this.#unknown(value);
    this.#latest = value;
    this.#latestSeries = series;
    return series;
  }

  /** Forgets the series of a value, whose place another may take; undefined when it has none of its own. */
  remove(value: Value): Series | undefined {
    const series = this.#series.get(value);
    this.#series.delete(value);
    this.#latest = undefined;
    this.#latestSeries = undefined;
    return series;
  }

  /** Every series there is. */
  all(): IterableIterator<Series> {
    return this.#series.values();
  }

  #unknown(value: Value): Series {
    const key = this.#series.size < this.#max ? value : OTHER;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const series = this.#make(key);
    this.#series.set(key, series);
    return series;
  }
}
