import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  Histogram,
  Registry,
  collectDefaultMetrics,
  type MetricObject,
  type MetricValue,
} from 'prom-client';
import { openFilesGauge } from './open-files.ts';

/** A scrape: the page and the type to send it with. */
export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

const OPEN_FILES = 'process_open_fds';
/**
 * What is kept of prom-client's default metrics. Of the others some break the naming rules (promtool refuses
 * `nodejs_active_*_total`) and `nodejs_eventloop_lag_*` counts its own timer as lag.
 */
const KEPT = new Set([
  'process_cpu_user_seconds_total',
  'process_cpu_system_seconds_total',
  'process_cpu_seconds_total',
  'process_start_time_seconds',
  'process_resident_memory_bytes',
  'process_virtual_memory_bytes',
  'process_heap_bytes',
  OPEN_FILES,
  'process_max_fds',
  'nodejs_heap_size_total_bytes',
  'nodejs_heap_size_used_bytes',
  'nodejs_external_memory_bytes',
  'nodejs_gc_duration_seconds',
]);

/** Some hundred series: about a millisecond. */
const BYTES_PER_TURN = 8_192;

/** Makes a registry that knows the process it runs in. */
export function openRegistry(): Registry {
  const registry = new Registry();
  // The lag monitor cannot be left out; a resolution of an hour leaves it asleep.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 3_600_000 });
  for (const { name } of registry.getMetricsAsArray()) {
    if (!KEPT.has(name)) registry.removeSingleMetric(name);
  }
  const collections = registry.getSingleMetric('nodejs_gc_duration_seconds');
  // Else the series of a kind would begin with its first collection, which may be hours later.
  if (collections instanceof Histogram) for (const kind of GC_KINDS) collections.zero({ kind });
  if (registry.getSingleMetric(OPEN_FILES) !== undefined) {
    registry.removeSingleMetric(OPEN_FILES);
    openFilesGauge(registry);
  }
  return registry;
}

/** As prom-client calls them. */
const GC_KINDS = ['major', 'minor', 'incremental', 'weakcb'] as const;

/** Renders a registry in the format that the scraper asks for by its Accept header; clients are served in between. */
export async function expose(registry: Registry, accept = ''): Promise<Exposition> {
  const text = await render(registry);
  return accept.includes('application/openmetrics-text')
    ? { contentType: Registry.OPENMETRICS_CONTENT_TYPE, body: openMetrics(text) }
    : { contentType: Registry.PROMETHEUS_CONTENT_TYPE, body: text };
}

/**
 * What `registry.metrics()` gives, which renders everything in one turn of the event loop: some ten milliseconds for the series of a
 * node, during which no client is served.
 */
async function render(registry: Registry): Promise<string> {
  const pages: string[] = [];
  let bytes = 0;
  for (const metric of registry.getMetricsAsArray()) {
    const page = await registry.getSingleMetricAsString(metric.name);
    pages.push(page);
    bytes += page.length;
    if (bytes < BYTES_PER_TURN) continue;
    bytes = 0;
    await nextTurn();
  }
  return `${pages.join('\n\n')}\n`;
}

/** A metric with its values. */
export interface MetricSamples {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly {
    /** Where it is not that of the metric, as of the buckets of a histogram. */
    readonly name?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

/** The values of a registry. */
export async function samplesOf(registry: Registry): Promise<readonly MetricSamples[]> {
  const metrics = (await registry.getMetricsAsJSON()) as (MetricObject & {
    readonly values: readonly MetricValue<string>[];
  })[];
  return metrics.map(({ name, help, type, values }) => ({
    ...{ name, help, type: String(type) },
    samples: values.map((each) => sampleOf(name, each)),
  }));
}

function sampleOf(
  metric: string,
  { labels, value, metricName }: MetricValue<string> & { readonly metricName?: string },
): MetricSamples['samples'][number] {
  const texts = Object.entries(labels).map(([label, text]) => [label, String(text)] as const);
  return {
    labels: Object.fromEntries(texts),
    value,
    ...(metricName !== undefined && metricName !== metric && { name: metricName }),
  };
}

/**
 * prom-client ties one format to a registry. The formats differ in three things that we use: a counter's family has
 * no `_total`, no line is blank, and the page has an end.
 */
function openMetrics(text: string): string {
  const lines = text.replaceAll(/^# (HELP|TYPE) (\S+)_total /gm, '# $1 $2 ');
  return `${lines.replaceAll(/\n{2,}/g, '\n')}# EOF\n`;
}
