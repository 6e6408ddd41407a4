/** One family of series: what a scrape says about it. */
export interface MetricSpec {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** A family of histograms with its upper bounds, in the unit of the name. */
export interface HistogramSpec extends MetricSpec {
  readonly buckets: readonly number[];
}

/** Says what a family is. @internal */
export const metric = (name: string, help: string, ...labels: readonly string[]): MetricSpec => ({
  name,
  help,
  labels,
});

/** Gives a family its bounds. @internal */
export const histogram = (spec: MetricSpec, buckets: readonly number[]): HistogramSpec => ({
  ...spec,
  buckets,
});

/** Bounds of the time that a call takes. @internal */
export const CALL_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
