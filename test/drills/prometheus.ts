import { z } from 'zod';

const SAMPLES = z.object({
  status: z.literal('success'),
  data: z.object({
    result: z.array(z.object({ values: z.array(z.tuple([z.number(), z.string()])) })),
  }),
});
const NAMES = z.object({ status: z.literal('success'), data: z.array(z.unknown()) });
const ALERTS = z.object({
  status: z.literal('success'),
  data: z.object({
    alerts: z.array(z.object({ labels: z.record(z.string(), z.string()), state: z.string() })),
  }),
});
const ASK_DEADLINE_MS = 30_000;
/** More points than this Prometheus refuses to give. */
const POINTS_MAX = 10_000;
const STEP_SECONDS = 2;

/** An alert that fires. */
export interface Firing {
  readonly name: string;
  readonly severity: string;
}

/** What a query has given. */
export interface Answer {
  /** Series with at least one number; of one that was never more than `NaN`, a panel shows nothing. */
  readonly series: number;
  /** Whether one of them was ever anything but 0. */
  readonly moved: boolean;
}

/** A Prometheus that runs already. */
export class Prometheus {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * What a query has given over the last so many seconds.
   *
   * @throws Error when Prometheus refuses the query.
   */
  async ask(query: string, seconds: number): Promise<Answer> {
    const end = Date.now() / 1_000;
    const step = String(Math.max(STEP_SECONDS, Math.ceil(seconds / POINTS_MAX)));
    const range = { query, start: String(end - seconds), end: String(end), step };
    const { data } = SAMPLES.parse(await this.#get('query_range', range));
    const series = data.result
      .map(({ values }) => values.map(([, value]) => Number(value)).filter(Number.isFinite))
      .filter((values) => values.length > 0);
    return { series: series.length, moved: series.some((values) => values.some(Boolean)) };
  }

  /** How many series a selector has. */
  async seriesOf(selector: string): Promise<number> {
    return NAMES.parse(await this.#get('series', { 'match[]': selector })).data.length;
  }

  /** Which alerts fire now. */
  async firing(): Promise<readonly Firing[]> {
    const { data } = ALERTS.parse(await this.#get('alerts'));
    return data.alerts
      .filter(({ state }) => state === 'firing')
      .map(({ labels }) => ({
        name: labels['alertname'] ?? '',
        severity: labels['severity'] ?? '',
      }));
  }

  async #get(path: string, query: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const url = `${this.#url}/api/v1/${path}?${new URLSearchParams(query).toString()}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(ASK_DEADLINE_MS) });
    return response.json();
  }
}
