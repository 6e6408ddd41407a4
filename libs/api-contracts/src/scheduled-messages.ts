import { z } from 'zod';
import { parseCron } from './cron.ts';
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

const CRON_CHARACTERS_MAX = 256;

/** A message that is published at its times. */
export const scheduledMessageSchema = named(
  'ScheduledMessage',
  z.object({
    id: z.string(),
    topic: z.string(),
    qos: z.literal([0, 1, 2]),
    retain: z.boolean(),
    cron: z.string().nullable().describe('Null: once.'),
    state: z.enum(['waiting', 'done']).describe('`done`: it was once, and its time has come.'),
    due_at: timestampSchema.describe('The next time; of one that is done its only one.'),
    last_due_at: timestampSchema.nullable().describe('The time before.'),
    count: countSchema.describe('How many times have come.'),
    created_at: timestampSchema,
    payload_bytes: countSchema,
    payload: z.string().optional(),
    payload_encoding: z.enum(['plain', 'base64']).optional(),
    properties: messagePropertiesSchema,
  }),
);

/** A message that is published at its times. */
export type ScheduledMessageView = z.infer<typeof scheduledMessageSchema>;

/** A message to publish at a time, or again and again. */
export const scheduledCreateSchema = named(
  'ScheduledMessageCreate',
  z
    .strictObject({
      ...messageFields,
      due_at: timestampSchema.optional().describe('Once, at this time; at once if it has passed.'),
      cron: z
        .string()
        .max(CRON_CHARACTERS_MAX)
        .optional()
        .describe(
          'Again and again: minute, hour, day of the month, month and day of the week, in UTC. `*`, lists, ranges, steps and names (`MON`, `JAN`). Where both days are given, either will do.',
        ),
    })
    .superRefine((message, context) => {
      checkPayload(message, context);
      const { due_at: due, cron } = message;
      if ((due === undefined) === (cron === undefined)) {
        const fault = 'Give either due_at or cron';
        context.addIssue({ code: 'custom', path: ['due_at'], message: fault, input: due });
      }
      const times = cron === undefined ? undefined : parseCron(cron);
      if (typeof times !== 'string') return;
      context.addIssue({ code: 'custom', path: ['cron'], message: times, input: cron });
    }),
);

const path = z.strictObject({
  scheduled_message_id: z.string().regex(/^[a-z0-9-]{1,64}$/, 'No id of a scheduled message'),
});

const example = {
  id: 'schedule-0c9f2f6a',
  topic: 'devices/all/commands',
  qos: 1 as const,
  retain: false,
  cron: '0 4 * * MON-FRI',
  state: 'waiting' as const,
  due_at: '2026-01-05T04:00:00.000Z',
  last_due_at: null,
  count: 0,
  created_at: '2026-01-02T04:30:05.678Z',
  payload_bytes: 6,
  properties: {},
};

/** Operations on scheduled messages. */
export const SCHEDULED_MESSAGE_OPERATIONS = {
  listScheduledMessages: {
    method: 'get',
    path: '/api/v1/scheduled-messages',
    tag: 'Messages',
    summary: 'List messages that are published at their times',
    description: 'In the order of their next times.',
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
        'A page of scheduled messages.',
        listOf('ScheduledMessageList', scheduledMessageSchema),
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
  createScheduledMessage: {
    method: 'post',
    path: '/api/v1/scheduled-messages',
    tag: 'Messages',
    summary: 'Publish a message at a time, or again and again',
    description:
      'At each time it becomes a delayed message, which one node publishes. Of the times at which no node was there one is made up for. `delayed.*` of the configuration bounds the messages that wait; of scheduled ones there may be 1,000, and 16 MiB of them as they are stored. One that was once is listed for a day after its time.',
    scope: 'delayed:write',
    topics: [
      { in: 'body', field: 'topic' },
      { in: 'body', field: 'properties.response_topic' },
    ],
    query: z.strictObject({}),
    body: scheduledCreateSchema,
    replies: {
      201: {
        description: 'Stored.',
        schema: scheduledMessageSchema,
        headers: { Location: 'The scheduled message.' },
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
      body: { topic: 'devices/all/commands', payload: 'report', qos: 1, cron: '0 4 * * MON-FRI' },
      reply: example,
    },
  },
  getScheduledMessage: {
    method: 'get',
    path: '/api/v1/scheduled-messages/{scheduled_message_id}',
    tag: 'Messages',
    summary: 'Show a message that is published at its times',
    scope: 'delayed:read',
    topics: [],
    pathParameters: path,
    query: z.strictObject({ payload: payloadFormSchema }),
    replies: { 200: { description: 'The message.', schema: scheduledMessageSchema } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { scheduled_message_id: example.id }, reply: example },
  },
  deleteScheduledMessage: {
    method: 'delete',
    path: '/api/v1/scheduled-messages/{scheduled_message_id}',
    tag: 'Messages',
    summary: 'Publish a message no more',
    description: 'One that a node is publishing at this moment may come all the same.',
    scope: 'delayed:write',
    topics: [],
    pathParameters: path,
    query: z.strictObject({}),
    replies: { 204: { description: 'Removed.' } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { scheduled_message_id: example.id } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
