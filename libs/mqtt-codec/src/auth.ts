import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decodeReasonCode } from './field.ts';
import type { AuthPacket } from './packet.ts';
import { decodeProperties, encodeProperties } from './properties.ts';
import { REASON } from './reason-code.ts';

/*
 * AUTH (section 3.15), MQTT 5 only
 *
 *   byte   reason code; left out it is success
 *   props  may be left out too
 */

/** Decodes AUTH. */
export function decodeAuth(reader: ByteReader): AuthPacket {
  if (reader.isAtEnd) return { kind: 'auth', reasonCode: REASON.success };
  const reasonCode = decodeReasonCode(reader, 'auth');
  const properties = reader.isAtEnd ? undefined : decodeProperties(reader, 'auth');
  return { kind: 'auth', reasonCode, ...(properties && { properties }) };
}

/** Encodes what follows the fixed header, in the shortest form. */
export function encodeAuth({ reasonCode, properties }: AuthPacket, writer: ByteWriter): void {
  if (reasonCode === REASON.success && properties === undefined) return;
  writer.byte(reasonCode);
  if (properties !== undefined) encodeProperties(writer, 'auth', properties);
}
