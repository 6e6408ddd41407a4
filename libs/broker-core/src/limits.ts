import type { EngineLimits } from '#libs/mqtt-engine';

/** The bounds of a node. Each is a configuration key of the same name. */
export interface CoreLimits extends EngineLimits {
  /** How long a connection may take to send its CONNECT. */
  readonly connectTimeoutMs: number;
  /** Bytes a connection may send before it is authenticated; a larger CONNECT is refused. */
  readonly unauthenticatedBytesMax: number;
  /** Bytes that may wait in one socket before its client counts as slow: QoS 0 is dropped then, the rest waits. */
  readonly socketBufferBytesMax: number;
  readonly subscriptionsMax: number;
  readonly topicLevelsMax: number;
  readonly retainedMessagesMax: number;
  /** Bytes of one retained message, its topic and properties included. */
  readonly retainedMessageBytesMax: number;
  /** Bytes of all retained messages, their topics and properties included. */
  readonly retainedBytesMax: number;
  /** Sessions of this node, connected or not. */
  readonly sessionsMax: number;
  /** How long a QoS 1 or 2 publish may wait for responsibility before it is refused. */
  readonly publishDeadlineMs: number;
}
