import type { ReasonCode } from './reason-code.ts';
import type { UserProperties, UserProperty } from './user-properties.ts';

/** The protocol level of CONNECT: 3 is MQTT 3.1 (MQIsdp), 4 is MQTT 3.1.1, 5 is MQTT 5.0. */
export type ProtocolVersion = 3 | 4 | 5;

/** Quality of Service: at most once, at least once, exactly once. */
export type QoS = 0 | 1 | 2;

/** The properties of PUBLISH (MQTT 5, section 3.3.2.3). Absent means absent: no defaults are filled in. */
export interface PublishProperties {
  readonly payloadFormatIndicator?: 0 | 1;
  /** Seconds. */
  readonly messageExpiryInterval?: number;
  readonly topicAlias?: number;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  /** Those that were received are {@link UserProperties}. */
  readonly userProperties?: UserProperties | readonly UserProperty[];
  readonly subscriptionIdentifiers?: readonly number[];
  readonly contentType?: string;
}

/** The properties of a will: those of PUBLISH that may be set, and the delay in seconds (MQTT 5, section 3.1.3.2). */
export interface WillProperties {
  /** Seconds between the end of the connection and the will. */
  readonly willDelayInterval?: number;
  readonly payloadFormatIndicator?: 0 | 1;
  /** Seconds. */
  readonly messageExpiryInterval?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly userProperties?: readonly UserProperty[];
}

/** The will of a CONNECT. */
export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties?: WillProperties;
}

/** The properties of CONNECT (MQTT 5, section 3.1.2.11). */
export interface ConnectProperties {
  /** Seconds; 0xFFFFFFFF never expires. */
  readonly sessionExpiryInterval?: number;
  readonly receiveMaximum?: number;
  readonly maximumPacketSize?: number;
  readonly topicAliasMaximum?: number;
  readonly requestResponseInformation?: boolean;
  readonly requestProblemInformation?: boolean;
  readonly userProperties?: readonly UserProperty[];
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

/** A client asks for a connection (section 3.1). */
export interface ConnectPacket {
  readonly kind: 'connect';
  readonly version: ProtocolVersion;
  /** Clean Session in 3.1.1, Clean Start in 5.0. */
  readonly cleanStart: boolean;
  /** Seconds; 0 switches the keep-alive off. */
  readonly keepAlive: number;
  /** May be empty: the server then assigns one. */
  readonly clientId: string;
  readonly will?: Will;
  readonly username?: string;
  readonly password?: Uint8Array;
  readonly properties?: ConnectProperties;
}

/** The properties of CONNACK (MQTT 5, section 3.2.2.3). */
export interface ConnackProperties {
  readonly sessionExpiryInterval?: number;
  readonly receiveMaximum?: number;
  readonly maximumQoS?: 0 | 1;
  readonly retainAvailable?: boolean;
  readonly maximumPacketSize?: number;
  readonly assignedClientIdentifier?: string;
  readonly topicAliasMaximum?: number;
  readonly reasonString?: string;
  readonly userProperties?: readonly UserProperty[];
  readonly wildcardSubscriptionAvailable?: boolean;
  readonly subscriptionIdentifiersAvailable?: boolean;
  readonly sharedSubscriptionAvailable?: boolean;
  readonly serverKeepAlive?: number;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

/** The server's answer to CONNECT (section 3.2). For 3.1.1 the encoder maps the reason to a return code. */
export interface ConnackPacket {
  readonly kind: 'connack';
  readonly sessionPresent: boolean;
  readonly reasonCode: ReasonCode;
  readonly properties?: ConnackProperties;
}

/** An application message (section 3.3). */
export interface PublishPacket {
  readonly kind: 'publish';
  readonly dup: boolean;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Empty only with a topic alias. */
  readonly topic: string;
  /** 0 for QoS 0, where the packet carries none. */
  readonly packetId: number;
  /** A view of the received bytes: copy it to keep it beyond the turn only if the chunk is large and the payload small. */
  readonly payload: Uint8Array;
  readonly properties?: PublishProperties;
}

/** What any packet that ends an exchange may carry besides its reason code. */
export interface ReasonProperties {
  readonly reasonString?: string;
  readonly userProperties?: readonly UserProperty[];
}

/** PUBACK, PUBREC, PUBREL and PUBCOMP have one shape (sections 3.4 to 3.7). */
export interface AckPacket {
  readonly kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';
  readonly packetId: number;
  readonly reasonCode: ReasonCode;
  readonly properties?: ReasonProperties;
}

/** What a client wants for one filter (section 3.8.3.1). In 3.1.1 the last three have their defaults. */
export interface SubscriptionRequest {
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0 sends retained messages at subscribe, 1 only for a new subscription, 2 never. */
  readonly retainHandling: 0 | 1 | 2;
}

/** Asks for subscriptions (section 3.8). */
export interface SubscribePacket {
  readonly kind: 'subscribe';
  readonly packetId: number;
  readonly subscriptions: readonly SubscriptionRequest[];
  readonly properties?: {
    readonly subscriptionIdentifier?: number;
    readonly userProperties?: readonly UserProperty[];
  };
}

/** One reason code per filter, in the order of SUBSCRIBE [MQTT-3.9.3-1]. */
export interface SubackPacket {
  readonly kind: 'suback';
  readonly packetId: number;
  readonly reasonCodes: readonly ReasonCode[];
  readonly properties?: ReasonProperties;
}

/** Gives filters back (section 3.10). */
export interface UnsubscribePacket {
  readonly kind: 'unsubscribe';
  readonly packetId: number;
  readonly filters: readonly string[];
  readonly properties?: { readonly userProperties?: readonly UserProperty[] };
}

/** One reason code per filter; 3.1.1 carries none (section 3.11). */
export interface UnsubackPacket {
  readonly kind: 'unsuback';
  readonly packetId: number;
  readonly reasonCodes: readonly ReasonCode[];
  readonly properties?: ReasonProperties;
}

/** Keep-alive question (section 3.12). */
export interface PingreqPacket {
  readonly kind: 'pingreq';
}

/** Keep-alive answer (section 3.13). */
export interface PingrespPacket {
  readonly kind: 'pingresp';
}

/** The last packet of a connection; the server sends it in MQTT 5 only (section 3.14). */
export interface DisconnectPacket {
  readonly kind: 'disconnect';
  readonly reasonCode: ReasonCode;
  readonly properties?: ReasonProperties & {
    /** Seconds. */
    readonly sessionExpiryInterval?: number;
    readonly serverReference?: string;
  };
}

/** Enhanced authentication, MQTT 5 only (section 3.15). */
export interface AuthPacket {
  readonly kind: 'auth';
  readonly reasonCode: ReasonCode;
  readonly properties?: ReasonProperties & {
    readonly authenticationMethod?: string;
    readonly authenticationData?: Uint8Array;
  };
}

/** Any control packet. */
export type Packet =
  | ConnectPacket
  | ConnackPacket
  | PublishPacket
  | AckPacket
  | SubscribePacket
  | SubackPacket
  | UnsubscribePacket
  | UnsubackPacket
  | PingreqPacket
  | PingrespPacket
  | DisconnectPacket
  | AuthPacket;
