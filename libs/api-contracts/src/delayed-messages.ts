import { z } from 'zod';
import {
  checkPayload,
  messageFields,
  messagePropertiesSchema,
  payloadFormSchema,
} from './messages.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { countSchema, named, timestampSchema } from './schema.ts';
import { topicFilterSchema } from './topic.ts';

/** A message that waits for its time. */
export const delayedMessageSchema = named(
  'DelayedMessage',
  z.object({
    id: z.string(),
    topic: z.string(),
    qos: z.literal([0, 1, 2]),
    retain: z.boolean(),
    due_at: timestampSchema.describe('By the clock of the store.'),
    payload_bytes: countSchema,
    payload: z.string().optional(),
    payload_encoding: z.enum(['plain', 'base64']).optional(),
    publisher: z.string().nullable().describe('Client id; null for the broker itself.'),
    received_at: timestampSchema,
    properties: messagePropertiesSchema,
  }),
);

/** A message that waits for its time. */
export type DelayedMessageView = z.infer<typeof delayedMessageSchema>;

/** A message to publish later. */
export const delayedCreateSchema = named(
  'DelayedMessageCreate',
  z
    .strictObject({
      ...messageFields,
      delay_seconds: z.number().int().min(1).max(0xffff_ffff).optional(),
      due_at: timestampSchema.optional(),
    })
    .superRefine((message, context) => {
      checkPayload(message, context);
      const { delay_seconds: delay, due_at: due } = message;
      if ((delay === undefined) !== (due === undefined)) return;
      const fault = 'Give either delay_seconds or due_at';
      context.addIssue({ code: 'custom', path: ['due_at'], message: fault, input: due });
    }),
);

const id = z.string().regex(/^\d{1,20}$/, 'The id of a delayed message is a number');
const path = z.strictObject({ delayed_message_id: id });

const example = {
  id: '0000000000000007',
  topic: 'devices/7/commands',
  qos: 1,
  retain: false,
  due_at: '2026-01-02T04:04:05.678Z',
  payload_bytes: 6,
  publisher: null,
  received_at: '2026-01-02T03:04:05.678Z',
  properties: {},
};

/** Operations on delayed messages. */
export const DELAYED_MESSAGE_OPERATIONS = {
  listDelayedMessages: {
    method: 'get',
    path: '/api/v1/delayed-messages',
    tag: 'Messages',
    summary: 'List messages that wait for their time',
    description:
      'In the order of their times; those of clients (`$delayed/…`) as well. A page looks at 10,000 messages at most and may hold fewer than `limit`.',
    scope: 'delayed:read',
    topics: [{ in: 'query', field: 'filter' }],
    query: z.strictObject({
      ...pageQuery,
      filter: topicFilterSchema.optional().describe('Only of topics that this filter matches.'),
      'due_at[lte]': timestampSchema.optional(),
      payload: payloadFormSchema,
    }),
    replies: {
      200: pageReply(
        'A page of delayed messages.',
        listOf('DelayedMessageList', delayedMessageSchema),
      ),
    },
    problems: ['invalid-cursor', 'invalid-filter', 'node-unavailable', 'storage-unavailable'],
    example: {
      query: { filter: 'devices/#' },
      reply: {
        items: [example],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  createDelayedMessage: {
    method: 'post',
    path: '/api/v1/delayed-messages',
    tag: 'Messages',
    summary: 'Publish a message later',
    description:
      'As if it had been published to `$delayed/{seconds}/{topic}`; `delayed.*` of the configuration bounds it.',
    scope: 'delayed:write',
    topics: [
      { in: 'body', field: 'topic' },
      { in: 'body', field: 'properties.response_topic' },
    ],
    query: z.strictObject({}),
    body: delayedCreateSchema,
    replies: {
      201: {
        description: 'Stored.',
        schema: delayedMessageSchema,
        headers: { Location: 'The delayed message.' },
      },
    },
    problems: [
      'invalid-topic',
      'limit-reached',
      'payload-too-large',
      'unprocessable',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: {
      body: { topic: 'devices/7/commands', payload: 'reboot', qos: 1, delay_seconds: 3600 },
      reply: example,
    },
  },
  getDelayedMessage: {
    method: 'get',
    path: '/api/v1/delayed-messages/{delayed_message_id}',
    tag: 'Messages',
    summary: 'Show a message that waits for its time',
    scope: 'delayed:read',
    topics: [],
    pathParameters: path,
    query: z.strictObject({ payload: payloadFormSchema }),
    replies: { 200: { description: 'The message.', schema: delayedMessageSchema } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { delayed_message_id: example.id }, reply: example },
  },
  deleteDelayedMessage: {
    method: 'delete',
    path: '/api/v1/delayed-messages/{delayed_message_id}',
    tag: 'Messages',
    summary: 'Cancel a message that waits for its time',
    description: 'One that a node is publishing at this moment may come all the same.',
    scope: 'delayed:write',
    topics: [],
    pathParameters: path,
    query: z.strictObject({}),
    replies: { 204: { description: 'Removed.' } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { delayed_message_id: example.id } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
