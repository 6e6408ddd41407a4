import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { ByLabel } from './by-label.ts';
import type { HistogramSpec, MetricSpec } from './metric-spec.ts';

/** The labels of one series. */
export type Labels = Readonly<Record<string, string>>;

/** One number of a scrape: written on the packet path as a plain field, read when a scrape comes. */
export interface Cell {
  value: number;
}

/**
 * The series of one counter or gauge.
 *
 * @remarks prom-client hashes labels on every change; that is left to the scrape, so a change costs an addition.
 */
export class Family {
  #rows: { readonly labels: Labels; readonly cell: Cell }[] = [];

  static counter(registry: Registry, spec: MetricSpec): Family {
    const family = new Family();
    const counter: Counter = new Counter({
      ...promSpec(registry, spec),
      collect: () => {
        counter.reset();
        for (const { labels, cell } of family.#rows) counter.inc(labels, cell.value);
      },
    });
    return family;
  }

  static gauge(registry: Registry, spec: MetricSpec): Family {
    const family = new Family();
    const gauge: Gauge = new Gauge({
      ...promSpec(registry, spec),
      collect: () => {
        gauge.reset();
        for (const { labels, cell } of family.#rows) gauge.set(labels, cell.value);
      },
    });
    return family;
  }

  /** Adds a series that starts at 0. */
  cell(labels: Labels = {}): Cell {
    const cell = { value: 0 };
    this.#rows.push({ labels, cell });
    return cell;
  }

  /** Takes a series away: what it was of is no more. */
  remove(cell: Cell): void {
    this.#rows = this.#rows.filter((row) => row.cell !== cell);
  }

  /** Adds a series for each value of a label, the others fixed. */
  by<Value extends string | number>(
    label: string,
    values: readonly Value[],
    fixed: Labels = {},
  ): ByLabel<Value, Cell> {
    return new ByLabel(values, (value) => this.cell({ ...fixed, [label]: String(value) }));
  }
}

/** One series of a histogram; an observation costs a search of at most twenty bounds. */
export class HistogramCell {
  readonly counts: number[];
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] ?? Infinity)) index += 1;
    this.add(index, 1);
    this.sum += value;
  }

  /** Counts observations made elsewhere into the bucket of this index; their sum is added by the caller. */
  add(index: number, count: number): void {
    this.counts[index] = (this.counts[index] ?? 0) + count;
  }
}

interface Sample {
  readonly labels: Labels | { readonly le: string | number };
  readonly sharedLabels: Labels;
  readonly value: number;
  readonly metricName: string;
}

/** The series of one histogram: prom-client's in form, with cells of our own instead of its hash map. */
export class HistogramFamily extends Histogram {
  readonly #rows: { readonly labels: Labels; readonly cell: HistogramCell }[] = [];
  readonly #spec: HistogramSpec;

  constructor(registry: Registry, spec: HistogramSpec) {
    super({ ...promSpec(registry, spec), buckets: [...spec.buckets] });
    this.#spec = spec;
  }

  /** Adds a series without observations. */
  cell(labels: Labels = {}): HistogramCell {
    const cell = new HistogramCell(this.#spec.buckets);
    this.#rows.push({ labels, cell });
    return cell;
  }

  /** Adds a series for each value of a label, the others fixed. */
  by<Value extends string | number>(
    label: string,
    values: readonly Value[],
    fixed: Labels = {},
  ): ByLabel<Value, HistogramCell> {
    return new ByLabel(values, (value) => this.cell({ ...fixed, [label]: String(value) }));
  }

  /** What the registry of prom-client asks a metric for. */
  async getForPromString() {
    const { name, help } = this.#spec;
    const values = this.#rows.flatMap(({ labels, cell }) => this.#samples(labels, cell));
    return { name, help, type: 'histogram', aggregator: 'sum', values };
  }

  #samples(sharedLabels: Labels, { counts, sum }: HistogramCell): readonly Sample[] {
    const { name, buckets } = this.#spec;
    let count = 0;
    const samples: Sample[] = counts.map((own, index) => {
      count += own;
      const labels = { le: buckets[index] ?? '+Inf' };
      return { labels, sharedLabels, value: count, metricName: `${name}_bucket` };
    });
    samples.push({ labels: {}, sharedLabels, value: sum, metricName: `${name}_sum` });
    samples.push({ labels: {}, sharedLabels, value: count, metricName: `${name}_count` });
    return samples;
  }
}

/** Makes the families of a group of counters. */
export function counterFamilies<Key extends string>(
  registry: Registry,
  specs: Readonly<Record<Key, MetricSpec>>,
): Readonly<Record<Key, Family>> {
  return mapValues(specs, (spec) => Family.counter(registry, spec));
}

/** Makes the families of a group of gauges. */
export function gaugeFamilies<Key extends string>(
  registry: Registry,
  specs: Readonly<Record<Key, MetricSpec>>,
): Readonly<Record<Key, Family>> {
  return mapValues(specs, (spec) => Family.gauge(registry, spec));
}

/** Makes the families of a group of histograms. */
export function histogramFamilies<Key extends string>(
  registry: Registry,
  specs: Readonly<Record<Key, HistogramSpec>>,
): Readonly<Record<Key, HistogramFamily>> {
  return mapValues(specs, (spec) => new HistogramFamily(registry, spec));
}

function mapValues<Key extends string, From, To>(
  from: Readonly<Record<Key, From>>,
  make: (value: From) => To,
): Readonly<Record<Key, To>> {
  const keys = Object.keys(from) as Key[];
  return Object.fromEntries(keys.map((key) => [key, make(from[key])])) as Record<Key, To>;
}

function promSpec(registry: Registry, { name, help, labels }: MetricSpec) {
  return { name, help, labelNames: [...labels], registers: [registry] };
}
