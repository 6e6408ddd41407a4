import { REASON, type ReasonName } from '#libs/mqtt-codec';

/** The codes that a CONNACK may carry (MQTT 5, section 3.2.2.2). */
export const CONNACK_REASONS: readonly ReasonName[] = [
  'success',
  'unspecifiedError',
  'malformedPacket',
  'protocolError',
  'implementationSpecificError',
  'unsupportedProtocolVersion',
  'clientIdentifierNotValid',
  'badUserNameOrPassword',
  'notAuthorized',
  'serverUnavailable',
  'serverBusy',
  'banned',
  'badAuthenticationMethod',
  'topicNameInvalid',
  'packetTooLarge',
  'quotaExceeded',
  'payloadFormatInvalid',
  'retainNotSupported',
  'qosNotSupported',
  'useAnotherServer',
  'serverMoved',
  'connectionRateExceeded',
];

/** The codes that a SUBACK may carry (section 3.9.3). */
export const SUBACK_REASONS: readonly ReasonName[] = [
  'success',
  'grantedQoS1',
  'grantedQoS2',
  'unspecifiedError',
  'implementationSpecificError',
  'notAuthorized',
  'topicFilterInvalid',
  'packetIdentifierInUse',
  'quotaExceeded',
  'sharedSubscriptionsNotSupported',
  'subscriptionIdentifiersNotSupported',
  'wildcardSubscriptionsNotSupported',
];

/** The codes that an UNSUBACK may carry (section 3.11.3). */
export const UNSUBACK_REASONS: readonly ReasonName[] = [
  'success',
  'noSubscriptionExisted',
  'unspecifiedError',
  'implementationSpecificError',
  'notAuthorized',
  'topicFilterInvalid',
  'packetIdentifierInUse',
];

/** Failures that the client could not have avoided: they count against the service. */
const SERVER_ERRORS: ReadonlySet<string> = new Set<ReasonName>([
  'unspecifiedError',
  'implementationSpecificError',
  'serverUnavailable',
  'serverBusy',
  'serverShuttingDown',
]);

/** The labels `outcome` and `reason` of an answer: `badUserNameOrPassword` reads `bad_user_name_or_password`. */
export function reasonLabels(name: ReasonName | 'other'): {
  readonly outcome: 'success' | 'client_error' | 'server_error';
  readonly reason: string;
} {
  const reason = name.replace('QoS', 'Qos').replaceAll(/[A-Z]/g, (letter) => `_${letter}`);
  return { outcome: outcomeOf(name), reason: reason.toLowerCase() };
}

function outcomeOf(name: ReasonName | 'other'): 'success' | 'client_error' | 'server_error' {
  if (name === 'other' || SERVER_ERRORS.has(name)) return 'server_error';
  return REASON[name] < REASON.unspecifiedError ? 'success' : 'client_error';
}
