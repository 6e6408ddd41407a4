import { z } from 'zod';
import type { Operation } from './operation.ts';
import { metaSchema } from './page.ts';
import { countSchema, named, timestampSchema } from './schema.ts';
import { STATS_FIGURES, STATS_TOTALS, type StatsFigure, type StatsTotal } from './stats-command.ts';
import { EVENT_STREAM_TYPE } from './streams.ts';

const figureShape = Object.fromEntries(
  Object.entries(STATS_FIGURES).map(([name, [, text]]) => [name, z.number().min(0).describe(text)]),
) as Record<StatsFigure, z.ZodNumber>;

const totalShape = Object.fromEntries(
  Object.entries(STATS_TOTALS).map(([name, text]) => [name, countSchema.describe(text)]),
) as Record<StatsTotal, z.ZodNumber>;

const ownSchema = z.object({ ...figureShape, ...totalShape });

/** See the type of the same name. */
export const statsSchema = named(
  'Stats',
  z.object({
    time: timestampSchema,
    cluster: ownSchema.describe('All nodes that have answered.'),
    nodes: z.array(ownSchema.extend({ node: z.string(), started_at: timestampSchema })),
    meta: metaSchema,
  }),
);

/** The cluster in figures, and each node. */
export type StatsView = z.infer<typeof statsSchema>;

const sampleSchema = z.object({ time: timestampSchema, ...figureShape });

/** See the type of the same name. */
export const statsHistorySchema = named(
  'StatsHistory',
  z.object({
    window_seconds: countSchema,
    resolution_seconds: countSchema,
    cluster: z.array(
      sampleSchema.extend({ nodes: countSchema.describe('How many nodes have this moment.') }),
    ),
    nodes: z.array(z.object({ node: z.string(), samples: z.array(sampleSchema) })),
    meta: metaSchema,
  }),
);

/** How figures have changed. */
export type StatsHistoryView = z.infer<typeof statsHistorySchema>;

const exampleFigures = {
  ...{ connections: 2, sessions: 3, subscriptions: 4, inflight_messages: 0, queue_messages: 7 },
  ...{ queue_bytes: 700, slow_consumers: 0, retained_messages: 1, retained_bytes: 40 },
  ...{ delayed_messages: 0, overload_level: 0, connects_per_second: 0.1 },
  ...{ messages_received_per_second: 20, messages_sent_per_second: 40 },
  ...{ messages_dropped_per_second: 0, bytes_received_per_second: 900 },
  bytes_sent_per_second: 1_800,
};
const exampleOwn = {
  ...exampleFigures,
  ...{ connects: 5, messages_received: 1_000, messages_sent: 2_000, messages_dropped: 0 },
  ...{ bytes_received: 45_000, bytes_sent: 90_000 },
};
const time = '2026-01-02T03:04:10.000Z';
const meta = { partial: false, unavailable_nodes: [] };

/** Operations on figures. */
export const STATS_OPERATIONS = {
  getStats: {
    method: 'get',
    path: '/api/v1/stats',
    tag: 'Statistics',
    summary: 'Show the cluster and its nodes in figures',
    description:
      'Rates are those of the latest ten seconds. What is counted since the start of a node begins anew with it, so the sum over the cluster may go down.',
    scope: 'stats:read',
    query: z.strictObject({}),
    replies: { 200: { description: 'The figures.', schema: statsSchema } },
    problems: ['node-unavailable'],
    example: {
      reply: {
        time,
        cluster: exampleOwn,
        nodes: [{ node: 'node-1', started_at: '2026-01-02T03:00:00.000Z', ...exampleOwn }],
        meta,
      },
    },
  },
  getStatsHistory: {
    method: 'get',
    path: '/api/v1/stats/history',
    tag: 'Statistics',
    summary: 'Show how the figures have changed',
    description:
      'Each node keeps its figures in memory since its start: every 10 seconds of the latest hour, and every 5 minutes of the latest day, with the means of the rates. A longer `window` than an hour is shown by the latter.',
    scope: 'stats:read',
    query: z.strictObject({
      window: z
        .string()
        .regex(
          /^(?:[1-9]\d{0,4}s|[1-9]\d{0,3}m|[1-9]\d?h)$/,
          'Seconds, minutes or hours: 600s, 15m, 24h',
        )
        .max(6)
        .transform(secondsOf)
        .refine((seconds) => seconds >= 10 && seconds <= 86_400, {
          message: 'Between 10s and 24h',
        })
        .prefault('1h')
        .describe('How far back: 10s to 24h.'),
      node: z.string().min(1).max(256).optional().describe('Only this node.'),
    }),
    replies: { 200: { description: 'The figures.', schema: statsHistorySchema } },
    problems: ['not-found', 'node-unavailable'],
    example: {
      query: { window: '15m' },
      reply: {
        window_seconds: 900,
        resolution_seconds: 10,
        cluster: [{ time, nodes: 1, ...exampleFigures }],
        nodes: [{ node: 'node-1', samples: [{ time, ...exampleFigures }] }],
        meta,
      },
    },
  },
  streamStats: {
    method: 'get',
    path: '/api/v1/stats/stream',
    tag: 'Statistics',
    summary: 'Follow the figures',
    description:
      'Server-Sent Events: `event: stats` with what `GET /stats` shows, at once and then each `interval_seconds`; a reader that is slower gets the figures of then, none are kept for it. A comment comes every 15 s. A reader that takes nothing for a minute is disconnected.',
    scope: 'stats:read',
    query: z.strictObject({
      interval_seconds: z.coerce.number().int().min(1).max(60).default(5),
    }),
    replies: {
      200: {
        description: 'Figures, until the reader or the API ends the stream.',
        contentType: EVENT_STREAM_TYPE,
        schema: z.string(),
      },
    },
    problems: ['overloaded', 'node-unavailable'],
    example: {},
  },
} as const satisfies Readonly<Record<string, Operation>>;

function secondsOf(text: string): number {
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 };
  return Number.parseInt(text, 10) * (units[text.slice(-1)] ?? 1);
}
