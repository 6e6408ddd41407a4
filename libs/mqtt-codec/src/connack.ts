import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decodeReasonCode } from './field.ts';
import type { ConnackPacket, ProtocolVersion } from './packet.ts';
import { decodeProperties, encodeProperties } from './properties.ts';
import { REASON, type ReasonCode } from './reason-code.ts';

const SESSION_PRESENT = 0x01;

/** The return codes of MQTT 3.1.1 (table 3.1), by number, and what they are in MQTT 5. */
const REASONS_OF_RETURN_CODES: readonly ReasonCode[] = [
  REASON.success,
  REASON.unsupportedProtocolVersion,
  REASON.clientIdentifierNotValid,
  REASON.serverUnavailable,
  REASON.badUserNameOrPassword,
  REASON.notAuthorized,
];

const SERVER_UNAVAILABLE = 3;
const NOT_AUTHORIZED = 5;

/** What no return code says: the packet was not as the server wants it. */
const UNSPEAKABLE: ReadonlySet<ReasonCode> = new Set([
  REASON.malformedPacket,
  REASON.protocolError,
  REASON.topicNameInvalid,
  REASON.packetTooLarge,
  REASON.payloadFormatInvalid,
  REASON.retainNotSupported,
  REASON.qosNotSupported,
]);

/*
 * CONNACK (section 3.2)
 *
 *   byte   flags: session present 0, others reserved; MQTT 3.1 uses none
 *   byte   reason code; before MQTT 5 a return code
 *   props  MQTT 5
 */

/** Decodes CONNACK. A return code of MQTT 3.1.1 becomes the reason code of the same meaning. */
export function decodeConnack(reader: ByteReader, version: ProtocolVersion): ConnackPacket {
  const flags = reader.byte();
  if ((flags & ~SESSION_PRESENT) !== 0 && version > 3) {
    reader.fail(REASON.malformedPacket, 'reserved flags of CONNACK are set [MQTT-3.2.2-1]');
  }
  const sessionPresent = version > 3 && (flags & SESSION_PRESENT) !== 0;
  if (version < 5) return { kind: 'connack', sessionPresent, reasonCode: decodeReturnCode(reader) };
  const reasonCode = decodeReasonCode(reader, 'connack');
  const properties = decodeProperties(reader, 'connack');
  return { kind: 'connack', sessionPresent, reasonCode, ...(properties && { properties }) };
}

function decodeReturnCode(reader: ByteReader): ReasonCode {
  const reasonCode = REASONS_OF_RETURN_CODES[reader.byte()];
  if (reasonCode !== undefined) return reasonCode;
  reader.fail(REASON.protocolError, 'the return code is reserved');
  return REASON.unspecifiedError;
}

/** Whether a version has a word for a reason; if not, the connection is closed without CONNACK [MQTT3-3.2.2-6]. */
export function hasConnackFor(reasonCode: ReasonCode, version: ProtocolVersion): boolean {
  return version === 5 || !UNSPEAKABLE.has(reasonCode);
}

/**
 * Encodes what follows the fixed header.
 *
 * @remarks Before MQTT 5 there are five reasons to refuse: 0x84 becomes 1, 0x85 becomes 2, 0x86 becomes 4;
 * 0x87, 0x8A and 0x8C, which are verdicts on the client, become 5; all else becomes 3, server unavailable.
 */
export function encodeConnack(
  packet: ConnackPacket,
  writer: ByteWriter,
  version: ProtocolVersion,
): void {
  writer.byte(packet.sessionPresent && version > 3 ? SESSION_PRESENT : 0);
  if (version < 5) {
    writer.byte(returnCodeOf(packet.reasonCode));
  } else {
    writer.byte(packet.reasonCode);
    encodeProperties(writer, 'connack', packet.properties);
  }
}

function returnCodeOf(reasonCode: ReasonCode): number {
  if (reasonCode === REASON.banned || reasonCode === REASON.badAuthenticationMethod) {
    return NOT_AUTHORIZED;
  }
  const returnCode = REASONS_OF_RETURN_CODES.indexOf(reasonCode);
  return returnCode < 0 ? SERVER_UNAVAILABLE : returnCode;
}
