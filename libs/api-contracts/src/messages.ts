import { z } from 'zod';
import { BULK_ITEMS_MAX, bulkOf } from './bulk.ts';
import type { Operation } from './operation.ts';
import { MQTT_TEXT_MAX, countSchema, named, timestampSchema } from './schema.ts';
import { topicNameSchema } from './topic.ts';

/** How long a request to a device may wait, in seconds. */
export const REQUEST_SECONDS_MAX = 60;

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

/** The form in which payloads are to be shown. */
export const payloadFormSchema = z
  .enum(['none', 'base64', 'text'])
  .default('none')
  .describe('`text`: as text where it is UTF-8, else base64.');

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

/** The fields of a message's content in a request. */
export const contentFields = {
  payload: payloadSchema,
  payload_encoding: payloadEncodingSchema.default('plain'),
  qos: z.literal([0, 1, 2]).default(0),
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

/** The fields of a message in a request. */
export const messageFields = {
  topic: topicNameSchema,
  ...contentFields,
  retain: z.boolean().default(false),
};

/** Adds the fault of a payload that is not what its encoding says. */
export function checkPayload(
  message: {
    readonly payload?: unknown;
    readonly payload_encoding: z.infer<typeof payloadEncodingSchema>;
  },
  context: z.core.$RefinementCtx,
): void {
  const fault = payloadFault(message.payload, message.payload_encoding);
  if (fault === undefined) return;
  context.addIssue({ code: 'custom', path: ['payload'], message: fault, input: message.payload });
}

const asClientId = z
  .string()
  .min(1)
  .max(MQTT_TEXT_MAX)
  .optional()
  .describe('A connected client: it is the publisher, and its own rights are asked.');

/** A message to publish. */
export const messagePublishSchema = named(
  'MessagePublish',
  z.strictObject({ ...messageFields, as_client_id: asClientId }).superRefine(checkPayload),
);

/** A message to publish, checked. */
export type MessagePublish = z.output<typeof messagePublishSchema>;

/** A message to publish, in whoever's name. */
export type MessageContent = Omit<MessagePublish, 'as_client_id'>;

/** What became of a published message. */
export const publishedSchema = named(
  'Published',
  z.object({
    message_id: z
      .string()
      .describe('Tells the message from every other; records in Kafka bear it as `mqtt-msg-id`.'),
    matched_subscribers: countSchema.describe(
      'Local receivers of the publishing node, and one for each other node with a matching subscription.',
    ),
  }),
);

/** What became of a published message. */
export type Published = z.infer<typeof publishedSchema>;

/** Messages to publish. */
export const messageBulkSchema = bulkOf('MessageBulk', 'a MessagePublish');

/** What became of each message. */
export const messageBulkResultsSchema = named(
  'MessageBulkResults',
  z.object({
    items: z.array(
      z.object({
        index: countSchema,
        status: z.number().int().describe('What the message alone would have been answered with.'),
        message_id: z.string().optional(),
        matched_subscribers: countSchema.optional(),
        problem: z
          .object({
            code: z.string(),
            detail: z.string(),
            errors: z
              .array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() }))
              .optional(),
            mqtt_reason_code: z.number().int().optional(),
          })
          .optional(),
      }),
    ),
  }),
);

/** What became of each message. */
export type MessageBulkResults = z.infer<typeof messageBulkResultsSchema>;

/** A request to a device. */
export const messageRequestSchema = named(
  'MessageRequest',
  z
    .strictObject({
      topic: topicNameSchema,
      ...contentFields,
      qos: z.literal([0, 1, 2]).default(1),
      as_client_id: asClientId,
      timeout_seconds: z.number().min(0.1).max(REQUEST_SECONDS_MAX).default(10),
      response_topic: topicNameSchema
        .optional()
        .describe(
          'Where the answer comes, for devices that know nothing of response topics. Absent: a private topic below `$response/`.',
        ),
    })
    .superRefine((request, context) => {
      checkPayload(request, context);
      if (request.response_topic === request.topic) {
        const message = 'Expected another topic than that of the request';
        const input = request.response_topic;
        context.addIssue({ code: 'custom', path: ['response_topic'], message, input });
      }
      if (request.properties?.response_topic === undefined) return;
      const message = 'Expected as response_topic of the request';
      const path = ['properties', 'response_topic'];
      context.addIssue({ code: 'custom', path, message, input: request.properties.response_topic });
    }),
);

/** A request to a device, checked. */
export type MessageRequest = z.output<typeof messageRequestSchema>;

/** The answer of a device. */
export const messageResponseSchema = named(
  'MessageResponse',
  z.object({
    message_id: z.string().describe('Of the request.'),
    topic: z.string(),
    payload: z.string(),
    payload_encoding: z.enum(['plain', 'base64']),
    publisher: z.string().nullable().describe('Client id; null for the broker itself.'),
    received_at: timestampSchema,
    properties: messagePropertiesSchema,
  }),
);

/** The answer of a device. */
export type MessageResponse = z.infer<typeof messageResponseSchema>;

const REFUSALS = [
  'topic-not-allowed',
  'payload-too-large',
  'unprocessable',
  'rate-limited',
  'node-unavailable',
  'storage-unavailable',
  'bridge-unavailable',
] as const;

/** Operations on messages. */
export const MESSAGE_OPERATIONS = {
  publishMessage: {
    method: 'post',
    path: '/api/v1/messages',
    tag: 'Messages',
    summary: 'Publish a message',
    description:
      'Any live node takes the message and answers when it has responsibility for it. `matched_subscribers` is what that node knows: its own receivers, and one for each other node that has a matching subscription. With `as_client_id` the node of that client takes it, as if the client had sent it.',
    scope: 'messages:publish',
    topics: [
      { in: 'body', field: 'topic' },
      { in: 'body', field: 'properties.response_topic' },
    ],
    query: z.strictObject({}),
    body: messagePublishSchema,
    replies: {
      200: { description: 'Taken, and somebody receives it.', schema: publishedSchema },
      202: { description: 'Taken; no subscription matches now.', schema: publishedSchema },
    },
    problems: ['invalid-topic', ...REFUSALS],
    example: {
      body: { topic: 'devices/7/commands', payload: 'reboot', qos: 1 },
      reply: { message_id: 'node-1-1760000000000-7', matched_subscribers: 1 },
    },
  },
  publishMessages: {
    method: 'post',
    path: '/api/v1/messages/bulk',
    tag: 'Messages',
    summary: 'Publish many messages',
    description: `Up to ${BULK_ITEMS_MAX} messages, as a JSON array or one in a line (NDJSON). One node takes them in their order, but for those of clients. Each has its own result.`,
    scope: 'messages:publish',
    topics: [
      { in: 'body', field: '*.topic' },
      { in: 'body', field: '*.properties.response_topic' },
    ],
    query: z.strictObject({}),
    body: messageBulkSchema,
    otherBodyTypes: ['application/x-ndjson'],
    replies: { 200: { description: 'A result for each.', schema: messageBulkResultsSchema } },
    problems: ['node-unavailable', 'storage-unavailable'],
    example: {
      body: [{ topic: 'devices/7/commands', payload: 'reboot' }, { topic: 'a/#' }],
      reply: {
        items: [
          {
            index: 0,
            status: 200,
            message_id: 'node-1-1760000000000-7',
            matched_subscribers: 1,
          },
          {
            index: 1,
            status: 400,
            problem: {
              code: 'invalid-topic',
              detail: 'A topic name is 1 to 65535 bytes without wildcards',
              mqtt_reason_code: 144,
            },
          },
        ],
      },
    },
  },
  requestMessage: {
    method: 'post',
    path: '/api/v1/message-requests',
    tag: 'Messages',
    summary: 'Send a request to a device and wait for its answer',
    description:
      'Publishes with a response topic and correlation data (made up unless given), and answers with the first message on the response topic that bears the same correlation data. A message without any counts too: devices before MQTT 5 have none. The device needs the right to publish to its response topic: allow `$response/#`, which no client can subscribe to. Needs `payloads:read` as well.',
    scope: 'messages:publish',
    topics: [
      { in: 'body', field: 'topic' },
      { in: 'body', field: 'response_topic' },
    ],
    alsoNeeds: ['payloads:read'],
    query: z.strictObject({}),
    body: messageRequestSchema,
    replies: { 200: { description: 'The answer.', schema: messageResponseSchema } },
    problems: ['invalid-topic', 'no-subscribers', 'overloaded', 'no-response', ...REFUSALS],
    example: {
      body: { topic: 'devices/7/commands', payload: 'state?', timeout_seconds: 5 },
      reply: {
        message_id: 'node-1-1760000000000-7',
        topic: '$response/node-1/4fzzzxjyl',
        payload: 'on',
        payload_encoding: 'plain',
        publisher: 'press/7',
        received_at: '2026-01-02T03:04:05.678Z',
        properties: { correlation_data: 'AAECAw==' },
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
