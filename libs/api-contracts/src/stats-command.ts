/** What is known of a node at a moment, and how nodes are taken together: what all of them see alike is not added up. */
export const STATS_FIGURES = {
  connections: ['sum', 'Clients that are connected.'],
  sessions: ['sum', 'Sessions, their clients connected or not.'],
  subscriptions: ['sum', 'Subscriptions of these sessions.'],
  inflight_messages: ['sum', 'Sent and not acknowledged.'],
  queue_messages: ['sum', 'Messages that wait for clients.'],
  queue_bytes: ['sum', 'Their bytes.'],
  slow_consumers: ['sum', 'Clients that do not take what is sent.'],
  retained_messages: ['max', 'Retained messages of the cluster.'],
  retained_bytes: ['max', 'Their bytes.'],
  delayed_messages: ['max', 'Messages of the cluster that wait for their time.'],
  overload_level: ['max', '0: not too much to do; 3: reading from publishers is held.'],
  connects_per_second: ['sum', 'CONNECT packets answered.'],
  messages_received_per_second: ['sum', 'PUBLISH packets of clients.'],
  messages_sent_per_second: ['sum', 'PUBLISH packets to clients.'],
  messages_dropped_per_second: ['sum', 'Deliveries that were not made.'],
  bytes_received_per_second: ['sum', 'Bytes read from clients.'],
  bytes_sent_per_second: ['sum', 'Bytes written to clients.'],
} as const satisfies Readonly<Record<string, readonly ['sum' | 'max', string]>>;

/** A figure of a node at a moment. */
export type StatsFigure = keyof typeof STATS_FIGURES;

/** What a node has counted since its start. */
export const STATS_TOTALS = {
  connects: 'CONNECT packets answered.',
  messages_received: 'PUBLISH packets of clients.',
  messages_sent: 'PUBLISH packets to clients.',
  messages_dropped: 'Deliveries that were not made.',
  bytes_received: 'Bytes read from clients.',
  bytes_sent: 'Bytes written to clients.',
} as const;

/** What a node has counted since its start. */
export type StatsTotal = keyof typeof STATS_TOTALS;

/** The figures of a moment. */
export type WireFigures = Readonly<Record<StatsFigure, number>>;

/** Figures of a moment in a row of them. */
export interface WireSample {
  /** The end of its time, a multiple of the resolution: the samples of all nodes have the same moments. */
  readonly atMs: number;
  readonly figures: WireFigures;
}

/** What the API asks of a node about its figures. */
export type StatsCommand =
  { readonly kind: 'stats' } | { readonly kind: 'stats-history'; readonly windowMs: number };

/** Whether a command is of this group. */
export function isStatsCommand(command: { readonly kind: string }): command is StatsCommand {
  return command.kind === 'stats' || command.kind === 'stats-history';
}

/** The answers by kind of command. */
export interface StatsAnswers {
  readonly stats: {
    readonly startedAtMs: number;
    readonly figures: WireFigures;
    readonly totals: Readonly<Record<StatsTotal, number>>;
  };
  readonly 'stats-history': {
    readonly resolutionMs: number;
    readonly samples: readonly WireSample[];
  };
}
