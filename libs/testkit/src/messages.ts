import type { Message, NodeRef, QueuedMessage } from '#libs/broker-ports';
import { UserProperties } from '#libs/mqtt-codec';

/** The node that fixtures come from when a test does not care. */
export const SOURCE: NodeRef = { nodeId: 'node-a', incarnation: 1_700_000_000_000 };

/** A message with what a test names, and plain values for the rest. */
export function messageOf(partial: Partial<Message> = {}): Message {
  return {
    topic: 'a/b',
    payload: Uint8Array.of(1, 2, 3),
    qos: 1,
    retain: false,
    publisher: 'publisher',
    source: SOURCE,
    sequence: 1,
    receivedAtMs: 1_700_000_000_001,
    expiresAtMs: 0,
    origin: 'client',
    ...partial,
  };
}

/** A queued message at a position, carrying messageOf() of what a test names. */
export function queuedOf(
  position: QueuedMessage['position'],
  partial: Partial<Message> = {},
): QueuedMessage {
  return {
    position,
    message: messageOf({ sequence: position.sequence, ...partial }),
    qos: 1,
    retain: false,
    subscriptionIdentifiers: [],
  };
}

/** A message that uses every field and property, with bytes that are no text. */
export function fullMessage(): Message {
  return messageOf({
    topic: 'é/😀/{}/a b',
    payload: Uint8Array.from({ length: 256 }, (_, index) => index),
    qos: 2,
    retain: true,
    publisher: 'publisher {1}: 😀',
    expiresAtMs: 4_000_000_000_000,
    origin: 'bridge',
    sequence: 4_294_967_297,
    properties: {
      payloadFormatIndicator: 1,
      messageExpiryInterval: 4_294_967_295,
      responseTopic: 'answers/😀',
      correlationData: Uint8Array.of(0, 255, 10, 13),
      userProperties: UserProperties.of([
        ['name', 'one'],
        ['name', ''],
        ['', 'two'],
      ]),
      contentType: 'application/octet-stream',
    },
  });
}

/** The message with its bytes as hexadecimal text: equal whatever class of array an adapter made, and readable in a diff. */
export function comparable(message: Message): unknown {
  const { payload, properties, ...rest } = message;
  const { correlationData, ...others } = properties ?? {};
  return {
    ...rest,
    payload: hex(payload),
    properties: {
      ...others,
      correlationData: correlationData === undefined ? undefined : hex(correlationData),
    },
  };
}

/** The queued message with its message as comparable() gives it. */
export function comparableQueued(queued: QueuedMessage): unknown {
  return { ...queued, message: comparable(queued.message) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
