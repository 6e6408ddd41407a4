import { z } from 'zod';
import { BULK_ITEMS_MAX } from './bulk.ts';
import { itemResultsOf } from './item-results.ts';
import { clientPath } from './clients.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { MQTT_TEXT_MAX, countSchema, named } from './schema.ts';
import { topicFilterSchema, topicNameSchema } from './topic.ts';

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

/** A subscription that is wanted for a client. */
export const wantedSubscriptionSchema = z.strictObject({
  filter: topicFilterSchema.describe('A `$share` prefix included.'),
  qos: z.literal([0, 1, 2]).default(0),
  no_local: z.boolean().default(false),
  retain_as_published: z.boolean().default(false),
  retain_handling: z.literal([0, 1, 2]).default(0),
  subscription_identifier: z.int().min(1).max(268_435_455).optional(),
});

/** Subscriptions that are wanted for a client. */
export const subscribeRequestSchema = named(
  'SubscribeRequest',
  z.union([wantedSubscriptionSchema, z.array(wantedSubscriptionSchema).min(1).max(BULK_ITEMS_MAX)]),
);

/** A subscription that is wanted for a client. */
export type WantedSubscription = z.output<typeof wantedSubscriptionSchema>;

/** What became of subscriptions that were wanted. */
export const subscribeResultSchema = itemResultsOf('SubscribeResult', {
  filter: z.string(),
  qos: z.literal([0, 1, 2]).optional().describe('What was granted.'),
});

/** What became of subscriptions that were wanted. */
export type SubscribeResult = z.infer<typeof subscribeResultSchema>;

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
  subscribeClient: {
    method: 'post',
    path: '/api/v1/clients/{client_id}/subscriptions',
    tag: 'Clients',
    summary: 'Subscribe a client',
    description:
      'One subscription or up to 1,000. The client gets no SUBACK; what is retained is sent to it as for its own. The access control is asked whether it may. A filter that it has already is replaced. Exclusive subscriptions are refused: only a client can ask for them.',
    scope: 'subscriptions:write',
    topics: [
      { in: 'body', field: 'filter' },
      { in: 'body', field: '*.filter' },
    ],
    pathParameters: clientPath,
    query: z.strictObject({}),
    body: subscribeRequestSchema,
    replies: {
      200: { description: 'What became of each, in order.', schema: subscribeResultSchema },
    },
    problems: ['not-found', 'invalid-filter', 'node-unavailable', 'storage-unavailable'],
    example: {
      path: { client_id: 'press/7' },
      body: { filter: 'presses/7/commands', qos: 1 },
      reply: { items: [{ index: 0, status: 200, filter: 'presses/7/commands', qos: 1 }] },
    },
  },
  unsubscribeClient: {
    method: 'delete',
    path: '/api/v1/clients/{client_id}/subscriptions',
    tag: 'Clients',
    summary: 'End a subscription of a client',
    scope: 'subscriptions:write',
    topics: [{ in: 'query', field: 'filter' }],
    pathParameters: clientPath,
    query: z.strictObject({
      filter: z.string().min(1).max(MQTT_TEXT_MAX).describe('Exactly this filter.'),
    }),
    replies: { 204: { description: 'Ended.' } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { client_id: 'press/7' }, query: { filter: 'presses/7/commands' } },
  },
  listSubscriptions: {
    method: 'get',
    path: '/api/v1/subscriptions',
    tag: 'Subscriptions',
    summary: 'List subscriptions',
    description:
      'In the order of client id, then filter. All conditions given must hold. Sessions whose node has gone are among them, with that node, until another one takes them over.',
    scope: 'subscriptions:read',
    query: z.strictObject({
      ...pageQuery,
      filter: z.string().min(1).optional().describe('Exactly this filter.'),
      match_topic: topicNameSchema
        .optional()
        .describe('Only subscriptions that a message on this topic reaches.'),
      client_id: z.string().min(1).max(MQTT_TEXT_MAX).optional(),
      qos: z
        .enum(['0', '1', '2'])
        .transform((text) => Number(text) as 0 | 1 | 2)
        .optional()
        .describe('The QoS that was granted.'),
      shared_group: z
        .string()
        .min(1)
        .max(MQTT_TEXT_MAX)
        .optional()
        .describe('Only members of shared subscriptions of this group.'),
      node: z.string().min(1).max(256).optional(),
    }),
    replies: {
      200: pageReply('A page of subscriptions.', list),
    },
    problems: ['invalid-cursor', 'invalid-topic', 'node-unavailable'],
    example: { query: { match_topic: 'devices/7/telemetry' }, reply: example },
  },
} as const satisfies Readonly<Record<string, Operation>>;
