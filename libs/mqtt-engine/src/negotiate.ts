import {
  REASON,
  type ConnackProperties,
  type ConnectPacket,
  type ProtocolVersion,
  type ReasonCode,
  type Will,
} from '#libs/mqtt-codec';
import type { EngineLimits } from './limits.ts';

/** What client and server have agreed on for a connection. */
export interface ConnectionTerms {
  readonly version: ProtocolVersion;
  readonly clientId: string;
  readonly cleanStart: boolean;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
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
  readonly connackProperties: ConnackProperties | undefined;
}

/** The verdict on a CONNECT, before authentication. */
export type Negotiation =
  | { readonly kind: 'agreed'; readonly terms: ConnectionTerms }
  | { readonly kind: 'refused'; readonly reasonCode: ReasonCode; readonly detail: string };

const NEVER = 0xffff_ffff;

/**
 * Decides what a connection may do, from its CONNECT and the limits.
 *
 * @param assignClientId - gives an unused client id for a client that brought none [MQTT-3.1.3-6].
 */
export function negotiate(
  packet: ConnectPacket,
  limits: EngineLimits,
  assignClientId: () => string,
): Negotiation {
  const { version, properties } = packet;
  if (properties?.authenticationMethod !== undefined) {
    return refused(REASON.badAuthenticationMethod, 'enhanced authentication is not offered');
  }
  if (packet.clientId === '' && version !== 5 && !packet.cleanStart) {
    return refused(REASON.clientIdentifierNotValid, 'an empty client id needs a clean session');
  }
  const assigned = packet.clientId === '';
  const clientId = assigned ? assignClientId() : packet.clientId;
  // A UTF-16 unit takes at most three bytes of UTF-8: only long ids are measured.
  if (
    clientId.length * 3 > limits.clientIdBytesMax &&
    utf8Length(clientId) > limits.clientIdBytesMax
  ) {
    return refused(
      REASON.clientIdentifierNotValid,
      `client id above ${limits.clientIdBytesMax} bytes`,
    );
  }
  const asked = expiryAsked(packet, limits);
  const sessionExpirySeconds = capExpiry(asked, limits);
  const keepAliveSeconds = capKeepAlive(packet.keepAlive, version, limits);
  return {
    kind: 'agreed',
    terms: {
      version,
      clientId,
      cleanStart: packet.cleanStart,
      username: packet.username,
      password: packet.password,
      keepAliveSeconds,
      durable: sessionExpirySeconds > 0,
      sessionExpirySeconds,
      will: packet.will,
      window: Math.min(properties?.receiveMaximum ?? 65_535, limits.inflightMax),
      packetBytesMax: properties?.maximumPacketSize ?? 0,
      connackProperties:
        version === 5
          ? {
              receiveMaximum: limits.receiveMaximum,
              maximumPacketSize: limits.packetBytesMax,
              topicAliasMaximum: limits.topicAliasMaximum,
              sharedSubscriptionAvailable: false,
              ...(assigned && { assignedClientIdentifier: clientId }),
              ...(asked !== sessionExpirySeconds && {
                sessionExpiryInterval: sessionExpirySeconds,
              }),
              ...(keepAliveSeconds !== packet.keepAlive && { serverKeepAlive: keepAliveSeconds }),
            }
          : undefined,
    },
  };
}

/** Bounds a session expiry interval; 0xFFFFFFFF (never) is bounded as well. */
export function capExpiry(seconds: number, limits: EngineLimits): number {
  return Math.min(seconds, limits.sessionExpirySecondsMax);
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

function utf8Length(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

function refused(reasonCode: ReasonCode, detail: string): Negotiation {
  return { kind: 'refused', reasonCode, detail };
}
