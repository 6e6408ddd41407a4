import { encodeAck } from './ack.ts';
import { encodeAuth } from './auth.ts';
import { ByteWriter } from './byte-writer.ts';
import { encodeConnack } from './connack.ts';
import { encodeConnect } from './connect.ts';
import { encodeDisconnect } from './disconnect.ts';
import { firstByteOf } from './packet-name.ts';
import type { Packet, ProtocolVersion, PublishPacket } from './packet.ts';
import { encodePublish } from './publish.ts';
import { encodeSuback } from './suback.ts';
import { encodeSubscribe } from './subscribe.ts';
import { encodeUnsuback } from './unsuback.ts';
import { encodeUnsubscribe } from './unsubscribe.ts';
import { encodeVariableByteInteger, variableByteIntegerBytes } from './variable-byte-integer.ts';

/** One writer serves all: encoding neither waits nor calls back. */
const BODY = new ByteWriter(1024);

/**
 * Encodes any packet, of either direction, into memory of its own.
 *
 * @remarks What a version does not have is left out: properties and most reason codes before MQTT 5.
 * @throws RangeError if a value does not fit its field, or for AUTH before MQTT 5: the caller's bug.
 */
export function encodePacket(packet: Packet, version: ProtocolVersion): Uint8Array {
  if (packet.kind === 'publish') return encodePublish(packet, version).bytes;
  BODY.offset = 0;
  encodeBody(packet, BODY, version);
  const headerBytes = 1 + variableByteIntegerBytes(BODY.offset);
  const bytes = Buffer.allocUnsafe(headerBytes + BODY.offset);
  bytes[0] = firstByteOf(packet.kind);
  encodeVariableByteInteger(BODY.offset, bytes, 1);
  BODY.bytes.copy(bytes, headerBytes, 0, BODY.offset);
  return bytes;
}

function encodeBody(
  packet: Exclude<Packet, PublishPacket>,
  writer: ByteWriter,
  version: ProtocolVersion,
): void {
  switch (packet.kind) {
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return encodeAck(packet, writer, version);
    case 'pingreq':
    case 'pingresp':
      return;
    case 'subscribe':
      return encodeSubscribe(packet, writer, version);
    case 'suback':
      return encodeSuback(packet, writer, version);
    case 'unsubscribe':
      return encodeUnsubscribe(packet, writer, version);
    case 'unsuback':
      return encodeUnsuback(packet, writer, version);
    case 'connect':
      return encodeConnect(packet, writer);
    case 'connack':
      return encodeConnack(packet, writer, version);
    case 'disconnect':
      return encodeDisconnect(packet, writer, version);
    case 'auth':
      if (version < 5) throw new RangeError('AUTH exists in MQTT 5 only');
      return encodeAuth(packet, writer);
  }
}
