import type { DisconnectReason } from '#libs/broker-ports';
import { REASON, type ReasonCode, type ReasonName } from '#libs/mqtt-codec';

const REASONS = new Map<ReasonCode, DisconnectReason>([
  [REASON.malformedPacket, 'malformed_packet'],
  [REASON.protocolError, 'protocol_error'],
  [REASON.topicAliasInvalid, 'protocol_error'],
  [REASON.topicNameInvalid, 'protocol_error'],
  [REASON.topicFilterInvalid, 'protocol_error'],
  [REASON.qosNotSupported, 'protocol_error'],
  [REASON.retainNotSupported, 'protocol_error'],
  [REASON.unsupportedProtocolVersion, 'protocol_error'],
  [REASON.badAuthenticationMethod, 'authentication_failed'],
  [REASON.packetTooLarge, 'packet_too_large'],
  [REASON.keepAliveTimeout, 'keepalive_timeout'],
  [REASON.sessionTakenOver, 'taken_over'],
  [REASON.administrativeAction, 'kicked'],
  [REASON.serverShuttingDown, 'shutdown'],
  [REASON.quotaExceeded, 'quota'],
  [REASON.receiveMaximumExceeded, 'quota'],
  [REASON.serverUnavailable, 'storage_unavailable'],
]);

/** The metric label for a reason code. */
export function disconnectReasonOf(reasonCode: ReasonCode): DisconnectReason {
  return REASONS.get(reasonCode) ?? 'other';
}

const NAMES = new Map<ReasonCode, ReasonName>(
  Object.entries(REASON).map(([name, code]) => [code, name as ReasonName]),
);

/** The name of a reason code. */
export function reasonNameOf(reasonCode: ReasonCode): ReasonName {
  return NAMES.get(reasonCode) ?? 'unspecifiedError';
}
