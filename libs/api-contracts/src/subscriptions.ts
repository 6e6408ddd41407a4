import { z } from 'zod';
import { clientPath } from './clients.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { countSchema, named } from './schema.ts';
import { topicNameSchema } from './topic.ts';

/** A subscription with its holder. */
export const subscriptionSchema = named(
  'Subscription',
  z.object({
    client_id: z.string(),
    filter: z.string().describe('As the client sent it, a `$share` prefix included.'),
    node: z.string(),
    qos: z.literal([0, 1, 2]),
    no_local: z.boolean(),
    retain_as_published: z.boolean(),
    retain_handling: z.literal([0, 1, 2]),
    subscription_identifier: countSchema.nullable(),
  }),
);

/** A subscription with its holder. */
export type Subscription = z.infer<typeof subscriptionSchema>;

const list = listOf('SubscriptionList', subscriptionSchema);

const example = {
  items: [
    {
      client_id: 'dashboard',
      filter: 'devices/+/telemetry',
      node: 'node-1',
      qos: 1,
      no_local: false,
      retain_as_published: false,
      retain_handling: 0,
      subscription_identifier: null,
    },
  ],
  page: { has_more: false, limit: 100 },
  meta: { partial: false, unavailable_nodes: [] },
};

/** Operations on subscriptions. */
export const SUBSCRIPTION_OPERATIONS = {
  listClientSubscriptions: {
    method: 'get',
    path: '/api/v1/clients/{client_id}/subscriptions',
    tag: 'Clients',
    summary: 'List the subscriptions of a client',
    scope: 'subscriptions:read',
    pathParameters: clientPath,
    query: z.strictObject({ ...pageQuery }),
    replies: {
      200: pageReply('A page of subscriptions.', list),
    },
    problems: ['not-found', 'invalid-cursor', 'node-unavailable'],
    example: { path: { client_id: 'dashboard' }, reply: example },
  },
  listSubscriptions: {
    method: 'get',
    path: '/api/v1/subscriptions',
    tag: 'Subscriptions',
    summary: 'List subscriptions',
    description: 'In the order of client id, then filter. All conditions given must hold.',
    scope: 'subscriptions:read',
    query: z.strictObject({
      ...pageQuery,
      filter: z.string().min(1).optional().describe('Exactly this filter.'),
      match_topic: topicNameSchema
        .optional()
        .describe('Only subscriptions that a message on this topic reaches.'),
      client_id: z.string().min(1).optional(),
      node: z.string().min(1).optional(),
    }),
    replies: {
      200: pageReply('A page of subscriptions.', list),
    },
    problems: ['invalid-cursor', 'invalid-topic', 'node-unavailable'],
    example: { query: { match_topic: 'devices/7/telemetry' }, reply: example },
  },
} as const satisfies Readonly<Record<string, Operation>>;
