import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decodePacketId, decodeReasonCode } from './field.ts';
import type { AckPacket, ProtocolVersion } from './packet.ts';
import { decodeProperties, encodeProperties } from './properties.ts';
import { REASON } from './reason-code.ts';

/*
 * PUBACK, PUBREC, PUBREL, PUBCOMP (sections 3.4 to 3.7)
 *
 *   2 bytes  packet identifier
 *   byte     MQTT 5: reason code; left out it is success
 *   props    MQTT 5: may be left out too
 */

/** Decodes one of the four acknowledgements. Before MQTT 5 its reason is success. */
export function decodeAck(
  reader: ByteReader,
  kind: AckPacket['kind'],
  version: ProtocolVersion,
): AckPacket {
  const packetId = decodePacketId(reader);
  if (version < 5 || reader.isAtEnd) return { kind, packetId, reasonCode: REASON.success };
  const reasonCode = decodeReasonCode(reader, kind);
  const properties = reader.isAtEnd ? undefined : decodeProperties(reader, kind);
  return { kind, packetId, reasonCode, ...(properties && { properties }) };
}

/** Encodes what follows the fixed header, in the shortest form. */
export function encodeAck(packet: AckPacket, writer: ByteWriter, version: ProtocolVersion): void {
  const { kind, packetId, reasonCode, properties } = packet;
  writer.twoBytes(packetId);
  if (version < 5 || (reasonCode === REASON.success && properties === undefined)) return;
  writer.byte(reasonCode);
  if (properties !== undefined) encodeProperties(writer, kind, properties);
}
