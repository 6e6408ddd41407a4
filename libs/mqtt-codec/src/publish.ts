import { ByteReader, asBuffer } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { decodePacketId, decodeQoS } from './field.ts';
import type { ProtocolVersion, PublishPacket, PublishProperties, QoS } from './packet.ts';
import { decodePublishProperties, encodeProperties } from './properties.ts';
import { REASON } from './reason-code.ts';
import { hasWildcard } from './topic-name.ts';
import { UserProperties } from './user-properties.ts';
import { encodeVariableByteInteger, variableByteIntegerBytes } from './variable-byte-integer.ts';

const PUBLISH = 0x30;
/** Bit 3 of the first byte. */
export const DUP = 0x08;
const QOS_SHIFT = 1;
const RETAIN = 0x01;

/** What PUBLISH says apart from how it travels. */
export type PublishContent = Pick<PublishPacket, 'topic' | 'payload' | 'properties'>;

/** An encoded PUBLISH, shared by all receivers of one version, QoS, RETAIN and properties: never write to it. */
export interface PublishTemplate {
  readonly bytes: Uint8Array;
  /** Where the two bytes of the packet identifier go; 0 for QoS 0, which has none. */
  readonly packetIdOffset: number;
  /** The topic that the message is of, also where an alias stands for it in the bytes. */
  readonly topic: string;
}

/*
 * PUBLISH (section 3.3); flags of the fixed header: DUP 3, QoS 2-1, RETAIN 0
 *
 *   text     topic name; in MQTT 5 empty if a topic alias stands for it
 *   2 bytes  packet identifier, QoS 1 and 2
 *   props    MQTT 5
 *   rest     payload
 */

/** Decodes PUBLISH from the flags of its fixed header and what follows. The payload is a view. */
export function decodePublish(
  reader: ByteReader,
  flags: number,
  version: ProtocolVersion,
): PublishPacket {
  const kind = 'publish';
  const qos = decodeQoS(reader, (flags >> QOS_SHIFT) & 0x03, REASON.malformedPacket);
  const dup = (flags & DUP) !== 0;
  const retain = (flags & RETAIN) !== 0;
  if (dup && qos === 0) {
    reader.fail(REASON.malformedPacket, 'DUP is set with QoS 0 [MQTT-3.3.1-2]');
  }
  const topic = reader.text();
  const packetId = qos === 0 ? 0 : decodePacketId(reader);
  const properties = version === 5 ? decodePublishProperties(reader) : undefined;
  checkTopic(reader, topic, properties);
  const payload = reader.rest();
  return properties === undefined
    ? { kind, dup, qos, retain, topic, packetId, payload }
    : { kind, dup, qos, retain, topic, packetId, payload, properties };
}

/** Decodes topic, MQTT 5 properties and payload, as {@link encodePublishContent} wrote them; all bytes left are payload. */
export function decodePublishContent(reader: ByteReader): PublishContent {
  const topic = reader.text();
  const properties = decodePublishProperties(reader);
  checkTopic(reader, topic, properties);
  const payload = reader.rest();
  return properties === undefined ? { topic, payload } : { topic, payload, properties };
}

function checkTopic(
  reader: ByteReader,
  topic: string,
  properties: PublishPacket['properties'],
): void {
  if (topic === '' && properties?.topicAlias === undefined) {
    reader.fail(REASON.protocolError, 'the topic is empty and no alias stands for it');
  }
  if (hasWildcard(topic)) {
    reader.fail(REASON.topicNameInvalid, 'the topic holds a wildcard [MQTT-3.3.2-2]');
  }
}

/** Writes topic, MQTT 5 properties and payload: the form in which messages are kept and travel between nodes. */
export function encodePublishContent(content: PublishContent, writer: ByteWriter): void {
  writer.text(content.topic);
  encodeProperties(writer, 'publish', content.properties);
  writer.raw(content.payload);
}

/** The properties for a long wait: those of a received packet keep the whole chunk it came in. */
export function withOwnBytes(properties: PublishProperties): PublishProperties {
  const { correlationData, userProperties } = properties;
  return {
    ...properties,
    ...(correlationData && { correlationData: new Uint8Array(correlationData) }),
    ...(userProperties instanceof UserProperties && { userProperties: userProperties.compact() }),
  };
}

const HEAD = new ByteWriter(1024);
const SHORT_BYTES = 64;

/**
 * Encodes a PUBLISH once for all its receivers: one allocation, one copy of the payload.
 *
 * @remarks Where a template is written to a connection, the delivery's own packet identifier takes the place of this
 * one, and its DUP is set.
 */
export function encodePublish(
  packet: Omit<PublishPacket, 'kind'>,
  version: ProtocolVersion,
): PublishTemplate {
  const { qos, payload } = packet;
  HEAD.offset = 0;
  HEAD.text(packet.topic);
  const topicBytes = HEAD.offset;
  if (qos > 0) HEAD.twoBytes(packet.packetId);
  if (version === 5) encodeProperties(HEAD, 'publish', packet.properties);

  const remainingLength = HEAD.offset + payload.length;
  const headerBytes = 1 + variableByteIntegerBytes(remainingLength);
  const bytes = Buffer.allocUnsafe(headerBytes + remainingLength);
  bytes[0] = PUBLISH | (packet.dup ? DUP : 0) | (qos << QOS_SHIFT) | (packet.retain ? RETAIN : 0);
  encodeVariableByteInteger(remainingLength, bytes, 1);
  copyShort(HEAD, bytes, headerBytes);
  bytes.set(payload, headerBytes + HEAD.offset);
  const packetIdOffset = qos > 0 ? headerBytes + topicBytes : 0;
  return { bytes, packetIdOffset, topic: packet.topic };
}

/** What a template says: the packet as its receivers of a version read it, without the packet identifier and DUP of a delivery. */
export function decodeTemplate(
  { bytes, packetIdOffset }: PublishTemplate,
  version: ProtocolVersion,
): PublishPacket {
  const flags = bytes[0] ?? 0;
  let start = 1;
  while (((bytes[start] ?? 0) & 0x80) !== 0) start += 1;
  const reader = new ByteReader();
  reader.open(asBuffer(bytes), start + 1, bytes.length);
  const topic = reader.text();
  if (packetIdOffset > 0) reader.twoBytes();
  const properties = version === 5 ? decodePublishProperties(reader) : undefined;
  return {
    ...{ kind: 'publish', dup: false, qos: ((flags >> QOS_SHIFT) & 0x03) as QoS },
    ...{ retain: (flags & RETAIN) !== 0, topic, packetId: 0, payload: reader.rest() },
    ...(properties && { properties }),
  };
}

/** Copies what was written; byte by byte, which for the usual topic takes less time than a call of copy(). */
function copyShort(from: ByteWriter, target: Uint8Array, targetStart: number): void {
  const { bytes, offset } = from;
  if (offset > SHORT_BYTES) {
    bytes.copy(target, targetStart, 0, offset);
    return;
  }
  for (let index = 0; index < offset; index += 1) target[targetStart + index] = bytes[index] ?? 0;
}
