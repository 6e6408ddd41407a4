import type { QoS } from '#libs/mqtt-codec';

/** What a listener lets its clients do. MQTT 5 clients are told in CONNACK of what they may not. */
export interface ListenerRules {
  /** The highest QoS of a message from a client, and the highest one granted [MQTT-3.2.2-9]. */
  readonly qosMax: QoS;
  /** Whether clients may have messages retained. */
  readonly retain: boolean;
  /** Whether filters may hold wildcards. */
  readonly wildcardSubscriptions: boolean;
  /** Whether filters may be those of shared subscriptions. */
  readonly sharedSubscriptions: boolean;
  /** The longest session expiry interval, if it is less than that of the node. */
  readonly sessionExpirySecondsMax?: number;
  /**
   * Levels that are put before every name of its clients; `${clientId}`, `${username}` and `${host}` stand for the client. See
   * `mountpoint` of the terms.
   */
  readonly mountpoint?: string;
  /** Whether a payload that is declared as text must be UTF-8 (MQTT 5, section 3.3.2.3.2). */
  readonly payloadFormatCheck: boolean;
  /** Whether MQTT 3.1 clients need an id of 1 to 23 characters, as that version asks. */
  readonly shortClientIds: boolean;
  /** What clients are told that ask for Response Information; `${clientId}` stands for their id. */
  readonly responseInformation?: string;
}

/** The rules of a listener that allows everything. */
export const OPEN_RULES: ListenerRules = {
  qosMax: 2,
  retain: true,
  wildcardSubscriptions: true,
  sharedSubscriptions: true,
  payloadFormatCheck: false,
  shortClientIds: false,
};
