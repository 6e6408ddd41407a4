import { z } from 'zod';
import { SESSION_FILTERS } from './client-filters.ts';
import { clientPath } from './clients.ts';
import { fieldsQuery, filterQuery } from './filters.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { countSchema, named, timestampSchema } from './schema.ts';

/** The largest interval; it means for ever. */
const EXPIRY_MAX = 0xffff_ffff;

/** What the broker keeps of a client, connected or not. */
export const sessionSchema = named(
  'Session',
  z.object({
    client_id: z.string(),
    node: z
      .string()
      .describe('The node that has it, or has had it, when that has gone and none has taken over.'),
    username: z.string().nullable(),
    state: z.enum(['connected', 'disconnected']),
    durable: z.boolean().describe('Whether it is stored and may outlive its connection.'),
    created_at: timestampSchema,
    disconnected_at: timestampSchema.nullable(),
    expiry_seconds: countSchema
      .nullable()
      .describe('How long it outlives its connection. Null: for ever.'),
    expires_at: timestampSchema
      .nullable()
      .describe('Null while the client is connected, and for a session that never expires.'),
    subscription_count: countSchema,
    queue_messages: countSchema,
    queue_bytes: countSchema,
    inflight_messages: countSchema,
  }),
);

/** What the broker keeps of a client, connected or not. */
export type SessionView = z.infer<typeof sessionSchema>;

/** What can be changed of a session. */
export const sessionPatchSchema = named(
  'SessionPatch',
  z.strictObject({
    expiry_seconds: z
      .int()
      .min(1)
      .max(EXPIRY_MAX)
      .nullable()
      .describe(
        'How long it outlives its connection; of an offline session, from now. Null: for ever.',
      ),
  }),
);

const example: SessionView = {
  client_id: 'press/7',
  node: 'node-1',
  username: 'plant-1',
  state: 'disconnected',
  durable: true,
  created_at: '2026-01-02T03:04:05.678Z',
  disconnected_at: '2026-01-02T04:04:05.678Z',
  expiry_seconds: 3600,
  expires_at: '2026-01-02T05:04:05.678Z',
  subscription_count: 2,
  queue_messages: 17,
  queue_bytes: 3_400,
  inflight_messages: 0,
};
const unavailable = ['node-unavailable', 'storage-unavailable'] as const;

/** Operations on sessions. */
export const SESSION_OPERATIONS = {
  listSessions: {
    method: 'get',
    path: '/api/v1/sessions',
    tag: 'Sessions',
    summary: 'List sessions',
    description:
      'In the order of their client ids. All filters given must hold; of a session without the value that is compared, none does. Sessions of a node that has gone are listed before another one takes them over, too.',
    scope: 'sessions:read',
    query: z.strictObject({
      ...pageQuery,
      ...filterQuery(SESSION_FILTERS),
      node: z.string().min(1).max(256).optional().describe('Only sessions that this node has.'),
      ...fieldsQuery(sessionSchema),
    }),
    replies: {
      200: pageReply(
        'A page of sessions.',
        listOf(
          'SessionList',
          named('SessionItem', sessionSchema.partial().required({ client_id: true })),
        ),
      ),
    },
    problems: ['invalid-cursor', ...unavailable],
    example: {
      query: { state: 'disconnected', 'queue_size[gte]': '10' },
      reply: {
        items: [example],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  getSession: {
    method: 'get',
    path: '/api/v1/sessions/{client_id}',
    tag: 'Sessions',
    summary: 'Show a session',
    scope: 'sessions:read',
    pathParameters: clientPath,
    query: z.strictObject({}),
    replies: { 200: { description: 'The session.', schema: sessionSchema } },
    problems: ['not-found', ...unavailable],
    example: { path: { client_id: 'press/7' }, reply: example },
  },
  patchSession: {
    method: 'patch',
    path: '/api/v1/sessions/{client_id}',
    tag: 'Sessions',
    summary: 'Change how long a session outlives its connection',
    description:
      'A session that ends with its connection is not stored: it cannot be made to stay (409).',
    scope: 'sessions:write',
    pathParameters: clientPath,
    query: z.strictObject({}),
    body: sessionPatchSchema,
    bodyType: 'application/merge-patch+json',
    replies: { 200: { description: 'Changed.', schema: sessionSchema } },
    problems: ['not-found', 'conflict', ...unavailable],
    example: {
      path: { client_id: 'press/7' },
      body: { expiry_seconds: 86_400 },
      reply: { ...example, expiry_seconds: 86_400 },
    },
  },
  deleteSession: {
    method: 'delete',
    path: '/api/v1/sessions/{client_id}',
    tag: 'Sessions',
    summary: 'End a session',
    description:
      'Its subscriptions and its queue go, and its client is disconnected with 0x98. A will becomes due.',
    scope: 'sessions:write',
    pathParameters: clientPath,
    query: z.strictObject({}),
    replies: { 204: { description: 'Ended.' } },
    problems: ['not-found', ...unavailable],
    example: { path: { client_id: 'press/7' } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
