import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decodeQoS } from './field.ts';
import type { ConnectPacket, ProtocolVersion, Will } from './packet.ts';
import { decodeProperties, encodeProperties } from './properties.ts';
import { REASON } from './reason-code.ts';
import { decodeTopicName } from './topic-name.ts';

const RESERVED = 0x01;
const CLEAN_START = 0x02;
const WILL = 0x04;
const WILL_QOS_SHIFT = 3;
const WILL_RETAIN = 0x20;
const WILL_FIELDS = 0x38;
const PASSWORD = 0x40;
const USERNAME = 0x80;

/*
 * CONNECT (section 3.1)
 *
 *   text      protocol name: "MQTT", in MQTT 3.1 "MQIsdp"
 *   byte      protocol level: 3, 4 or 5
 *   byte      flags: username 7, password 6, will retain 5, will QoS 4-3, will 2, clean start 1, reserved 0
 *   2 bytes   keep alive, seconds
 *   props     MQTT 5
 *   text      client identifier
 *   will flag:     props (MQTT 5), text topic, binary payload
 *   username flag: text
 *   password flag: binary
 */

/**
 * Decodes CONNECT. A filter-like or empty will topic fails as topicNameInvalid; whether the client identifier will do
 * is the engine's question.
 *
 * @remarks `version` is right even when the rest fails, so that the answer can be written in the client's own version;
 * for a level that does not exist it is the nearest one.
 */
export function decodeConnect(reader: ByteReader): ConnectPacket {
  const version = decodeVersion(reader);
  const flags = reader.byte();
  checkFlags(reader, flags, version);
  const keepAlive = reader.twoBytes();
  const properties = version === 5 ? decodeProperties(reader, 'connect') : undefined;
  const clientId = reader.text();
  const will = (flags & WILL) === 0 ? undefined : decodeWill(reader, flags, version);
  const username = has(reader, flags & USERNAME, version) ? reader.text() : undefined;
  const password = has(reader, flags & PASSWORD, version) ? reader.binary() : undefined;
  return {
    kind: 'connect',
    version,
    cleanStart: (flags & CLEAN_START) !== 0,
    keepAlive,
    clientId,
    ...(will && { will }),
    ...(username !== undefined && { username }),
    ...(password && { password }),
    ...(properties && { properties }),
  };
}

function decodeVersion(reader: ByteReader): ProtocolVersion {
  const name = reader.text();
  const level = reader.byte();
  if (name === 'MQTT' && (level === 4 || level === 5)) return level;
  if (name === 'MQIsdp' && level === 3) return level;
  // A server may reveal itself with this reason before it closes [MQTT-3.1.2-1] [MQTT-3.1.2-2].
  reader.fail(REASON.unsupportedProtocolVersion, 'the protocol or its level is not supported');
  return level >= 5 ? 5 : 4;
}

function checkFlags(reader: ByteReader, flags: number, version: ProtocolVersion): void {
  // MQTT 3.1 does not use the bit and says nothing of its value.
  if ((flags & RESERVED) !== 0 && version > 3) {
    reader.fail(REASON.malformedPacket, 'the reserved connect flag is set [MQTT-3.1.2-3]');
  }
  if ((flags & WILL) === 0 && (flags & WILL_FIELDS) !== 0 && version > 3) {
    reader.fail(REASON.malformedPacket, 'will flags are set without a will [MQTT-3.1.2-11]');
  }
  if ((flags & USERNAME) === 0 && (flags & PASSWORD) !== 0 && version < 5) {
    reader.fail(REASON.malformedPacket, 'a password comes without a user name [MQTT3-3.1.2-22]');
  }
}

/** MQTT 3.1 (section 3.1): the remaining length takes precedence over the user name and password flags. */
function has(reader: ByteReader, flag: number, version: ProtocolVersion): boolean {
  return flag !== 0 && !(version === 3 && reader.isAtEnd);
}

function decodeWill(reader: ByteReader, flags: number, version: ProtocolVersion): Will {
  const qos = decodeQoS(reader, (flags >> WILL_QOS_SHIFT) & 0x03, REASON.malformedPacket);
  const properties = version === 5 ? decodeProperties(reader, 'will') : undefined;
  const topic = decodeTopicName(reader);
  const payload = reader.binary();
  const retain = (flags & WILL_RETAIN) !== 0;
  return { topic, payload, qos, retain, ...(properties && { properties }) };
}

/** Encodes what follows the fixed header. */
export function encodeConnect(packet: ConnectPacket, writer: ByteWriter): void {
  const { version, will, username, password } = packet;
  writer.text(version === 3 ? 'MQIsdp' : 'MQTT');
  writer.byte(version);
  writer.byte(
    (username === undefined ? 0 : USERNAME) |
      (password === undefined ? 0 : PASSWORD) |
      (will === undefined ? 0 : willFlags(will)) |
      (packet.cleanStart ? CLEAN_START : 0),
  );
  writer.twoBytes(packet.keepAlive);
  if (version === 5) encodeProperties(writer, 'connect', packet.properties);
  writer.text(packet.clientId);
  if (will !== undefined) {
    if (version === 5) encodeProperties(writer, 'will', will.properties);
    writer.text(will.topic);
    writer.binary(will.payload);
  }
  if (username !== undefined) writer.text(username);
  if (password !== undefined) writer.binary(password);
}

function willFlags({ qos, retain }: Will): number {
  return WILL | (qos << WILL_QOS_SHIFT) | (retain ? WILL_RETAIN : 0);
}
