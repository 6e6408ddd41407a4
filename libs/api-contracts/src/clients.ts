import { z } from 'zod';
import { CLIENT_FILTERS } from './client-filters.ts';
import { fieldsQuery, filterQuery, sortQuery } from './filters.ts';
import type { Operation } from './operation.ts';
import { CLIENT_ORDERS } from './session-command.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { countSchema, flagSchema, named, timestampSchema } from './schema.ts';

/** A client's session, connected or not. */
export const clientSchema = named(
  'Client',
  z.object({
    client_id: z.string(),
    username: z.string().nullable(),
    node: z.string().describe('The id of the node that owns the session.'),
    state: z.enum(['connected', 'disconnected']),
    listener: z.string().nullable(),
    remote_address: z.string().nullable(),
    mqtt_version: z.enum(['3.1', '3.1.1', '5']).nullable(),
    clean_start: z.boolean(),
    keep_alive_seconds: countSchema,
    connected_at: timestampSchema.nullable(),
    disconnected_at: timestampSchema.nullable(),
    session_expiry_seconds: countSchema.nullable().describe('Null: the session never expires.'),
    subscription_count: countSchema,
    queue_messages: countSchema,
    queue_bytes: countSchema,
    inflight_messages: countSchema,
    unsent_bytes: countSchema.describe('Bytes that wait for the client to take them.'),
    delivery_delay_seconds: z
      .number()
      .min(0)
      .nullable()
      .describe(
        'How long messages took of late from the broker until they were sent, a moving mean; null before the first.',
      ),
  }),
);

/** A client's session, connected or not. */
export type Client = z.infer<typeof clientSchema>;

/** What a DISCONNECT of an administrator may say (MQTT 5, table 3-10). */
const REASON_CODES = [0, 128, 131, 135, 137, 139, 142, 150, 151, 152, 156, 157, 159] as const;
const ADMINISTRATIVE_ACTION = 152;

/** What a DISCONNECT of an administrator may say. */
export const disconnectReasonCode = z.literal(REASON_CODES);

/** The path parameter of one client. */
export const clientPath = z.strictObject({
  client_id: z.string().min(1).describe('Any UTF-8, percent-encoded as one path segment.'),
});

/** What the examples of the document show. */
export const EXAMPLE_CLIENT: Client = {
  client_id: 'press/7',
  username: 'plant-1',
  node: 'node-1',
  state: 'connected',
  listener: 'tcp',
  remote_address: '127.0.0.1',
  mqtt_version: '5',
  clean_start: false,
  keep_alive_seconds: 60,
  connected_at: '2026-01-02T03:04:05.678Z',
  disconnected_at: null,
  session_expiry_seconds: 3600,
  subscription_count: 2,
  queue_messages: 0,
  queue_bytes: 0,
  inflight_messages: 1,
  unsent_bytes: 0,
  delivery_delay_seconds: 0.004,
};

/** Operations on clients. */
export const CLIENT_OPERATIONS = {
  listClients: {
    method: 'get',
    path: '/api/v1/clients',
    tag: 'Clients',
    summary: 'List clients',
    description:
      'Sessions of all nodes, connected or not, in the order of their client ids unless `sort` says otherwise. All filters given must hold; of a client without the value that is compared, none does. In another order than that of the ids, a client whose value changes meanwhile may come twice or not at all; `sort=-delivery_delay_seconds`, `-unsent_bytes` and `-queue_messages` show slow subscribers first, among sessions that a live node has.',
    scope: 'clients:read',
    query: z.strictObject({
      ...pageQuery,
      ...filterQuery(CLIENT_FILTERS),
      node: z.string().min(1).max(256).optional().describe('Only sessions that this node has.'),
      ...sortQuery(CLIENT_ORDERS),
      ...fieldsQuery(clientSchema),
    }),
    replies: {
      200: pageReply(
        'A page of clients.',
        listOf(
          'ClientList',
          named('ClientItem', clientSchema.partial().required({ client_id: true })),
        ),
      ),
    },
    problems: ['invalid-cursor', 'node-unavailable', 'storage-unavailable'],
    example: {
      query: { 'client_id[like]': 'press/', state: 'connected' },
      reply: {
        items: [EXAMPLE_CLIENT],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  getClient: {
    method: 'get',
    path: '/api/v1/clients/{client_id}',
    tag: 'Clients',
    summary: 'Show a client',
    description:
      'HTTP clients collapse the ids `.` and `..` even when encoded; find those through the list and its `client_id` filter.',
    scope: 'clients:read',
    pathParameters: clientPath,
    query: z.strictObject({}),
    replies: { 200: { description: 'The client.', schema: clientSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: { path: { client_id: 'press/7' }, reply: EXAMPLE_CLIENT },
  },
  disconnectClient: {
    method: 'delete',
    path: '/api/v1/clients/{client_id}',
    tag: 'Clients',
    summary: 'Disconnect a client',
    description:
      'Closes the connection; an MQTT 5 client is told the reason code, 0x98 (administrative action) if none is given. The session stays unless `clear_session` is true. When a node that might hold the client does not answer, the reply is 503 and the outcome unknown.',
    scope: 'clients:execute',
    pathParameters: clientPath,
    query: z.strictObject({
      reason_code: z
        .enum(REASON_CODES.map(String) as [string, ...string[]])
        .optional()
        .transform((text = String(ADMINISTRATIVE_ACTION)) => Number(text))
        .describe(`What an MQTT 5 client is told, 152 if absent: ${REASON_CODES.join(', ')}.`),
      publish_will: flagSchema
        .optional()
        .transform((flag) => flag ?? true)
        .describe('Whether the will becomes due; else it is dropped. True if absent.'),
      clear_session: flagSchema
        .default(false)
        .describe('Also end the session: its subscriptions and its queue are removed.'),
    }),
    replies: { 204: { description: 'Disconnected.' } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { client_id: 'press/7' }, query: { clear_session: 'true' } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
