import {
  MQTT_VERSIONS,
  type Client,
  type InflightMessageView,
  type QueuedMessageView,
  type RememberedVerdictView,
  type SessionView,
  type WireClient,
  type WireDelivery,
  type WireInflight,
  type WireVerdict,
  type WireWaiting,
} from '#libs/api-contracts';
import { presentPayload, presentProperties } from './presenters.ts';

const NEVER_EXPIRES = 0xffff_ffff;

/** How payloads are shown. */
export type PayloadForm = 'none' | 'base64' | 'text';

const time = (ms: number): string => new Date(ms).toISOString();
const timeOrNull = (ms: number | undefined): string | null => (ms === undefined ? null : time(ms));

/** A client as the API shows it. */
export function presentClient(client: WireClient, node: string): Client {
  return {
    client_id: client.clientId,
    username: client.username ?? null,
    node,
    state: client.state,
    listener: client.listener ?? null,
    remote_address: client.remoteAddress ?? null,
    mqtt_version: client.version === undefined ? null : MQTT_VERSIONS[client.version],
    clean_start: client.cleanStart,
    keep_alive_seconds: client.keepAliveSeconds,
    connected_at: timeOrNull(client.connectedAtMs),
    disconnected_at: timeOrNull(client.disconnectedAtMs),
    session_expiry_seconds: expiryOf(client),
    subscription_count: client.subscriptionCount,
    queue_messages: client.queueMessages,
    queue_bytes: client.queueBytes,
    inflight_messages: client.inflightMessages,
    unsent_bytes: client.unsentBytes ?? 0,
    delivery_delay_seconds:
      client.deliveryDelayMs === undefined ? null : client.deliveryDelayMs / 1_000,
  };
}

/** A session as the API shows it. */
export function presentSession(session: WireClient, node: string): SessionView {
  return {
    client_id: session.clientId,
    node,
    username: session.username ?? null,
    state: session.state,
    durable: session.isDurable,
    created_at: time(session.createdAtMs),
    disconnected_at: session.state === 'connected' ? null : timeOrNull(session.disconnectedAtMs),
    expiry_seconds: expiryOf(session),
    expires_at: timeOrNull(session.expiresAtMs),
    subscription_count: session.subscriptionCount,
    queue_messages: session.queueMessages,
    queue_bytes: session.queueBytes,
    inflight_messages: session.inflightMessages,
  };
}

/** A message that waits, as the API shows it. */
export function presentWaiting(message: WireWaiting, form: PayloadForm): QueuedMessageView {
  const { qos, retain, isInflight: inflight } = message;
  return { ...presentDelivery(message, form), qos, retain, inflight };
}

/** A message that was sent, as the API shows it. */
export function presentInflight(
  { packetId, qos, awaits, message }: WireInflight,
  form: PayloadForm,
): InflightMessageView {
  const shown = message === undefined ? null : presentDelivery(message, form);
  return { packet_id: packetId, qos, awaits, message: shown };
}

/** A remembered verdict as the API shows it. */
export function presentRemembered(verdict: WireVerdict): RememberedVerdictView {
  const { action, topic, qos, retain = null, isAllowed: allowed } = verdict;
  return { action, topic, qos, retain, allowed };
}

function presentDelivery(message: WireDelivery, form: PayloadForm) {
  return {
    topic: message.topic,
    payload_bytes: message.payloadBytes,
    ...(form !== 'none' && {
      ...presentPayload(message.payload ?? '', form),
      properties: presentProperties(message.properties, true),
    }),
    publisher: message.publisher ?? null,
    received_at: time(message.receivedAtMs),
    expires_at: message.expiresAtMs === 0 ? null : time(message.expiresAtMs),
  };
}

function expiryOf({ sessionExpirySeconds: seconds }: WireClient): number | null {
  return seconds === NEVER_EXPIRES ? null : seconds;
}
