import type { ByteReader } from './byte-reader.ts';
import type { QoS } from './packet.ts';
import { REASON, isReasonCodeOf, type ReasonCode, type ReasonHolder } from './reason-code.ts';

/** Reads a packet identifier, which is never 0 [MQTT-2.2.1-3] [MQTT3-2.3.1-1]. */
export function decodePacketId(reader: ByteReader): number {
  const packetId = reader.twoBytes();
  if (packetId === 0) reader.fail(REASON.protocolError, 'the packet identifier is 0');
  return packetId;
}

/** Checks the two bits of a QoS; 3 fails with the reason given. */
export function decodeQoS(reader: ByteReader, bits: number, reasonCode: ReasonCode): QoS {
  if (bits === 0 || bits === 1 || bits === 2) return bits;
  reader.fail(reasonCode, 'QoS 3 does not exist');
  return 0;
}

/** Reads a reason code that the packet may carry. */
export function decodeReasonCode(reader: ByteReader, holder: ReasonHolder): ReasonCode {
  const code = reader.byte();
  if (isReasonCodeOf(holder, code)) return code;
  reader.fail(REASON.protocolError, 'the reason code does not belong to this packet');
  return REASON.unspecifiedError;
}
