import {
  encodeWill,
  type MessageIdentity,
  type QueuePosition,
  type BegunMessage,
  type ReceivingMessage,
  type SessionRecord,
  type StoredSubscription,
  type StoredWill,
} from '#libs/broker-ports';
import { asBuffer } from './bytes.ts';
import { nodeText, parseNode } from './keys.ts';

/** A session as `view()` of commands/session.lua gives it. */
export type SessionView = readonly [
  record: readonly (string | null)[],
  filters: readonly string[],
  received: readonly string[],
  released: readonly string[],
  queueMessages: number,
  queueBytes: number,
  newest: string,
];

/** The record that a view describes. */
export function decodeSession(clientId: string, view: SessionView): SessionRecord {
  const [fields, filters, received, released, queueMessages, queueBytes, newest] = view;
  const [epoch, nodeId, incarnation, connected, durable, interval, createdAtMs, expiresAtMs, user] =
    fields;
  return {
    clientId,
    epoch: Number(epoch),
    owner: { nodeId: nodeId ?? '', incarnation: Number(incarnation) },
    connected: connected === '1',
    durable: durable === '1',
    expiryIntervalSeconds: Number(interval),
    ...(user ? { user: user.slice(1) } : {}),
    createdAtMs: Number(createdAtMs),
    expiresAtMs: Number(expiresAtMs),
    subscriptions: decodeSubscriptions(filters),
    ...decodeReceived(received),
    releasedPacketIds: released.map(Number),
    queueMessages,
    queueBytes,
    lastSequence: decodePosition(newest).sequence,
  };
}

/** A message's identity as text: `node#incarnation/sequence`. */
export function encodeIdentity({ source, sequence }: MessageIdentity): string {
  return `${nodeText(source)}/${sequence}`;
}

/** The identity that {@link encodeIdentity} wrote. */
export function decodeIdentity(text: string): MessageIdentity {
  const split = text.lastIndexOf('/');
  return { source: parseNode(text.slice(0, split)), sequence: Number(text.slice(split + 1)) };
}

/** A message that was begun as text: `node#incarnation/sequence digest`. */
export function encodeBegun(message: BegunMessage): string {
  return `${encodeIdentity(message)} ${message.digest}`;
}

/** The message that {@link encodeBegun} wrote. */
function decodeBegun(text: string): BegunMessage {
  const split = text.lastIndexOf(' ');
  return { ...decodeIdentity(text.slice(0, split)), digest: Number(text.slice(split + 1)) };
}

/** A will as text. */
export function willText(will: StoredWill): string {
  return asBuffer(encodeWill(will)).toString('base64');
}

/** A queue position as the id of a stream entry. */
export function encodePosition(position: QueuePosition): string {
  return `${position.epoch}-${position.sequence}`;
}

/** The queue position of a stream entry. */
export function decodePosition(id: string): QueuePosition {
  const split = id.indexOf('-');
  return { epoch: Number(id.slice(0, split)), sequence: Number(id.slice(split + 1)) };
}

/**
 * All of a subscription but its filter: `options identifier`.
 *
 * @remarks The options are one number: bits 0-1 QoS, 2 no local, 3 retain as published, 4-5 retain handling,
 * as in the options byte of SUBSCRIBE [MQTT-3.8.3.1].
 */
export function encodeSubscription(subscription: StoredSubscription): string {
  const { qos, noLocal, retainAsPublished, retainHandling, subscriptionIdentifier } = subscription;
  const options =
    qos | (noLocal ? 0b100 : 0) | (retainAsPublished ? 0b1000 : 0) | (retainHandling << 4);
  return `${options} ${subscriptionIdentifier}`;
}

/** The subscription that {@link encodeSubscription} wrote. */
export function decodeSubscription(filter: string, value: string): StoredSubscription {
  const [options = 0, subscriptionIdentifier = 0] = value.split(' ').map(Number);
  return {
    filter,
    qos: atMost2(options & 0b11),
    noLocal: (options & 0b100) !== 0,
    retainAsPublished: (options & 0b1000) !== 0,
    retainHandling: atMost2(options >> 4),
    subscriptionIdentifier,
  };
}

function decodeReceived(
  flat: readonly string[],
): Pick<SessionRecord, 'receivedPacketIds' | 'receiving'> {
  const receivedPacketIds: number[] = [];
  const receiving: ReceivingMessage[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const packetId = Number(flat[at]);
    const identity = flat[at + 1] ?? '';
    if (identity === '') receivedPacketIds.push(packetId);
    else receiving.push({ packetId, ...decodeBegun(identity) });
  }
  return { receivedPacketIds, receiving };
}

function decodeSubscriptions(flat: readonly string[]): StoredSubscription[] {
  const subscriptions: StoredSubscription[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    subscriptions.push(decodeSubscription(flat[at] ?? '', flat[at + 1] ?? ''));
  }
  return subscriptions;
}

function atMost2(bits: number): 0 | 1 | 2 {
  return bits === 0 || bits === 1 ? bits : 2;
}
