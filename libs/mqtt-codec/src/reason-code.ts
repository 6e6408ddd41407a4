/**
 * The reason codes of MQTT 5 (section 2.4), by name. Every answer of the engine is one of these;
 * the encoders of 3.1.1 map them to that version's return codes.
 */
export const REASON = {
  /** Also granted QoS 0 and normal disconnection. */
  success: 0x00,
  grantedQoS1: 0x01,
  grantedQoS2: 0x02,
  disconnectWithWill: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  continueAuthentication: 0x18,
  reAuthenticate: 0x19,
  unspecifiedError: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecificError: 0x83,
  unsupportedProtocolVersion: 0x84,
  clientIdentifierNotValid: 0x85,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  banned: 0x8a,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdentifierInUse: 0x91,
  packetIdentifierNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  messageRateTooHigh: 0x96,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  qosNotSupported: 0x9b,
  useAnotherServer: 0x9c,
  serverMoved: 0x9d,
  sharedSubscriptionsNotSupported: 0x9e,
  connectionRateExceeded: 0x9f,
  maximumConnectTime: 0xa0,
  subscriptionIdentifiersNotSupported: 0xa1,
  wildcardSubscriptionsNotSupported: 0xa2,
} as const;

/** The name of a reason code: a closed set, so it may label a metric. */
export type ReasonName = keyof typeof REASON;

/** A reason code of MQTT 5. */
export type ReasonCode = (typeof REASON)[ReasonName];

/** A packet that carries reason codes. */
export type ReasonHolder =
  | 'connack'
  | 'puback'
  | 'pubrec'
  | 'pubrel'
  | 'pubcomp'
  | 'suback'
  | 'unsuback'
  | 'disconnect'
  | 'auth';

const REFUSALS = [
  REASON.unspecifiedError,
  REASON.implementationSpecificError,
  REASON.notAuthorized,
] as const;

const PUBLISH_ANSWERS = [
  ...REFUSALS,
  REASON.success,
  REASON.noMatchingSubscribers,
  REASON.topicNameInvalid,
  REASON.packetIdentifierInUse,
  REASON.quotaExceeded,
  REASON.payloadFormatInvalid,
] as const;

const RELEASE_ANSWERS = [REASON.success, REASON.packetIdentifierNotFound] as const;

const SERVER_REFUSALS = [
  ...REFUSALS,
  REASON.malformedPacket,
  REASON.protocolError,
  REASON.serverBusy,
  REASON.badAuthenticationMethod,
  REASON.topicNameInvalid,
  REASON.packetTooLarge,
  REASON.quotaExceeded,
  REASON.payloadFormatInvalid,
  REASON.retainNotSupported,
  REASON.qosNotSupported,
  REASON.useAnotherServer,
  REASON.serverMoved,
  REASON.connectionRateExceeded,
] as const;

/** Which reason codes each packet may carry: table 2-6 of the MQTT 5 specification (section 2.4). */
const REASON_CODES: Readonly<Record<ReasonHolder, ReadonlySet<number>>> = {
  connack: new Set([
    ...SERVER_REFUSALS,
    REASON.success,
    REASON.unsupportedProtocolVersion,
    REASON.clientIdentifierNotValid,
    REASON.badUserNameOrPassword,
    REASON.serverUnavailable,
    REASON.banned,
  ]),
  puback: new Set(PUBLISH_ANSWERS),
  pubrec: new Set(PUBLISH_ANSWERS),
  pubrel: new Set(RELEASE_ANSWERS),
  pubcomp: new Set(RELEASE_ANSWERS),
  suback: new Set([
    ...REFUSALS,
    REASON.success,
    REASON.grantedQoS1,
    REASON.grantedQoS2,
    REASON.topicFilterInvalid,
    REASON.packetIdentifierInUse,
    REASON.quotaExceeded,
    REASON.sharedSubscriptionsNotSupported,
    REASON.subscriptionIdentifiersNotSupported,
    REASON.wildcardSubscriptionsNotSupported,
  ]),
  unsuback: new Set([
    ...REFUSALS,
    REASON.success,
    REASON.noSubscriptionExisted,
    REASON.topicFilterInvalid,
    REASON.packetIdentifierInUse,
  ]),
  disconnect: new Set([
    ...SERVER_REFUSALS,
    REASON.success,
    REASON.disconnectWithWill,
    REASON.serverShuttingDown,
    REASON.keepAliveTimeout,
    REASON.sessionTakenOver,
    REASON.topicFilterInvalid,
    REASON.receiveMaximumExceeded,
    REASON.topicAliasInvalid,
    REASON.messageRateTooHigh,
    REASON.administrativeAction,
    REASON.sharedSubscriptionsNotSupported,
    REASON.maximumConnectTime,
    REASON.subscriptionIdentifiersNotSupported,
    REASON.wildcardSubscriptionsNotSupported,
  ]),
  auth: new Set([REASON.success, REASON.continueAuthentication, REASON.reAuthenticate]),
};

/** Whether a packet may carry this reason code. */
export function isReasonCodeOf(holder: ReasonHolder, code: number): code is ReasonCode {
  return REASON_CODES[holder].has(code);
}
