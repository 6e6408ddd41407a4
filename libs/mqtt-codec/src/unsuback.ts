import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decodePacketId, decodeReasonCode } from './field.ts';
import type { ProtocolVersion, UnsubackPacket } from './packet.ts';
import { decodeProperties, encodeProperties } from './properties.ts';
import { REASON, type ReasonCode } from './reason-code.ts';

/*
 * UNSUBACK (section 3.11)
 *
 *   2 bytes  packet identifier
 *   props    MQTT 5
 *   byte     MQTT 5: reason code, one per filter
 */

/** Decodes UNSUBACK. Before MQTT 5 it carries no reason codes. */
export function decodeUnsuback(reader: ByteReader, version: ProtocolVersion): UnsubackPacket {
  const packetId = decodePacketId(reader);
  if (version < 5) return { kind: 'unsuback', packetId, reasonCodes: [] };
  const properties = decodeProperties(reader, 'unsuback');
  if (reader.isAtEnd) reader.fail(REASON.protocolError, 'UNSUBACK without a reason code');
  const reasonCodes: ReasonCode[] = [];
  while (!reader.isAtEnd) reasonCodes.push(decodeReasonCode(reader, 'unsuback'));
  return { kind: 'unsuback', packetId, reasonCodes, ...(properties && { properties }) };
}

/** Encodes what follows the fixed header. */
export function encodeUnsuback(
  packet: UnsubackPacket,
  writer: ByteWriter,
  version: ProtocolVersion,
): void {
  writer.twoBytes(packet.packetId);
  if (version < 5) return;
  encodeProperties(writer, 'unsuback', packet.properties);
  for (const reasonCode of packet.reasonCodes) writer.byte(reasonCode);
}
