import { z } from 'zod';

const SAMPLES = z.object({
  status: z.literal('success'),
  data: z.object({ result: z.array(z.object({ metric: z.record(z.string(), z.string()) })) }),
});
const ALERTS = z.object({
  status: z.literal('success'),
  data: z.object({
    alerts: z.array(z.object({ labels: z.record(z.string(), z.string()), state: z.string() })),
  }),
});
const ASK_DEADLINE_MS = 10_000;

/** An alert that fires. */
export interface Firing {
  readonly name: string;
  readonly severity: string;
}

/** A Prometheus that runs already. */
export class Prometheus {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * How many series a query has had over the last so many seconds.
   *
   * @throws Error when Prometheus refuses the query.
   */
  async seriesOf(query: string, seconds: number): Promise<number> {
    const end = Date.now() / 1_000;
    const range = { query, start: String(end - seconds), end: String(end), step: '5' };
    const { data } = SAMPLES.parse(await this.#get('query_range', range));
    return data.result.length;
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
