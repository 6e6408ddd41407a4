import {
  ByteReader,
  ByteWriter,
  REASON,
  decodePublishContent,
  encodePublishContent,
} from '#libs/mqtt-codec';
import { readNode, readSixBytes, writeNode, writeSixBytes } from './six-bytes.ts';
import { qosOf } from './stored-qos.ts';
import type { StoredWill } from './stored-will.ts';

/*
 * How a will is kept. All integers are big-endian.
 *
 *   byte 1   format
 *   byte     flags: QoS 1-0, retain 2, user name 3, held 4, reserved 7-5
 *   4 bytes  delay in seconds
 *   identity: text node id, 6 bytes incarnation, 6 bytes sequence
 *   text client id, text user name (with flag 3 only), text listener, text remote address
 *   text topic, MQTT 5 properties, payload to the end: as in PUBLISH
 */

const FORMAT = 2;

const QOS = 0x03;
const RETAIN = 0x04;
const USERNAME = 0x08;
const HELD = 0x10;
const RESERVED = 0xe0;

/** What a will takes besides texts and payload, generously; user properties may make it grow. */
const WILL_BYTES = 256;

/** Encodes a will to be stored. */
export function encodeWill(will: StoredWill): Uint8Array {
  const { message, identity, delaySeconds, client, isHeld = false } = will;
  const { clientId, username, listener, remoteAddress } = client;
  const writer = new ByteWriter(WILL_BYTES + message.topic.length + message.payload.length);
  writer.byte(FORMAT);
  const retain = message.retain ? RETAIN : 0;
  const flags = retain | (username === undefined ? 0 : USERNAME) | (isHeld ? HELD : 0);
  writer.byte(message.qos | flags);
  writer.fourBytes(delaySeconds);
  writeNode(writer, identity.source);
  writeSixBytes(writer, identity.sequence);
  writer.text(clientId);
  if (username !== undefined) writer.text(username);
  writer.text(listener);
  writer.text(remoteAddress);
  encodePublishContent(message, writer);
  return writer.written();
}

/** Decodes what {@link encodeWill} made; undefined for any other bytes. The payload is a view of them. */
export function decodeWill(bytes: Uint8Array): StoredWill | undefined {
  const reader = new ByteReader(bytes);
  if (reader.byte() !== FORMAT) reader.fail(REASON.malformedPacket, 'the format is unknown');
  const flags = reader.byte();
  const qos = qosOf(flags & QOS);
  const delaySeconds = reader.fourBytes();
  const identity = { source: readNode(reader), sequence: readSixBytes(reader) };
  const clientId = reader.text();
  const username = (flags & USERNAME) === 0 ? undefined : reader.text();
  const client = { clientId, username, listener: reader.text(), remoteAddress: reader.text() };
  const content = decodePublishContent(reader);
  if (reader.failure !== undefined || qos === undefined || (flags & RESERVED) !== 0) {
    return undefined;
  }
  const message = { ...content, qos, retain: (flags & RETAIN) !== 0 };
  const isHeld = (flags & HELD) !== 0;
  return { message, identity, delaySeconds, client, ...(isHeld && { isHeld }) };
}
