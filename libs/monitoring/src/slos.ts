import type { Dial, Threshold } from './dial.ts';

/** A service level objective over 30 days. */
export interface Slo {
  readonly name: 'connect' | 'delivery' | 'latency' | 'bridge' | 'api';
  /** As users read it. */
  readonly objective: string;
  readonly budget: Threshold;
  /** What goes wrong for users when the budget burns. */
  readonly meaning: string;
  readonly dashboard: string;
  /** The error ratio over a window. */
  ratio(window: string): string;
}

const rate = (series: string, window: string): string =>
  `sum by (namespace, job) (rate(${series}[${window}]))`;

/** A ratio that is absent where there is nothing to count: a recorded NaN would make NaN of every average over it, for 30 days. */
const ratio = (bad: string, all: string): string => `${bad} / (${all} > 0)`;

/** What users are promised, and how it is measured. */
export const SLOS: readonly Slo[] = [
  {
    name: 'connect',
    objective: '99.9 % of connects that the client did not spoil succeed',
    budget: 'connectErrorBudget',
    meaning: 'clients with right credentials are refused or time out',
    dashboard: 'skein-connections',
    ratio: (window) =>
      ratio(
        rate('skein_broker_connects_total{outcome="server_error"}', window),
        rate('skein_broker_connects_total{outcome!="client_error"}', window),
      ),
  },
  {
    name: 'delivery',
    objective: '99.99 % of deliveries are not dropped by our fault',
    budget: 'deliveryErrorBudget',
    meaning: 'messages for subscribers are dropped by our fault',
    dashboard: 'skein-messages',
    ratio: (window) => {
      const dropped = rate('skein_broker_deliveries_dropped_total{fault="server"}', window);
      return ratio(dropped, `(${rate('skein_broker_publish_sent_total', window)} + ${dropped})`);
    },
  },
  {
    name: 'latency',
    objective: '99 % of deliveries take at most 250 ms within the broker',
    budget: 'latencyErrorBudget',
    meaning: 'messages take more than 250 ms from PUBLISH to the socket of the subscriber',
    dashboard: 'skein-messages',
    ratio: (window) => {
      const all = rate('skein_broker_delivery_duration_seconds_count', window);
      const fast = rate('skein_broker_delivery_duration_seconds_bucket{le="0.25"}', window);
      return ratio(`(${all} - ${fast})`, all);
    },
  },
  {
    name: 'bridge',
    objective: '99.9 % of records reach the other side',
    budget: 'bridgeErrorBudget',
    meaning: 'records of bridges are refused by the other side or dropped',
    dashboard: 'skein-bridge',
    ratio: (window) =>
      ratio(
        rate('skein_bridge_records_total{outcome=~"failed|dropped"}', window),
        rate('skein_bridge_records_total{outcome!="filtered"}', window),
      ),
  },
  {
    name: 'api',
    objective: '99.5 % of requests to the admin API are not answered with 5xx',
    budget: 'apiErrorBudget',
    meaning: 'the admin API answers 5xx',
    dashboard: 'skein-api',
    ratio: (window) =>
      ratio(
        rate('skein_api_http_requests_total{code=~"5.."}', window),
        rate('skein_api_http_requests_total', window),
      ),
  },
];

/** The windows over which error ratios are recorded. */
export const SLO_WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const;

/** The name of the recorded error ratio. It keeps the window's usual name when a dial shortens the window. */
export function ratioName(slo: Slo, window: (typeof SLO_WINDOWS)[number]): string {
  return `namespace_job:skein_slo_${slo.name}_errors:ratio_rate${window}`;
}

/** How fast a budget burns before somebody is told. */
export interface BurnRate {
  readonly suffix: string;
  readonly factor: number;
  readonly long: (typeof SLO_WINDOWS)[number];
  readonly short: (typeof SLO_WINDOWS)[number];
  readonly hold: '2m' | '15m';
  readonly severity: 'critical' | 'warning';
  /** When the whole budget is gone at this rate. */
  readonly gone: string;
}

/** Two rates that wake somebody, two that wait for the morning. */
export const BURN_RATES: readonly BurnRate[] = [
  {
    ...{ suffix: '14_4x', factor: 14.4, long: '1h', short: '5m', hold: '2m' },
    ...{ severity: 'critical', gone: 'two days' },
  },
  {
    ...{ suffix: '6x', factor: 6, long: '6h', short: '30m', hold: '2m' },
    ...{ severity: 'critical', gone: 'five days' },
  },
  {
    ...{ suffix: '3x', factor: 3, long: '1d', short: '2h', hold: '15m' },
    ...{ severity: 'warning', gone: 'ten days' },
  },
  {
    ...{ suffix: '1x', factor: 1, long: '3d', short: '6h', hold: '15m' },
    ...{ severity: 'warning', gone: 'thirty days' },
  },
];

/** The condition of a burn rate: over both windows, so that it fires soon and stops soon. */
export function burnExpression(slo: Slo, { factor, long, short }: BurnRate, dial: Dial): string {
  const bound = `(${String(factor)} * ${dial.threshold(slo.budget)})`;
  return `${ratioName(slo, long)} > ${bound} and ${ratioName(slo, short)} > ${bound}`;
}

/** The capitalized name, as alerts have it. */
export function burnName(slo: Slo, { suffix }: BurnRate): string {
  return `${sloPage(slo)}${suffix}`;
}

/** The page of all burn rates of an objective. */
export function sloPage({ name }: Slo): string {
  return `SkeinSlo${name.slice(0, 1).toUpperCase()}${name.slice(1)}Burn`;
}
