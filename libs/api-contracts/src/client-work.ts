import { z } from 'zod';
import { BULK_ITEMS_MAX } from './bulk.ts';
import { CLIENT_FILTERS, SESSION_FILTERS } from './client-filters.ts';
import { disconnectReasonCode } from './clients.ts';
import { filterBody, isSomeFilter } from './filters.ts';
import { itemFields } from './item-results.ts';
import { ACCEPTED, acceptedExample } from './long-operations.ts';
import type { Operation } from './operation.ts';
import { MQTT_TEXT_MAX, named } from './schema.ts';

const BAN_SECONDS_MAX = 31_536_000;

const node = z.string().min(1).max(256).optional().describe('Only sessions that this node has.');

const NOTHING = 'Name at least one condition';

const clientFilter = named(
  'ClientFilter',
  z
    .strictObject({ ...filterBody(CLIENT_FILTERS), node })
    .refine(isSomeFilter, NOTHING)
    .describe(
      'The filters of the list of clients; `field[gte]=1` is `{"field": {"gte": 1}}` here. All must hold.',
    ),
);

const sessionFilter = named(
  'SessionFilter',
  z
    .strictObject({ ...filterBody(SESSION_FILTERS), node })
    .refine(isSomeFilter, NOTHING)
    .describe(
      'The filters of the list of sessions; `field[gte]=1` is `{"field": {"gte": 1}}` here. All must hold.',
    ),
);

const perSecond = z.int().min(1).max(100_000);
const dryRun = z
  .boolean()
  .default(false)
  .describe('Changes nothing, and names those that it would change.');

/** Which clients are to be disconnected, and how. */
export const disconnectRequestSchema = named(
  'ClientDisconnects',
  z
    .strictObject({
      client_ids: z
        .array(z.string().min(1).max(MQTT_TEXT_MAX))
        .min(1)
        .max(BULK_ITEMS_MAX)
        .optional()
        .describe('Any client ids, also those that no path can carry.'),
      filter: clientFilter.optional(),
      per_second: perSecond
        .optional()
        .describe('With `filter` only: so many each second at most; 1000 if absent.'),
      reason_code: disconnectReasonCode
        .default(152)
        .describe('What MQTT 5 clients are told: 152, administrative action, if absent.'),
      publish_will: z
        .boolean()
        .default(true)
        .describe('Whether wills become due; else they are dropped.'),
      clear_session: z
        .boolean()
        .default(false)
        .describe('Also ends the sessions, of clients that are away, too.'),
      ban_for_seconds: z
        .int()
        .min(1)
        .max(BAN_SECONDS_MAX)
        .optional()
        .describe(
          'Those that are disconnected may not come back for so long: a ban on each client id, right after. Needs `bans:write`, too.',
        ),
      dry_run: dryRun,
    })
    .refine((body) => (body.client_ids === undefined) !== (body.filter === undefined), {
      message: 'Give either client_ids or filter',
      path: ['client_ids'],
    })
    .refine((body) => body.per_second === undefined || body.filter !== undefined, {
      message: 'Only with filter',
      path: ['per_second'],
    }),
);

/** What became of each client. */
export const disconnectResultsSchema = named(
  'ClientDisconnectResults',
  z.object({
    dry_run: z.boolean(),
    items: z.array(
      z.object({
        ...itemFields,
        client_id: z.string(),
        was: z.enum(['connected', 'disconnected']).nullable().describe('Null: nobody knows it.'),
      }),
    ),
  }),
);

/** What became of clients that were to be disconnected. */
export type DisconnectResults = z.infer<typeof disconnectResultsSchema>;

/** What became of one of them. */
export type DisconnectResult = DisconnectResults['items'][number];

/** Which sessions are to be ended. */
export const purgeRequestSchema = named(
  'SessionPurge',
  z.strictObject({
    filter: sessionFilter,
    per_second: perSecond.optional().describe('So many each second at most; 1000 if absent.'),
    dry_run: dryRun,
  }),
);

const problems = ['limit-reached', 'node-unavailable', 'storage-unavailable'] as const;

/** Operations on many clients at once. */
export const CLIENT_WORK_OPERATIONS = {
  disconnectClients: {
    method: 'post',
    path: '/api/v1/client-disconnects',
    tag: 'Clients',
    summary: 'Disconnect many clients',
    description:
      'With `client_ids` all at once: the reply says what became of each. With `filter` as a long operation, in the order of client ids: only clients that are connected, unless `clear_session` is true. Its `result` counts `matched`, `disconnected`, `banned` and `not_done`, has the first hundred `problems`, says in `unavailable_nodes` which nodes did not answer, and with `dry_run` has the first thousand `client_ids`. A ban of a client that is banned already stays as it is.',
    scope: 'clients:execute',
    query: z.strictObject({}),
    body: disconnectRequestSchema,
    replies: {
      200: { description: 'What became of each.', schema: disconnectResultsSchema },
      202: { ...ACCEPTED, example: acceptedExample('client-disconnects') },
    },
    problems,
    example: {
      body: { client_ids: ['press/7', '..'], reason_code: 139 },
      reply: {
        dry_run: false,
        items: [
          { index: 0, status: 204, client_id: 'press/7', was: 'connected' },
          {
            ...{ index: 1, status: 404, client_id: '..', was: null },
            problem: {
              ...{ code: 'not-found', title: 'Not found', status: 404 },
              detail: 'No node has this client',
            },
          },
        ],
      },
    },
  },
  purgeSessions: {
    method: 'post',
    path: '/api/v1/session-purges',
    tag: 'Sessions',
    summary: 'End many sessions',
    description:
      'A long operation, in the order of client ids: subscriptions and queues go, clients that are connected are disconnected with 0x98, wills become due. Its `result` counts `matched`, `ended` and `not_done`, has the first hundred `problems`, says in `unavailable_nodes` which nodes did not answer, and with `dry_run` has the first thousand `client_ids`. A session whose node has gone cannot be ended before another one has taken it over.',
    scope: 'sessions:execute',
    query: z.strictObject({}),
    body: purgeRequestSchema,
    replies: { 202: ACCEPTED },
    problems: ['limit-reached', 'storage-unavailable'],
    example: {
      body: { filter: { state: 'disconnected', queue_size: { gte: 1000 } }, dry_run: true },
      reply: acceptedExample('session-purges'),
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
