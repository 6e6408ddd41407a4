import { z } from 'zod';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { MQTT_TEXT_MAX, countSchema, named, timestampSchema } from './schema.ts';
import { topicFilterSchema, topicNameSchema } from './topic.ts';

const text = z.string().max(MQTT_TEXT_MAX);
/** Base64 of as many bytes as binary data of MQTT has at most. */
const binary = z.base64().max(Math.ceil(MQTT_TEXT_MAX / 3) * 4);

const properties = {
  content_type: text.optional(),
  response_topic: text.optional(),
  correlation_data: binary.optional().describe('Base64.'),
  payload_format_indicator: z.literal([0, 1]).optional().describe('1: the payload is UTF-8.'),
  user_properties: z
    .array(z.strictObject({ name: text, value: text }))
    .max(100)
    .optional()
    .describe('Names may repeat; the order is kept.'),
};

/** MQTT 5 properties of a retained message. */
export const messagePropertiesSchema = named('MessageProperties', z.object(properties));

/** MQTT 5 properties of a message. */
export type MessageProperties = z.infer<typeof messagePropertiesSchema>;

/** How a payload is written. */
export const payloadEncodingSchema = z.enum(['plain', 'base64', 'json']);

/** A payload in a request; which values it may have depends on its encoding. */
export const payloadSchema = z
  .unknown()
  .optional()
  .describe('A text for `plain` and `base64`, any JSON value for `json`; absent is empty.');

/** What is wrong with a payload in its encoding; undefined when nothing is. */
export function payloadFault(
  payload: unknown,
  encoding: z.infer<typeof payloadEncodingSchema>,
): string | undefined {
  if (payload === undefined || encoding === 'json') return undefined;
  const expected = encoding === 'plain' ? z.string() : z.base64();
  if (expected.safeParse(payload).success) return undefined;
  return encoding === 'plain' ? 'Expected a text' : 'Expected base64';
}

/** The fields of a message in a request. */
export const messageFields = {
  topic: topicNameSchema,
  payload: payloadSchema,
  payload_encoding: payloadEncodingSchema.default('plain'),
  qos: z.literal([0, 1, 2]).default(0),
  retain: z.boolean().default(false),
  properties: z
    .strictObject({
      ...properties,
      response_topic: topicNameSchema.optional(),
      message_expiry_interval: z
        .number()
        .int()
        .min(0)
        .max(0xffff_ffff)
        .optional()
        .describe('Seconds.'),
    })
    .optional(),
};

/** A message to publish. */
export const messagePublishSchema = named(
  'MessagePublish',
  z.strictObject(messageFields).superRefine(({ payload, payload_encoding: encoding }, context) => {
    const message = payloadFault(payload, encoding);
    if (message === undefined) return;
    context.addIssue({ code: 'custom', path: ['payload'], message });
  }),
);

/** A message to publish, checked. */
export type MessagePublish = z.output<typeof messagePublishSchema>;

/** What became of a published message. */
export const publishedSchema = named(
  'Published',
  z.object({
    matched_subscribers: countSchema.describe(
      'Local receivers of the publishing node, and one for each other node with a matching subscription.',
    ),
  }),
);

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

/** Operations on messages. */
export const MESSAGE_OPERATIONS = {
  publishMessage: {
    method: 'post',
    path: '/api/v1/messages',
    tag: 'Messages',
    summary: 'Publish a message',
    description:
      'Any live node takes the message and answers when it has responsibility for it. `matched_subscribers` is what that node knows: its own receivers, and one for each other node that has a matching subscription.',
    scope: 'messages:publish',
    query: z.strictObject({}),
    body: messagePublishSchema,
    replies: {
      200: { description: 'Taken, and somebody receives it.', schema: publishedSchema },
      202: { description: 'Taken; no subscription matches now.', schema: publishedSchema },
    },
    problems: [
      'invalid-topic',
      'topic-not-allowed',
      'rate-limited',
      'node-unavailable',
      'storage-unavailable',
      'bridge-unavailable',
    ],
    example: {
      body: { topic: 'devices/7/commands', payload: 'reboot', qos: 1 },
      reply: { matched_subscribers: 1 },
    },
  },
  listRetainedMessages: {
    method: 'get',
    path: '/api/v1/retained-messages',
    tag: 'Messages',
    summary: 'List retained messages',
    description:
      'In the order of topics. `#` matches every topic but those that begin with `$`. Pages with payloads may hold fewer items than `limit`: they end after about 4 MiB.',
    scope: 'retained:read',
    query: z.strictObject({
      ...pageQuery,
      filter: topicFilterSchema.default('#').describe('A topic filter.'),
      payload: z.enum(['none', 'base64', 'text']).default('none'),
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
        items: [
          {
            topic: 'devices/7/state',
            qos: 1,
            payload_bytes: 2,
            payload: 'on',
            payload_encoding: 'plain',
            publisher: 'press/7',
            received_at: '2026-01-02T03:04:05.678Z',
            expires_at: null,
            properties: { content_type: 'text/plain' },
          },
        ],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  deleteRetainedMessage: {
    method: 'delete',
    path: '/api/v1/retained-messages',
    tag: 'Messages',
    summary: 'Remove the retained message of a topic',
    description: 'Subscribers are not told.',
    scope: 'retained:write',
    query: z.strictObject({ topic: topicNameSchema }),
    replies: { 204: { description: 'Removed.' } },
    problems: ['invalid-topic', 'not-found', 'node-unavailable', 'storage-unavailable'],
    example: { query: { topic: 'devices/7/state' } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
