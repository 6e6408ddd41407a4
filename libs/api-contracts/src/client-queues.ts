import { z } from 'zod';
import { clientPath } from './clients.ts';
import { messagePropertiesSchema } from './messages.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { countSchema, named, timestampSchema } from './schema.ts';

const form = z
  .enum(['none', 'base64', 'text'])
  .default('none')
  .describe('How payloads are shown; anything but `none` needs the scope `payloads:read`.');

const messageShape = {
  topic: z.string(),
  payload_bytes: countSchema,
  payload: z.string().optional(),
  payload_encoding: z
    .enum(['plain', 'base64'])
    .optional()
    .describe('`base64` also when text was asked for and the payload is not UTF-8.'),
  publisher: z.string().nullable().describe('Client id; null where it is not known.'),
  received_at: timestampSchema,
  expires_at: timestampSchema.nullable(),
  properties: messagePropertiesSchema.optional().describe('With payloads only.'),
};

/** A message that waits for a client. */
export const queuedMessageSchema = named(
  'QueuedMessage',
  z.object({
    ...messageShape,
    qos: z.literal([1, 2]),
    retain: z.boolean(),
    inflight: z.boolean().describe('Whether it was sent, and only the acknowledgement is missing.'),
  }),
);

/** A message that waits for a client. */
export type QueuedMessageView = z.infer<typeof queuedMessageSchema>;

/** A message that a client has not acknowledged. */
export const inflightMessageSchema = named(
  'InflightMessage',
  z.object({
    packet_id: z.int().min(1).max(65_535),
    qos: z.literal([1, 2]),
    awaits: z.enum(['puback', 'pubrec', 'pubcomp']),
    message: z
      .object(messageShape)
      .nullable()
      .describe('Null when the client has the message and only PUBCOMP is missing.'),
  }),
);

/** A message that a client has not acknowledged. */
export type InflightMessageView = z.infer<typeof inflightMessageSchema>;

const meta = { partial: false, unavailable_nodes: [] };
const exampleMessage = {
  topic: 'presses/7/commands',
  payload_bytes: 6,
  publisher: 'plant',
  received_at: '2026-01-02T03:04:05.678Z',
  expires_at: null,
};
const exampleQueued: QueuedMessageView = {
  ...{ ...exampleMessage, qos: 1, retain: false, inflight: false },
};
const exampleInflight: InflightMessageView = {
  ...{ packet_id: 17, qos: 1, awaits: 'puback', message: exampleMessage },
};
const unavailable = ['node-unavailable', 'storage-unavailable'] as const;

/** Operations on the messages that wait for a client. */
export const CLIENT_QUEUE_OPERATIONS = {
  listQueuedMessages: {
    method: 'get',
    path: '/api/v1/clients/{client_id}/queued-messages',
    tag: 'Clients',
    summary: 'List the messages that wait for a client',
    description:
      'Oldest first. Of a stored session also those that were sent and not acknowledged; of one that lives in memory those are among the inflight messages only.',
    scope: 'clients:read',
    pathParameters: clientPath,
    query: z.strictObject({ ...pageQuery, payload: form }),
    replies: {
      200: pageReply('A page of messages.', listOf('QueuedMessageList', queuedMessageSchema)),
    },
    problems: ['not-found', 'invalid-cursor', ...unavailable],
    example: {
      path: { client_id: 'press/7' },
      reply: { items: [exampleQueued], page: { has_more: false, limit: 100 }, meta },
    },
  },
  clearQueuedMessages: {
    method: 'delete',
    path: '/api/v1/clients/{client_id}/queued-messages',
    tag: 'Clients',
    summary: 'Empty the queue of a client',
    description: 'All but what was sent on the present connection and is not acknowledged yet.',
    scope: 'clients:execute',
    pathParameters: clientPath,
    query: z.strictObject({}),
    replies: { 204: { description: 'Emptied.' } },
    problems: ['not-found', ...unavailable],
    example: { path: { client_id: 'press/7' } },
  },
  listInflightMessages: {
    method: 'get',
    path: '/api/v1/clients/{client_id}/inflight-messages',
    tag: 'Clients',
    summary: 'List the messages that a client has not acknowledged',
    description: 'In the order in which they were sent.',
    scope: 'clients:read',
    pathParameters: clientPath,
    query: z.strictObject({ ...pageQuery, payload: form }),
    replies: {
      200: pageReply('A page of messages.', listOf('InflightMessageList', inflightMessageSchema)),
    },
    problems: ['not-found', 'invalid-cursor', 'node-unavailable'],
    example: {
      path: { client_id: 'press/7' },
      reply: { items: [exampleInflight], page: { has_more: false, limit: 100 }, meta },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
