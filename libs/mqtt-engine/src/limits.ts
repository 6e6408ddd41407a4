/** The bounds a session works within. Each is a configuration key of the same name. */
export interface EngineLimits {
  /** Bytes of one packet from a client. */
  readonly packetBytesMax: number;
  /** The longest keep-alive a client may ask for; a longer one is lowered by Server Keep Alive. 0 allows any. */
  readonly keepAliveSecondsMax: number;
  /** QoS 1 and 2 messages a client may have unacknowledged (Receive Maximum of CONNACK). */
  readonly receiveMaximum: number;
  /** QoS 1 and 2 messages sent to a client and not yet acknowledged, if the client allows as many. */
  readonly inflightMax: number;
  /** Topic aliases a client may set. */
  readonly topicAliasMaximum: number;
  /** Topic aliases set towards a client, if it allows as many. */
  readonly topicAliasesSentMax: number;
  /** Messages that wait in memory for one client's window. */
  readonly queueMessagesMax: number;
  /** Bytes of messages, their topics and properties included, that wait in memory for one client's window. */
  readonly queueBytesMax: number;
  /** How long a QoS 1 or 2 message may wait for a client, whatever its own expiry. */
  readonly queueAgeSecondsMax: number;
  readonly sessionExpirySecondsMax: number;
  /** How long a session of MQTT 3.1.1 with Clean Session 0 is kept after its connection. */
  readonly persistentSessionMaxAgeSeconds: number;
  /** UTF-8 bytes of a client id. */
  readonly clientIdBytesMax: number;
}
