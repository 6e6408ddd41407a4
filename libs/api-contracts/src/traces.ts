import { z } from 'zod';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { MQTT_TEXT_MAX, named, timestampSchema } from './schema.ts';
import { EVENT_STREAM_TYPE } from './streams.ts';
import { topicFilterSchema } from './topic.ts';

/** What the content of a trace is. */
export const NDJSON_TYPE = 'application/x-ndjson';

/** For how long a trace may run. */
export const TRACE_SECONDS_MAX = 7 * 86_400;

const payloadSchema = z.enum(['none', 'text', 'base64']);

const traceFields = {
  client_id: z
    .string()
    .min(1)
    .max(MQTT_TEXT_MAX)
    .optional()
    .describe('Only of this client, from its CONNECT on; it need not be there yet.'),
  topic: topicFilterSchema
    .refine((filter) => !filter.startsWith('$share/') && !filter.startsWith('$exclusive/'), {
      message: 'Give the filter without $share or $exclusive',
    })
    .optional()
    .describe(
      'Only packets with a topic that this filter matches or a filter that meets it, under the names that the broker has for them.',
    ),
  ip: z
    .union([z.ipv4().max(64), z.ipv6().max(64), z.cidrv4().max(64), z.cidrv6().max(64)])
    .optional()
    .describe('Only of clients at this address, or in this network.'),
};

/** A trace. */
export const traceSchema = named(
  'Trace',
  z.object({
    id: z.string(),
    state: z.enum(['running', 'stopped', 'ended']).describe('`ended`: its time was over.'),
    ...traceFields,
    payload: payloadSchema,
    created_at: timestampSchema,
    created_by: z.string(),
    until: timestampSchema.describe('When it ends, or has ended.'),
    unavailable_nodes: z
      .array(z.string())
      .optional()
      .describe('In the reply to a change: nodes that hear of it when they answer again.'),
  }),
);

/** A trace. */
export type TraceView = z.output<typeof traceSchema>;

/** A trace that is wanted. */
export const traceCreateSchema = named(
  'TraceCreate',
  z
    .strictObject({
      ...traceFields,
      until: timestampSchema
        .optional()
        .describe('When it ends by itself, within seven days. Absent: in ten minutes.'),
      payload: payloadSchema
        .default('none')
        .describe('Whether payloads are recorded, and in which form; needs `payloads:read`.'),
    })
    .superRefine((trace, context) => {
      if (trace.client_id ?? trace.topic ?? trace.ip) return;
      const fault = 'Give client_id, topic or ip; of several all have to be so';
      context.addIssue({ code: 'custom', path: ['client_id'], message: fault, input: undefined });
    }),
);

const path = z.strictObject({
  trace_id: z.string().regex(/^[a-z0-9-]{1,64}$/, 'No id of a trace'),
});

const example = {
  id: 'trace-0c9f2f6a',
  state: 'running' as const,
  client_id: 'meter-7',
  payload: 'none' as const,
  created_at: '2026-01-02T03:04:05.678Z',
  created_by: 'key:k1',
  until: '2026-01-02T03:14:05.678Z',
};

/** Operations on traces. Who is bound to topics has none: a trace shows what clients do with any. */
export const TRACE_OPERATIONS = {
  listTraces: {
    method: 'get',
    path: '/api/v1/traces',
    tag: 'Traces',
    summary: 'List traces',
    description: 'The latest first: those that run, and those that are over and kept.',
    scope: 'traces:read',
    topics: [],
    query: z.strictObject(pageQuery),
    replies: { 200: pageReply('A page of traces.', listOf('TraceList', traceSchema)) },
    problems: ['invalid-cursor', 'storage-unavailable'],
    example: {
      reply: {
        items: [example],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  createTrace: {
    method: 'post',
    path: '/api/v1/traces',
    tag: 'Traces',
    summary: 'Trace a client, a topic or an address',
    description:
      'Records MQTT packets in both directions and what the nodes decide (why a CONNECT was refused, which rule denied, what was dropped and why), at all nodes, also those that come later. `api.traces.*` of the configuration bounds it; clients are never slowed.',
    scope: 'traces:write',
    topics: [],
    query: z.strictObject({}),
    body: traceCreateSchema,
    replies: {
      201: {
        description: 'It runs at all nodes but those that are named.',
        schema: traceSchema,
        headers: { Location: 'The trace.' },
      },
    },
    problems: [
      'invalid-filter',
      'limit-reached',
      'unprocessable',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: {
      body: { client_id: 'meter-7', until: '2026-01-02T03:14:05.678Z' },
      reply: example,
    },
  },
  getTrace: {
    method: 'get',
    path: '/api/v1/traces/{trace_id}',
    tag: 'Traces',
    summary: 'Show a trace',
    scope: 'traces:read',
    topics: [],
    pathParameters: path,
    query: z.strictObject({}),
    replies: { 200: { description: 'The trace.', schema: traceSchema } },
    problems: ['not-found', 'storage-unavailable'],
    example: { path: { trace_id: example.id }, reply: example },
  },
  deleteTrace: {
    method: 'delete',
    path: '/api/v1/traces/{trace_id}',
    tag: 'Traces',
    summary: 'Delete a trace and its content',
    description: 'One that runs ends. Nodes forget the content within some seconds.',
    scope: 'traces:write',
    topics: [],
    pathParameters: path,
    query: z.strictObject({}),
    replies: { 204: { description: 'Deleted.' } },
    problems: ['not-found', 'storage-unavailable'],
    example: { path: { trace_id: example.id } },
  },
  stopTrace: {
    method: 'post',
    path: '/api/v1/traces/{trace_id}/stop',
    tag: 'Traces',
    summary: 'End a trace now',
    description: 'Its content is kept. One that is over stays as it is.',
    scope: 'traces:execute',
    topics: [],
    pathParameters: path,
    query: z.strictObject({}),
    replies: { 200: { description: 'The trace.', schema: traceSchema } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: {
      path: { trace_id: example.id },
      reply: { ...example, state: 'stopped' as const },
    },
  },
  readTraceContent: {
    method: 'get',
    path: '/api/v1/traces/{trace_id}/content',
    tag: 'Traces',
    summary: 'Download what a trace has recorded, or follow it',
    description:
      'One JSON object a line, in the order of their times: the trace (`kind` `trace`), records (`packet`, `decision`), what was cut (`cut`: `reason` `rate` or `size`, and how many `records`), and at the end what each node has recorded and which nodes do not answer (`end`). With `Accept: text/event-stream` the same as Server-Sent Events whose names are the kinds: what there is, then what comes, until the trace is over (`partial` names nodes that fall silent); `Last-Event-ID` goes on after an event. Passwords and data of authentications are never in it, payloads only if the trace records them and the caller has `payloads:read`; without it user properties and correlation data of messages are left out too. What a node has recorded ends with its process.',
    scope: 'traces:read',
    topics: [],
    pathParameters: path,
    query: z.strictObject({}),
    headers: { 'Last-Event-ID': 'Of a stream: the `id` of the last event that was received.' },
    replies: {
      200: {
        description: 'The content.',
        contentType: NDJSON_TYPE,
        otherTypes: [EVENT_STREAM_TYPE],
        schema: z.string(),
      },
    },
    problems: ['not-found', 'overloaded', 'node-unavailable', 'storage-unavailable'],
    example: { path: { trace_id: example.id } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
