import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decodeReasonCode } from './field.ts';
import type { DisconnectPacket, ProtocolVersion } from './packet.ts';
import { decodeProperties, encodeProperties } from './properties.ts';
import { REASON } from './reason-code.ts';

/*
 * DISCONNECT (section 3.14)
 *
 *   byte   MQTT 5: reason code; left out it is success, a normal disconnection
 *   props  MQTT 5: may be left out too
 */

/** Decodes DISCONNECT. */
export function decodeDisconnect(reader: ByteReader, version: ProtocolVersion): DisconnectPacket {
  if (version < 5 || reader.isAtEnd) return { kind: 'disconnect', reasonCode: REASON.success };
  const reasonCode = decodeReasonCode(reader, 'disconnect');
  const properties = reader.isAtEnd ? undefined : decodeProperties(reader, 'disconnect');
  return { kind: 'disconnect', reasonCode, ...(properties && { properties }) };
}

/** Encodes what follows the fixed header, in the shortest form. */
export function encodeDisconnect(
  { reasonCode, properties }: DisconnectPacket,
  writer: ByteWriter,
  version: ProtocolVersion,
): void {
  if (version < 5 || (reasonCode === REASON.success && properties === undefined)) return;
  writer.byte(reasonCode);
  if (properties !== undefined) encodeProperties(writer, 'disconnect', properties);
}
