import { z } from 'zod';
import { payloadFormSchema } from './messages.ts';
import type { Operation } from './operation.ts';
import { MQTT_TEXT_MAX } from './schema.ts';
import type { WireEventType } from './stream-command.ts';
import { topicFilterSchema } from './topic.ts';

/** The types of events. */
export const EVENT_TYPES = [
  'client.connected',
  'client.disconnected',
  'session.created',
  'session.resumed',
  'session.ended',
  'subscription.added',
  'subscription.removed',
  'ban.added',
  'ban.removed',
  'node.joined',
  'node.draining',
  'node.left',
  'alarm.raised',
  'alarm.cleared',
] as const satisfies readonly WireEventType[];

/** How events are sent: Server-Sent Events. */
export const EVENT_STREAM_TYPE = 'text/event-stream';

const sse = (description: string) => ({
  description,
  contentType: EVENT_STREAM_TYPE,
  schema: z.string(),
});

const typesSchema = z
  .string()
  .max(1_000)
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(EVENT_TYPES)))
  .meta({ description: `Of these types only, divided by commas: ${EVENT_TYPES.join(', ')}.` });

/** What happens, as it happens. */
export const STREAM_OPERATIONS = {
  streamEvents: {
    method: 'get',
    path: '/api/v1/events',
    tag: 'Streams',
    summary: 'Follow what happens to clients, sessions, subscriptions, bans, nodes and alarms',
    description:
      'Server-Sent Events: `event` is the type, `data` a JSON object with `type`, `time`, `node`, `client_id` and what else is known. From now on, or with `Last-Event-ID` from where another stream ended: each node keeps its latest 65,536 events. `event: overflow` says how many of a node are gone before they could be sent, `event: partial` which nodes do not answer. A comment comes every 15 s. A reader that takes nothing for a minute is disconnected.',
    scope: 'events:read',
    query: z.strictObject({
      types: typesSchema.optional(),
      client_id: z.string().min(1).max(MQTT_TEXT_MAX).optional(),
    }),
    headers: { 'Last-Event-ID': 'The `id` of the last event that was received.' },
    replies: { 200: sse('Events, until the reader or the API ends the stream.') },
    problems: ['overloaded', 'node-unavailable'],
    example: { query: { types: 'client.connected,client.disconnected' } },
  },
  streamMessages: {
    method: 'get',
    path: '/api/v1/message-streams',
    tag: 'Streams',
    summary: 'Watch messages as they are published',
    description:
      'Server-Sent Events: `event: message` with a message that a node has taken and whose topic the filter matches, whoever is subscribed to it. `event: overflow` says how many came faster than `messages_per_second`, at each node, or than the reader took them. Nothing is replayed. `payload` other than `none` needs `payloads:read` as well.',
    scope: 'events:read',
    topics: [{ in: 'query', field: 'filter' }],
    query: z.strictObject({
      filter: topicFilterSchema,
      payload: payloadFormSchema,
      messages_per_second: z.coerce.number().int().min(1).max(1_000).default(100),
    }),
    replies: { 200: sse('Messages, until the reader or the API ends the stream.') },
    problems: ['invalid-filter', 'overloaded', 'node-unavailable'],
    example: { query: { filter: 'devices/+/state', payload: 'text' } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
