import { z } from 'zod';
import {
  choiceField,
  countField,
  flagField,
  textField,
  timeField,
  type FilterField,
  type FilterValue,
} from './filters.ts';
import type { WireClient } from './session-command.ts';

const EXACT_OR_LIKE = ['eq', 'like', 'in'] as const;
const AT_LEAST_OR_MOST = ['gte', 'lte'] as const;

const addressField = {
  type: z.union([z.ipv4().max(50), z.ipv6().max(50), z.cidrv4().max(50), z.cidrv6().max(50)]),
  operators: ['eq'],
  description: 'The address of the client, or the network that it is in, such as 10.0.0.0/8.',
} as const satisfies FilterField;

const own = {
  client_id: textField(EXACT_OR_LIKE, 'The client id.'),
  username: textField(EXACT_OR_LIKE, 'The username.'),
  state: choiceField(['connected', 'disconnected'], ['eq'], 'Whether the client is connected.'),
} as const;

/** What clients can be listed by. */
export const CLIENT_FILTERS = {
  ...own,
  ip: addressField,
  listener: textField(['eq', 'in'], 'The name of the listener that the client came by.'),
  mqtt_version: choiceField(['3.1', '3.1.1', '5'], ['eq', 'in'], 'The version of MQTT.'),
  clean_start: flagField('Whether the client began a new session.'),
  connected_at: timeField(AT_LEAST_OR_MOST, 'When the client connected.'),
  keep_alive: countField(['eq', 'gte', 'lte'], 'The keep alive in seconds; 0 for none.'),
  subscriptions: countField(AT_LEAST_OR_MOST, 'How many subscriptions it has.'),
  queue: countField(AT_LEAST_OR_MOST, 'How many messages are queued.'),
} as const;

/** What sessions can be listed by. */
export const SESSION_FILTERS = {
  ...own,
  expires_at: timeField(AT_LEAST_OR_MOST, 'When it ends if its client stays away.'),
  created_at: timeField(AT_LEAST_OR_MOST, 'When it has begun.'),
  queue_size: countField(AT_LEAST_OR_MOST, 'How many messages are queued.'),
  durable: flagField('Whether it is stored and may outlive its connection.'),
} as const;

/** The versions of MQTT by protocol level. */
export const MQTT_VERSIONS = { 3: '3.1', 4: '3.1.1', 5: '5' } as const;

const VALUES: Readonly<Record<string, (client: WireClient) => FilterValue | undefined>> = {
  client_id: ({ clientId }) => clientId,
  username: ({ username }) => username,
  state: ({ state }) => state,
  listener: ({ listener }) => listener,
  mqtt_version: ({ version }) => version && MQTT_VERSIONS[version],
  clean_start: ({ cleanStart }) => cleanStart,
  connected_at: ({ connectedAtMs }) => connectedAtMs,
  keep_alive: ({ keepAliveSeconds }) => keepAliveSeconds,
  subscriptions: ({ subscriptionCount }) => subscriptionCount,
  queue: ({ queueMessages }) => queueMessages,
  queue_size: ({ queueMessages }) => queueMessages,
  expires_at: ({ expiresAtMs }) => expiresAtMs,
  created_at: ({ createdAtMs }) => createdAtMs,
  durable: ({ isDurable }) => isDurable,
};

/** The value of a field that clients and sessions are listed by; that of `ip` is the caller's to compare. */
export function clientValue(client: WireClient, field: string): FilterValue | undefined {
  return VALUES[field]?.(client);
}
