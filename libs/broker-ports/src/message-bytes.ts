import {
  ByteReader,
  ByteWriter,
  REASON,
  decodePublishContent,
  encodePublishContent,
} from '#libs/mqtt-codec';
import type { Message, NodeRef } from './message.ts';
import type { QueuedMessage, QueuePosition } from './session-store.ts';
import { readNode, readSixBytes, writeNode, writeSixBytes } from './six-bytes.ts';
import { qosOf } from './stored-qos.ts';

/*
 * How messages are kept in stores and travel between nodes. All integers are big-endian.
 *
 *   message  byte 1 (format), record
 *   queued   byte 1 (format), byte (QoS 1-0, retain 2, group 3), varint count, varint subscription identifier ...,
 *            text filter of a shared subscription (with flag 3 only), record
 *   batch    byte 1 (format), then per message: 4 bytes length, record
 *
 *   record
 *     byte     flags: QoS 1-0, retain 2, origin 4-3, expires 5, source of the record before it 6, reserved 7
 *     text     publisher
 *     source:  text node id, 6 bytes incarnation; left out with flag 6
 *     6 bytes  sequence
 *     6 bytes  received at, milliseconds
 *     6 bytes  expires at, milliseconds; with flag 5 only
 *     text topic, MQTT 5 properties, payload to the end: as in PUBLISH
 *
 * A reader refuses a format that it does not know: a change of the layout takes the next number.
 */

const FORMAT = 1;

const QOS = 0x03;
const RETAIN = 0x04;
const GROUP = 0x08;
const ORIGIN_SHIFT = 3;
const EXPIRES = 0x20;
const SAME_SOURCE = 0x40;
const RESERVED = 0x80;

const ORIGINS = ['client', 'admin', 'bridge', 'system'] as const;

/** What a record takes besides texts and payload, generously; user properties may make it grow. */
const RECORD_BYTES = 128;

/**
 * Encodes a message to be stored.
 *
 * @throws RangeError if a time or count is not an integer below 2^48: the caller's bug.
 */
export function encodeMessage(message: Message): Uint8Array {
  const writer = writerFor([message]);
  writeRecord(writer, message, undefined);
  return writer.written();
}

/** Decodes what {@link encodeMessage} made; undefined for any other bytes. The payload is a view of them. */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  const reader = readerOf(bytes);
  const message = readRecord(reader, undefined);
  return reader.failure === undefined ? message : undefined;
}

/** Encodes a queued message without its position, which is its key. */
export function encodeQueued(queued: Omit<QueuedMessage, 'position'>): Uint8Array {
  const writer = writerFor([queued.message]);
  const { group } = queued;
  writer.byte(queued.qos | (queued.retain ? RETAIN : 0) | (group === undefined ? 0 : GROUP));
  writer.variableByteInteger(queued.subscriptionIdentifiers.length);
  for (const identifier of queued.subscriptionIdentifiers) writer.variableByteInteger(identifier);
  if (group !== undefined) writer.text(group);
  writeRecord(writer, queued.message, undefined);
  return writer.written();
}

/** Decodes what {@link encodeQueued} made; undefined for any other bytes. The payload is a view of them. */
export function decodeQueued(
  bytes: Uint8Array,
  position: QueuePosition,
): QueuedMessage | undefined {
  const reader = readerOf(bytes);
  const flags = reader.byte();
  const qos = flags & QOS;
  const subscriptionIdentifiers: number[] = [];
  let count = reader.variableByteInteger();
  for (; count > 0 && !reader.isAtEnd; count -= 1) {
    subscriptionIdentifiers.push(reader.variableByteInteger());
  }
  const group = (flags & GROUP) === 0 ? undefined : reader.text();
  const message = readRecord(reader, undefined);
  const hasForeignFlags = flags > (QOS | RETAIN | GROUP);
  if (reader.failure !== undefined || (qos !== 1 && qos !== 2) || hasForeignFlags) {
    return undefined;
  }
  const retain = (flags & RETAIN) !== 0;
  const queued = { position, message, qos, retain, subscriptionIdentifiers } as const;
  return group === undefined ? queued : { ...queued, group };
}

/** Encodes messages to travel together. A source is written again only where it changes. */
export function encodeBatch(messages: readonly Message[]): Uint8Array {
  const writer = writerFor(messages);
  let source: NodeRef | undefined;
  for (const message of messages) {
    const start = writer.offset;
    writer.fourBytes(0);
    writeRecord(writer, message, source);
    writer.fourBytesAt(start, writer.offset - start - 4);
    source = message.source;
  }
  return writer.written();
}

/** Decodes what {@link encodeBatch} made, or nothing of it; undefined for any other bytes. Payloads are views of them. */
export function decodeBatch(bytes: Uint8Array): readonly Message[] | undefined {
  const reader = readerOf(bytes);
  const messages: Message[] = [];
  let source: NodeRef | undefined;
  while (!reader.isAtEnd) {
    const length = reader.fourBytes();
    const end = reader.offset + length;
    if (end > bytes.length) return undefined;
    reader.end = end;
    const message = readRecord(reader, source);
    if (reader.failure !== undefined) return undefined;
    messages.push(message);
    source = message.source;
    reader.end = bytes.length;
  }
  return reader.failure === undefined ? messages : undefined;
}

function writerFor(messages: readonly Message[]): ByteWriter {
  let size = 1;
  for (const { topic, publisher, payload } of messages) {
    size += RECORD_BYTES + topic.length + publisher.length + payload.length;
  }
  const writer = new ByteWriter(size);
  writer.byte(FORMAT);
  return writer;
}

function readerOf(bytes: Uint8Array): ByteReader {
  const reader = new ByteReader(bytes);
  if (reader.byte() !== FORMAT) reader.fail(REASON.malformedPacket, 'the format is unknown');
  return reader;
}

function writeRecord(writer: ByteWriter, message: Message, before: NodeRef | undefined): void {
  const { source, expiresAtMs } = message;
  const isSameSource =
    before?.nodeId === source.nodeId && before.incarnation === source.incarnation;
  writer.byte(
    message.qos |
      (message.retain ? RETAIN : 0) |
      (ORIGINS.indexOf(message.origin) << ORIGIN_SHIFT) |
      (expiresAtMs > 0 ? EXPIRES : 0) |
      (isSameSource ? SAME_SOURCE : 0),
  );
  writer.text(message.publisher);
  if (!isSameSource) writeNode(writer, source);
  writeSixBytes(writer, message.sequence);
  writeSixBytes(writer, message.receivedAtMs);
  if (expiresAtMs > 0) writeSixBytes(writer, expiresAtMs);
  encodePublishContent(message, writer);
}

/** Reads up to the end of the reader. The message means something only if the reader has not failed. */
function readRecord(reader: ByteReader, before: NodeRef | undefined): Message {
  const flags = reader.byte();
  const publisher = reader.text();
  const source = readSource(reader, flags, before);
  const sequence = readSixBytes(reader);
  const receivedAtMs = readSixBytes(reader);
  const expiresAtMs = (flags & EXPIRES) === 0 ? 0 : readSixBytes(reader);
  const content = decodePublishContent(reader);
  const qos = qosOf(flags & QOS);
  if (qos === undefined || (flags & RESERVED) !== 0) {
    reader.fail(REASON.malformedPacket, 'flags that are not in use');
  }
  return {
    ...content,
    qos: qos ?? 0,
    retain: (flags & RETAIN) !== 0,
    publisher,
    source,
    sequence,
    receivedAtMs,
    expiresAtMs,
    origin: ORIGINS[(flags >> ORIGIN_SHIFT) & 0x03] ?? 'system',
  };
}

function readSource(reader: ByteReader, flags: number, before: NodeRef | undefined): NodeRef {
  if ((flags & SAME_SOURCE) === 0) return readNode(reader);
  if (before !== undefined) return before;
  reader.fail(REASON.malformedPacket, 'no record before it has a source');
  return { nodeId: '', incarnation: 0 };
}
