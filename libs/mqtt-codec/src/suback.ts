import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decodePacketId, decodeReasonCode } from './field.ts';
import type { ProtocolVersion, SubackPacket } from './packet.ts';
import { decodeProperties, encodeProperties } from './properties.ts';
import { REASON, type ReasonCode } from './reason-code.ts';

/*
 * SUBACK (section 3.9)
 *
 *   2 bytes  packet identifier
 *   props    MQTT 5
 *   byte     reason code, one per filter; before MQTT 5 the granted QoS or 0x80
 */

/** Decodes SUBACK. */
export function decodeSuback(reader: ByteReader, version: ProtocolVersion): SubackPacket {
  const packetId = decodePacketId(reader);
  const properties = version === 5 ? decodeProperties(reader, 'suback') : undefined;
  if (reader.isAtEnd) reader.fail(REASON.protocolError, 'SUBACK without a reason code');
  const reasonCodes: ReasonCode[] = [];
  while (!reader.isAtEnd) {
    const reasonCode = decodeReasonCode(reader, 'suback');
    if (version < 5 && reasonCode > REASON.unspecifiedError) {
      reader.fail(REASON.protocolError, 'the return code is reserved [MQTT-3.9.3-2]');
    }
    reasonCodes.push(reasonCode);
  }
  return { kind: 'suback', packetId, reasonCodes, ...(properties && { properties }) };
}

/** Encodes what follows the fixed header. Before MQTT 5 every refusal becomes 0x80. */
export function encodeSuback(
  packet: SubackPacket,
  writer: ByteWriter,
  version: ProtocolVersion,
): void {
  writer.twoBytes(packet.packetId);
  if (version === 5) encodeProperties(writer, 'suback', packet.properties);
  for (const reasonCode of packet.reasonCodes) {
    writer.byte(version === 5 ? reasonCode : Math.min(reasonCode, REASON.unspecifiedError));
  }
}
