import {
  REASON,
  encodePacket,
  utf8ByteLength,
  type ConnackProperties,
  type ConnectPacket,
  type ProtocolVersion,
  type ReasonCode,
  type Will,
} from '#libs/mqtt-codec';
import { isFalseText } from './false-text.ts';
import type { EngineLimits } from './limits.ts';
import type { ListenerRules } from './listener-rules.ts';

/** What client and server have agreed on for a connection. */
export interface ConnectionTerms {
  readonly version: ProtocolVersion;
  readonly clientId: string;
  readonly cleanStart: boolean;
  /** Whether the node has made the client id, for a client that brought none [MQTT-3.1.3-6]. */
  readonly isClientIdAssigned: boolean;
  readonly username: string | undefined;
  /** The keep-alive in force; 0 for none. The connection ends after one and a half times as long [MQTT-3.1.2-22]. */
  readonly keepAliveSeconds: number;
  /** Whether the session outlives the connection. */
  readonly durable: boolean;
  /** 0xFFFFFFFF never expires. */
  readonly sessionExpirySeconds: number;
  readonly will: Will | undefined;
  /** Messages that may be in flight to the client. */
  readonly window: number;
  /** The largest packet the client takes; 0 for any. */
  readonly packetBytesMax: number;
  /** Topic aliases that may be set towards the client; 0 for none. */
  readonly topicAliasMaximum: number;
  /** Whether the client wants to be told in words why something is refused (Request Problem Information). */
  readonly problemInformation: boolean;
  /** Put before the names of the client by whoever owns it, and taken off what it receives; none when absent. */
  readonly mountpoint?: string;
  /** The rules of the listener that the client came in by. */
  readonly rules: ListenerRules;
  readonly connackProperties: ConnackProperties | undefined;
}

/** The verdict on a CONNECT, before authentication, which decides on the user name. */
export type Negotiation =
  | { readonly kind: 'agreed'; readonly terms: ConnectionTerms }
  | { readonly kind: 'refused'; readonly reasonCode: ReasonCode; readonly detail: string };

/** What a node brings to a CONNECT, besides its limits. */
export interface ConnectOffer {
  readonly rules: ListenerRules;
  /** Gives an unused client id for a client that brought none [MQTT-3.1.3-6]. */
  readonly assignClientId: () => string;
}

const NEVER = 0xffff_ffff;
const CLIENT_ID_CHARACTERS_31 = 23;
const TEXT_BYTES_MAX = 65_535;

/** Decides what a connection may do, from its CONNECT, the limits and the rules of its listener. */
export function negotiate(
  packet: ConnectPacket,
  limits: EngineLimits,
  offer: ConnectOffer,
): Negotiation {
  const { version, properties } = packet;
  const refusal = clientIdFault(packet, limits, offer.rules) ?? willFault(packet, offer.rules);
  if (refusal !== undefined) return refusal;
  const clientId = packet.clientId === '' ? offer.assignClientId() : packet.clientId;
  const sessionExpirySeconds = capExpiry(expiryAsked(packet, limits), limits, offer.rules);
  const agreed = {
    version,
    clientId,
    isClientIdAssigned: packet.clientId === '',
    cleanStart: packet.cleanStart,
    username: packet.username,
    keepAliveSeconds: capKeepAlive(packet.keepAlive, version, limits),
    durable: sessionExpirySeconds > 0,
    sessionExpirySeconds,
    will: packet.will,
    window: Math.min(properties?.receiveMaximum ?? 65_535, limits.inflightMax),
    packetBytesMax: properties?.maximumPacketSize ?? 0,
    topicAliasMaximum: Math.min(properties?.topicAliasMaximum ?? 0, limits.topicAliasesSentMax),
    problemInformation: version === 5 && properties?.requestProblemInformation !== false,
    rules: offer.rules,
  };
  const connackProperties = version === 5 ? told(packet, limits, agreed) : undefined;
  const terms = { ...agreed, connackProperties };
  return takesConnack(terms)
    ? { kind: 'agreed', terms }
    : refused(REASON.packetTooLarge, 'the client takes no packet as large as CONNACK');
}

/** Whether a client takes a packet as large as its CONNACK: without it nothing else may be sent [MQTT-3.2.0-1]. */
export function takesConnack({
  version,
  packetBytesMax,
  connackProperties,
}: ConnectionTerms): boolean {
  if (packetBytesMax === 0 || connackProperties === undefined) return true;
  const properties = connackProperties;
  const connack = { kind: 'connack', sessionPresent: false, reasonCode: 0, properties } as const;
  return encodePacket(connack, version).length <= packetBytesMax;
}

/** What CONNACK says of the terms: the bounds, and what differs from what was asked or taken for granted. */
function told(
  packet: ConnectPacket,
  limits: EngineLimits,
  terms: Omit<ConnectionTerms, 'connackProperties'>,
): ConnackProperties {
  const { clientId, isClientIdAssigned, keepAliveSeconds, sessionExpirySeconds, rules } = terms;
  const { qosMax } = rules;
  const wantsInformation = packet.properties?.requestResponseInformation === true;
  return {
    receiveMaximum: limits.receiveMaximum,
    maximumPacketSize: limits.packetBytesMax,
    topicAliasMaximum: limits.topicAliasMaximum,
    ...(qosMax !== 2 && { maximumQoS: qosMax }),
    ...(!rules.retain && { retainAvailable: false }),
    ...(!rules.wildcardSubscriptions && { wildcardSubscriptionAvailable: false }),
    ...(!rules.sharedSubscriptions && { sharedSubscriptionAvailable: false }),
    ...(isClientIdAssigned && { assignedClientIdentifier: clientId }),
    ...(expiryAsked(packet, limits) !== sessionExpirySeconds && {
      sessionExpiryInterval: sessionExpirySeconds,
    }),
    ...(keepAliveSeconds !== packet.keepAlive && { serverKeepAlive: keepAliveSeconds }),
    ...(wantsInformation && responseInformationOf(rules, clientId)),
  };
}

/** Nothing where the client id makes it too long for a UTF-8 Encoded String. */
function responseInformationOf(
  { responseInformation: template }: ListenerRules,
  clientId: string,
): Pick<ConnackProperties, 'responseInformation'> | undefined {
  const responseInformation = template?.replaceAll('${clientId}', () => clientId);
  if (responseInformation === undefined) return undefined;
  return utf8ByteLength(responseInformation) > TEXT_BYTES_MAX ? undefined : { responseInformation };
}

function clientIdFault(
  { version, clientId, cleanStart }: ConnectPacket,
  limits: EngineLimits,
  rules: ListenerRules,
): Negotiation | undefined {
  const refuse = (detail: string) => refused(REASON.clientIdentifierNotValid, detail);
  if (version === 3 && rules.shortClientIds && !isShort(clientId)) {
    return refuse('client id not of 1 to 23 characters');
  }
  if (clientId === '' && version !== 5 && !cleanStart) {
    return refuse('an empty client id needs a clean session');
  }
  // A UTF-16 unit takes at most three bytes of UTF-8: only long ids are measured.
  const isLong =
    clientId.length * 3 > limits.clientIdBytesMax &&
    utf8ByteLength(clientId) > limits.clientIdBytesMax;
  return isLong ? refuse(`client id above ${limits.clientIdBytesMax} bytes`) : undefined;
}

function isShort(clientId: string): boolean {
  const characters = Array.from(clientId.slice(0, 2 * CLIENT_ID_CHARACTERS_31 + 1)).length;
  return characters > 0 && characters <= CLIENT_ID_CHARACTERS_31;
}

function willFault({ will }: ConnectPacket, rules: ListenerRules): Negotiation | undefined {
  if (will === undefined) return undefined;
  if (will.qos > rules.qosMax) {
    return refused(REASON.qosNotSupported, 'the will has a QoS that is not supported');
  }
  if (will.retain && !rules.retain) {
    return refused(REASON.retainNotSupported, 'retained messages are not supported');
  }
  if (rules.payloadFormatCheck && isFalseText(will)) {
    return refused(REASON.payloadFormatInvalid, 'the payload of the will is not UTF-8');
  }
  return undefined;
}

/** Bounds a session expiry interval; 0xFFFFFFFF (never) is bounded as well. */
export function capExpiry(seconds: number, limits: EngineLimits, rules: ListenerRules): number {
  return Math.min(seconds, limits.sessionExpirySecondsMax, rules.sessionExpirySecondsMax ?? NEVER);
}

function expiryAsked(packet: ConnectPacket, limits: EngineLimits): number {
  if (packet.version === 5) return packet.properties?.sessionExpiryInterval ?? 0;
  return packet.cleanStart ? 0 : Math.min(limits.persistentSessionMaxAgeSeconds, NEVER);
}

/** Only MQTT 5 can be told of another keep-alive; older clients keep what they asked for. */
function capKeepAlive(asked: number, version: ProtocolVersion, limits: EngineLimits): number {
  const max = limits.keepAliveSecondsMax;
  if (version !== 5 || max === 0) return asked;
  return asked === 0 || asked > max ? max : asked;
}

function refused(reasonCode: ReasonCode, detail: string): Negotiation {
  return { kind: 'refused', reasonCode, detail };
}
