import { z } from 'zod';
import type { Operation } from './operation.ts';
import { listOf, metaSchema, pageQuery, pageReply, pageSchema } from './page.ts';
import { MQTT_TEXT_MAX, countSchema, flagSchema, named, timestampSchema } from './schema.ts';
import { TOPIC_METRICS_MAX } from './topic-command.ts';
import { topicFilterSchema, topicNameSchema } from './topic.ts';

/** How many levels one answer of the tree shows. */
const DEPTH_MAX = 10;

/** How many members of a group are shown. */
export const SHARED_MEMBERS_MAX = 1_000;

/** A level of topics. */
export const topicLevelSchema = named(
  'TopicLevel',
  z.object({
    topic: z.string().describe('The levels up to this one; wildcards of filters are levels too.'),
    retained_messages: countSchema.describe('At this level and below.'),
    subscription_filters: countSchema.describe('Different filters, added up over the nodes.'),
    has_children: z.boolean(),
  }),
);

/** A level of topics. */
export type TopicLevelView = z.infer<typeof topicLevelSchema>;

/** A page of levels. */
export const topicLevelListSchema = named(
  'TopicLevelList',
  z.object({
    items: z.array(topicLevelSchema),
    page: pageSchema,
    meta: metaSchema,
    complete: z
      .boolean()
      .describe('False when a node knows more names than it looks at for one answer.'),
  }),
);

/** A page of levels. */
export type TopicLevelList = z.infer<typeof topicLevelListSchema>;

const sharedSubscriptionSchema = z.object({
  filter: z.string(),
  members: countSchema,
  connected_members: countSchema,
  lag_messages: countSchema.describe(
    'Messages that wait for the members or for their acknowledgement, of whatever subscription.',
  ),
});

/** A group of shared subscriptions. */
export const sharedGroupSchema = named(
  'SharedGroup',
  z.object({
    group: z.string(),
    strategy: z.string().describe('How a member is chosen for a message.'),
    members: countSchema,
    connected_members: countSchema,
    lag_messages: countSchema,
    subscriptions: z.array(sharedSubscriptionSchema),
  }),
);

/** A group of shared subscriptions. */
export type SharedGroupView = z.infer<typeof sharedGroupSchema>;

/** A group with its members. */
export const sharedGroupDetailsSchema = named(
  'SharedGroupDetails',
  sharedGroupSchema.extend({
    member_list: z
      .array(
        z.object({
          client_id: z.string(),
          filter: z.string(),
          node: z.string(),
          connected: z.boolean(),
          queue_messages: countSchema,
          inflight_messages: countSchema,
        }),
      )
      .describe(`The members, at most ${SHARED_MEMBERS_MAX} of them.`),
    meta: metaSchema,
  }),
);

/** A group with its members. */
export type SharedGroupDetails = z.infer<typeof sharedGroupDetailsSchema>;

const countsSchema = z.object({
  messages: countSchema,
  qos0: countSchema,
  qos1: countSchema,
  qos2: countSchema,
  bytes: countSchema.describe('Of payloads.'),
  per_second: z.number().min(0).describe('Of the latest ten seconds.'),
});

/** A filter whose messages are counted. */
export const topicMetricSchema = named(
  'TopicMetric',
  z.object({
    id: z.string(),
    filter: z.string(),
    created_at: timestampSchema,
    received: countsSchema.describe('Taken from publishers.'),
    sent: countsSchema.describe('Sent to subscribers.'),
    dropped: z.object({ messages: countSchema, per_second: z.number().min(0) }),
    nodes: z
      .array(z.object({ node: z.string(), counting_since: timestampSchema }))
      .describe(
        'The nodes whose counts are added up: each counts since then, and anew when it has started again.',
      ),
  }),
);

/** A filter whose messages are counted. */
export type TopicMetricView = z.infer<typeof topicMetricSchema>;

/** A filter to count. */
export const topicMetricCreateSchema = named(
  'TopicMetricCreate',
  z.strictObject({
    filter: topicFilterSchema.refine((filter) => !filter.startsWith('$share/'), {
      message: 'Messages are counted by their topics: give the filter without its group',
      params: { problem: 'invalid-filter' },
    }),
  }),
);

const metricPath = z.strictObject({ metric_id: z.string().min(1).max(64) });
const meta = { partial: false, unavailable_nodes: [] };
const exampleCounts = { messages: 3, qos0: 1, qos1: 2, qos2: 0, bytes: 42, per_second: 0.3 };
const exampleMetric = {
  id: '3fdba35f04dc8c462986c992bcf87554',
  filter: 'devices/+/state',
  created_at: '2026-01-02T03:04:05.678Z',
  received: exampleCounts,
  sent: exampleCounts,
  dropped: { messages: 0, per_second: 0 },
  nodes: [{ node: 'node-1', counting_since: '2026-01-02T03:04:05.678Z' }],
};
const exampleGroup = {
  group: 'workers',
  strategy: 'least-inflight',
  ...{ members: 2, connected_members: 2, lag_messages: 5 },
  subscriptions: [{ filter: 'jobs/#', members: 2, connected_members: 2, lag_messages: 5 }],
};

/** Operations on topics and those who share them. */
export const TOPIC_OPERATIONS = {
  listTopics: {
    method: 'get',
    path: '/api/v1/topics',
    tag: 'Topics',
    summary: 'Show the tree of topics',
    description:
      'Levels of topics that have retained messages and of filters that somebody is subscribed to, in the order of their texts. Counts are estimates: each node looks at 50,000 names of each kind at most (`complete` is false then), and a filter with subscribers on two nodes counts twice. Topics that begin with `$` are shown below their prefix only.',
    scope: 'topics:read',
    topics: [{ in: 'query', field: 'prefix' }],
    query: z.strictObject({
      ...pageQuery,
      prefix: topicNameSchema
        .refine((topic) => !topic.endsWith('/'), { message: 'A topic, without a slash at its end' })
        .optional()
        .describe('Only what is below this topic.'),
      depth: z.coerce.number().int().min(1).max(DEPTH_MAX).default(1).describe('Levels below it.'),
      has_retained: flagSchema
        .optional()
        .describe('Only levels with retained messages at or below them, or only those without.'),
    }),
    replies: { 200: pageReply('A page of levels.', topicLevelListSchema) },
    problems: ['invalid-cursor', 'invalid-topic', 'node-unavailable'],
    example: {
      query: { prefix: 'devices' },
      reply: {
        items: [
          {
            topic: 'devices/7',
            retained_messages: 2,
            subscription_filters: 1,
            has_children: true,
          },
        ],
        page: { has_more: false, limit: 100 },
        meta,
        complete: true,
      },
    },
  },
  listSharedGroups: {
    method: 'get',
    path: '/api/v1/shared-groups',
    tag: 'Subscriptions',
    summary: 'List the groups of shared subscriptions',
    description: 'In the order of their names. A group is shown with each filter it is used with.',
    scope: 'subscriptions:read',
    query: z.strictObject({ ...pageQuery }),
    replies: { 200: pageReply('A page of groups.', listOf('SharedGroupList', sharedGroupSchema)) },
    problems: ['invalid-cursor', 'node-unavailable'],
    example: {
      reply: { items: [exampleGroup], page: { has_more: false, limit: 100 }, meta },
    },
  },
  getSharedGroup: {
    method: 'get',
    path: '/api/v1/shared-groups/{group}',
    tag: 'Subscriptions',
    summary: 'Show a group of shared subscriptions and its members',
    scope: 'subscriptions:read',
    pathParameters: z.strictObject({ group: z.string().min(1).max(MQTT_TEXT_MAX) }),
    query: z.strictObject({}),
    replies: { 200: { description: 'The group.', schema: sharedGroupDetailsSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: {
      path: { group: 'workers' },
      reply: {
        ...exampleGroup,
        member_list: [
          {
            client_id: 'worker-1',
            filter: 'jobs/#',
            node: 'node-1',
            connected: true,
            queue_messages: 5,
            inflight_messages: 2,
          },
        ],
        meta,
      },
    },
  },
  listTopicMetrics: {
    method: 'get',
    path: '/api/v1/topic-metrics',
    tag: 'Topics',
    summary: 'List the filters whose messages are counted',
    scope: 'topics:read',
    topics: [],
    query: z.strictObject({ ...pageQuery }),
    replies: { 200: pageReply('All of them.', listOf('TopicMetricList', topicMetricSchema)) },
    problems: ['invalid-cursor', 'node-unavailable', 'storage-unavailable'],
    example: {
      reply: { items: [exampleMetric], page: { has_more: false, limit: 100 }, meta },
    },
  },
  createTopicMetric: {
    method: 'post',
    path: '/api/v1/topic-metrics',
    tag: 'Topics',
    summary: 'Count the messages that a filter matches',
    description: `Every node counts within two seconds, also one that starts later. There may be ${TOPIC_METRICS_MAX} filters.`,
    scope: 'topics:write',
    topics: [{ in: 'body', field: 'filter' }],
    query: z.strictObject({}),
    body: topicMetricCreateSchema,
    replies: {
      201: {
        description: 'Counting.',
        schema: topicMetricSchema,
        headers: { Location: 'Where its counts are.' },
      },
    },
    problems: [
      'invalid-filter',
      'already-exists',
      'limit-reached',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: { body: { filter: 'devices/+/state' }, reply: exampleMetric },
  },
  getTopicMetric: {
    method: 'get',
    path: '/api/v1/topic-metrics/{metric_id}',
    tag: 'Topics',
    summary: 'Show what was counted for a filter',
    scope: 'topics:read',
    topics: [],
    pathParameters: metricPath,
    query: z.strictObject({}),
    replies: {
      200: {
        description: 'The counts.',
        schema: named('TopicMetricDetails', topicMetricSchema.extend({ meta: metaSchema })),
      },
    },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { metric_id: exampleMetric.id }, reply: { ...exampleMetric, meta } },
  },
  deleteTopicMetric: {
    method: 'delete',
    path: '/api/v1/topic-metrics/{metric_id}',
    tag: 'Topics',
    summary: 'Count the messages of a filter no more',
    scope: 'topics:write',
    topics: [],
    pathParameters: metricPath,
    query: z.strictObject({}),
    replies: { 204: { description: 'Its counts are gone.' } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { metric_id: exampleMetric.id } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
