import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decodePacketId } from './field.ts';
import type { ProtocolVersion, UnsubscribePacket } from './packet.ts';
import { decodeProperties, encodeProperties } from './properties.ts';
import { REASON } from './reason-code.ts';

/*
 * UNSUBSCRIBE (section 3.10); flags of the fixed header: 0010
 *
 *   2 bytes  packet identifier
 *   props    MQTT 5
 *   text     topic filter, once or more
 */

/** Decodes UNSUBSCRIBE. */
export function decodeUnsubscribe(reader: ByteReader, version: ProtocolVersion): UnsubscribePacket {
  const packetId = decodePacketId(reader);
  const properties = version === 5 ? decodeProperties(reader, 'unsubscribe') : undefined;
  if (reader.isAtEnd) {
    reader.fail(REASON.protocolError, 'UNSUBSCRIBE without a filter [MQTT-3.10.3-2]');
  }
  const filters: string[] = [];
  while (!reader.isAtEnd) filters.push(reader.text());
  return { kind: 'unsubscribe', packetId, filters, ...(properties && { properties }) };
}

/** Encodes what follows the fixed header. */
export function encodeUnsubscribe(
  packet: UnsubscribePacket,
  writer: ByteWriter,
  version: ProtocolVersion,
): void {
  writer.twoBytes(packet.packetId);
  if (version === 5) encodeProperties(writer, 'unsubscribe', packet.properties);
  for (const filter of packet.filters) writer.text(filter);
}
