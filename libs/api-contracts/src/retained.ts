import { z } from 'zod';
import { ACCEPTED, acceptedExample } from './long-operations.ts';
import {
  checkPayload,
  contentFields,
  messagePropertiesSchema,
  payloadFormSchema,
} from './messages.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { countSchema, flagSchema, named, timestampSchema } from './schema.ts';
import { topicFilterSchema, topicNameSchema } from './topic.ts';

/** The last retained message of a topic. */
export const retainedMessageSchema = named(
  'RetainedMessage',
  z.object({
    topic: z.string(),
    qos: z.literal([0, 1, 2]),
    payload_bytes: countSchema,
    payload: z.string().optional(),
    payload_encoding: z
      .enum(['plain', 'base64'])
      .optional()
      .describe('`base64` also when text was asked for and the payload is not UTF-8.'),
    publisher: z.string().nullable().describe('Client id; null for the broker itself.'),
    received_at: timestampSchema,
    expires_at: timestampSchema.nullable(),
    properties: messagePropertiesSchema,
  }),
);

/** The last retained message of a topic. */
export type RetainedMessage = z.infer<typeof retainedMessageSchema>;

/** What a topic is to retain. */
export const retainedPutSchema = named(
  'RetainedMessagePut',
  z.strictObject(contentFields).superRefine((message, context) => {
    checkPayload(message, context);
    const { payload } = message;
    if (payload !== undefined && payload !== '') return;
    const fault = 'An empty payload removes the retained message: use DELETE';
    context.addIssue({ code: 'custom', path: ['payload'], message: fault, input: payload });
  }),
);

/** What became of the retained messages of a filter. */
export const retainedRemovalSchema = named(
  'RetainedRemoval',
  z.object({
    dry_run: z.boolean(),
    matched: countSchema,
    removed: countSchema,
    topics: z.array(z.string()).describe('The first hundred of them.'),
  }),
);

/** What became of the retained messages of a filter. */
export type RetainedRemoval = z.infer<typeof retainedRemovalSchema>;

const TAG = { ETag: 'Of this very message; another one on the topic has another.' };

const example = {
  topic: 'devices/7/state',
  qos: 1,
  payload_bytes: 2,
  payload: 'on',
  payload_encoding: 'plain',
  publisher: 'press/7',
  received_at: '2026-01-02T03:04:05.678Z',
  expires_at: null,
  properties: { content_type: 'text/plain' },
};

const topicQuery = { topic: topicNameSchema };

/** Operations on retained messages. */
export const RETAINED_OPERATIONS = {
  listRetainedMessages: {
    method: 'get',
    path: '/api/v1/retained-messages',
    tag: 'Messages',
    summary: 'List retained messages',
    description:
      'In the order of topics. `#` matches every topic but those that begin with `$`. Pages with payloads may hold fewer items than `limit`: they end after about 4 MiB.',
    scope: 'retained:read',
    topics: [{ in: 'query', field: 'filter' }],
    query: z.strictObject({
      ...pageQuery,
      filter: topicFilterSchema.default('#').describe('A topic filter.'),
      payload: payloadFormSchema,
    }),
    replies: {
      200: pageReply(
        'A page of retained messages.',
        listOf('RetainedMessageList', retainedMessageSchema),
      ),
    },
    problems: ['invalid-cursor', 'invalid-filter', 'node-unavailable', 'storage-unavailable'],
    example: {
      query: { filter: 'devices/+/state', payload: 'text' },
      reply: {
        items: [example],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  deleteRetainedMessages: {
    method: 'delete',
    path: '/api/v1/retained-messages',
    tag: 'Messages',
    summary: 'Remove the retained message of a topic, or those that a filter matches',
    description:
      'Exactly one of `topic` and `filter`. Subscribers are not told. With `filter` the reply says what was removed, or with `dry_run` what would be; what comes to these topics meanwhile may stay. What is more than some thousand messages goes on as a long operation, whose `result` is the same for all of them; where `attempts` is above 1, up to a thousand that were removed may be missing from its counts.',
    scope: 'retained:write',
    topics: [
      { in: 'query', field: 'topic' },
      { in: 'query', field: 'filter' },
    ],
    query: z
      .strictObject({
        topic: topicNameSchema.optional(),
        filter: topicFilterSchema.optional(),
        dry_run: flagSchema.optional().describe('Removes nothing, and says what it would remove.'),
      })
      .refine(({ topic, filter }) => (topic === undefined) !== (filter === undefined), {
        message: 'Give either topic or filter',
        path: ['topic'],
      }),
    replies: {
      204: { description: 'Removed: the message of the topic.' },
      200: { description: 'What was, or would be, removed.', schema: retainedRemovalSchema },
      202: { ...ACCEPTED, example: acceptedExample('retained-removals') },
    },
    problems: [
      'invalid-topic',
      'invalid-filter',
      'not-found',
      'limit-reached',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: {
      query: { filter: 'devices/+/state', dry_run: 'true' },
      reply: { dry_run: true, matched: 1, removed: 0, topics: ['devices/7/state'] },
    },
  },
  getRetainedMessage: {
    method: 'get',
    path: '/api/v1/retained-messages/by-topic',
    tag: 'Messages',
    summary: 'Show the retained message of a topic',
    scope: 'retained:read',
    topics: [{ in: 'query', field: 'topic' }],
    query: z.strictObject({ ...topicQuery, payload: payloadFormSchema }),
    headers: { 'If-None-Match': 'An ETag; 304 when the message is still that one.' },
    replies: {
      200: { description: 'The message.', schema: retainedMessageSchema, headers: TAG },
      304: { description: 'Still the one that the caller knows.' },
    },
    problems: ['invalid-topic', 'not-found', 'node-unavailable', 'storage-unavailable'],
    example: { query: { topic: 'devices/7/state', payload: 'text' }, reply: example },
  },
  putRetainedMessage: {
    method: 'put',
    path: '/api/v1/retained-messages/by-topic',
    tag: 'Messages',
    summary: 'Publish a message that its topic retains',
    description:
      'Subscribers get it as they get any message. `If-Match` and `If-None-Match: *` are checked just before; MQTT clients know no such condition and may publish in between.',
    scope: 'retained:write',
    topics: [{ in: 'query', field: 'topic' }],
    query: z.strictObject(topicQuery),
    headers: {
      'If-Match': 'The ETag last read: 412 when there is another message by now.',
      'If-None-Match': '`*`: 412 when there is a message.',
    },
    body: retainedPutSchema,
    replies: {
      200: { description: 'Replaced.', schema: retainedMessageSchema, headers: TAG },
      201: { description: 'There was none before.', schema: retainedMessageSchema, headers: TAG },
    },
    problems: [
      'invalid-topic',
      'topic-not-allowed',
      'precondition-failed',
      'payload-too-large',
      'rate-limited',
      'node-unavailable',
      'storage-unavailable',
      'bridge-unavailable',
    ],
    example: {
      query: { topic: 'devices/7/state' },
      body: { payload: 'on', qos: 1 },
      reply: { ...example, publisher: null },
    },
  },
  deleteRetainedMessage: {
    method: 'delete',
    path: '/api/v1/retained-messages/by-topic',
    tag: 'Messages',
    summary: 'Remove the retained message of a topic',
    description: 'Subscribers are not told.',
    scope: 'retained:write',
    topics: [{ in: 'query', field: 'topic' }],
    query: z.strictObject(topicQuery),
    headers: { 'If-Match': 'The ETag last read: 412 when there is another message by now.' },
    replies: { 204: { description: 'Removed.' } },
    problems: [
      'invalid-topic',
      'not-found',
      'precondition-failed',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: { query: { topic: 'devices/7/state' } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
