/** QoS of a message on the wire between the API and a node. */
export type WireQoS = 0 | 1 | 2;

/** MQTT 5 properties of a message; bytes are base64. */
export interface WireProperties {
  readonly contentType?: string | undefined;
  readonly responseTopic?: string | undefined;
  readonly correlationData?: string | undefined;
  readonly payloadFormatIndicator?: 0 | 1 | undefined;
  /** Seconds. */
  readonly messageExpiryInterval?: number | undefined;
  readonly userProperties?: readonly (readonly [name: string, value: string])[] | undefined;
}

/** A message to publish; the payload is base64. */
export interface WireMessage {
  readonly topic: string;
  readonly payload: string;
  readonly qos: WireQoS;
  readonly retain: boolean;
  readonly properties?: WireProperties | undefined;
}

/** A retained message; the payload is base64 and there only when asked for. */
export interface WireRetained {
  readonly topic: string;
  readonly qos: WireQoS;
  readonly payloadBytes: number;
  readonly payload?: string | undefined;
  /** Empty for the broker itself. */
  readonly publisher: string;
  readonly receivedAtMs: number;
  /** 0 never. */
  readonly expiresAtMs: number;
  readonly properties: WireProperties;
}

/** Part of a list, in the order of UTF-16 code units of its keys. */
export interface WirePage<Item> {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
}

/** Which retained messages to list. */
export interface WireRetainedQuery {
  readonly filter: string;
  readonly after?: string;
  readonly limit: number;
  /** Whether payloads are wanted. */
  readonly payload: boolean;
}
