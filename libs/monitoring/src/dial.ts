/** The numbers of the alerts: what each is by default, and what it bounds. */
export const THRESHOLDS = {
  connectErrorBudget: [0.001, 'Share of connects that may fail by our fault (SLO connect).'],
  deliveryErrorBudget: [0.0001, 'Share of deliveries that may be dropped by our fault.'],
  latencyErrorBudget: [0.01, 'Share of deliveries that may take more than 250 ms.'],
  bridgeErrorBudget: [0.001, 'Share of records that a bridge may fail or drop.'],
  apiErrorBudget: [0.005, 'Share of requests that the admin API may answer with 5xx.'],
  interNodeBacklogMessages: [10_000, 'Messages that may wait for other nodes.'],
  redisP99Seconds: [0.1, 'How long the slowest of 100 Redis commands may take.'],
  connectionDropRatio: [0.8, 'Share of the connections of ten minutes ago that must be left.'],
  connectionDropMin: [100, 'Connections below which a drop says nothing.'],
  reconnectRatio: [0.02, 'Share of the clients that may connect each second.'],
  connectionCapacityRatio: [0.85, 'Share of its connection limit that a node may use.'],
  imbalanceRatio: [1.5, 'How many times the average the fullest node may have.'],
  imbalanceMinConnections: [1_000, 'Connections below which imbalance says nothing.'],
  authDenialsPerSecond: [10, 'Denied logins each second.'],
  authDenialRatio: [0.25, 'Share of logins that may be denied.'],
  certificateSeconds: [14 * 86_400, 'Time before its end when a certificate must be renewed.'],
  dropsPerSecond: [1, 'Deliveries each second that may be dropped for a bound that was hit.'],
  queueGrowthPerSecond: [10, 'By how many messages each second queues may grow.'],
  queueMessages: [10_000, 'Queued messages below which growth says nothing.'],
  eventLoopP99Seconds: [0.2, 'How long the event loop may be late.'],
  fileDescriptorRatio: [0.8, 'Share of the file descriptors that may be in use.'],
  heapRatio: [0.9, 'Share of the heap limit that may be in use.'],
  bufferFullSeconds: [3_600, 'How far ahead a full buffer of a bridge is foreseen.'],
  consumerLagRecords: [10_000, 'Records that a bridge from Kafka may be behind.'],
  apiP95Seconds: [0.5, 'How long the slowest of 20 requests to the admin API may take.'],
  seriesPerTarget: [5_000, 'Series that one process may expose.'],
} as const satisfies Readonly<Record<string, readonly [number, string]>>;

/** The name of a number of the alerts. */
export type Threshold = keyof typeof THRESHOLDS;

/** How long a condition holds before its alert fires, in Prometheus' own words. */
export type Hold = '0m' | '1m' | '2m' | '5m' | '10m' | '15m' | '30m' | '1h';

/** What the numbers and times of the rules are. The rules are written once and read through one of these. */
export interface Dial {
  /** A number as it stands in an expression. */
  threshold(name: Threshold): string;
  /** A range, a step or an offset. */
  window(text: string): string;
  /** How often rules are evaluated. */
  interval(text: string): string;
  /** The `for` of an alert. */
  hold(alert: string, text: Hold): string;
  /** Where the page of an alert is. */
  runbook(page: string): string;
}

/** Where the pages are in this repository; a chart puts an address before them. */
const RUNBOOKS = 'docs/runbooks';

/** The rules as they are by default. */
export const DEFAULT_DIAL: Dial = {
  threshold: (name) => String(THRESHOLDS[name][0]),
  window: (text) => text,
  interval: (text) => text,
  hold: (_, text) => text,
  runbook: (page) => `${RUNBOOKS}/${page}.md`,
};

/**
 * The rules with a placeholder for each value that a chart fills in: `@threshold:NAME@`, `@for:ALERT@`, `@runbooks@`. What Prometheus
 * expands itself (`{{ $labels.pod }}`) passes through the chart unread.
 */
export const CHART_DIAL: Dial = {
  ...DEFAULT_DIAL,
  threshold: (name) => `@threshold:${name}@`,
  hold: (alert) => `@for:${alert}@`,
  runbook: (page) => `@runbooks@/${page}.md`,
};

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/**
 * The rules in fast motion, for fire drills: every window and hold is so many times shorter, no window shorter than `least` seconds
 * (four scrapes), or it would see no rate.
 */
export function drillDial(times: number, least: number): Dial {
  const shorter = (text: string, floor: number): string =>
    text.replaceAll(/(\d+)([smhd])/g, (_, count: string, unit: string) => {
      const seconds = Number(count) * (UNIT_SECONDS[unit] ?? 1);
      return `${String(Math.max(Math.round(seconds / times), floor))}s`;
    });
  return {
    ...DEFAULT_DIAL,
    window: (text) => shorter(text, least),
    interval: (text) => shorter(text, 1),
    hold: (_, text) => shorter(text, 0),
  };
}
