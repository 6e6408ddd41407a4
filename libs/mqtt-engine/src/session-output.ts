import type {
  Packet,
  PublishPacket,
  PublishTemplate,
  ReasonCode,
  SubscribePacket,
  UnsubscribePacket,
} from '#libs/mqtt-codec';

import type { SharedPublish } from './shared-publish.ts';

/** Where a message stands in a durable session's queue: see QueuePosition of the session store port. */
export interface Position {
  readonly epoch: number;
  readonly sequence: number;
}

/** The acknowledgement of one message from a client, which waits for responsibility. */
export interface PublishAck {
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly startedAtMs: number;
  /** Whether its connection is still there: else its completion sends nothing. */
  readonly isAwaited: boolean;
  /** Whether it has been told how it ended. */
  readonly isComplete: boolean;
  /**
   * Says how it ended; the first call counts. Below 0x80 the message is taken.
   *
   * @param reason - why it is refused, for clients that want to know in words.
   */
  complete(reasonCode: ReasonCode, reason?: string): void;
}

/** A request to read on in the stored queue. Each is an object of its own: the answer names it. */
export interface Load {
  /** Read what comes after this; undefined: from the oldest. */
  readonly after: Position | undefined;
  readonly limit: number;
}

/** Why the engine did not deliver a message. */
export type EngineDropReason =
  'queue_full' | 'expired' | 'too_large' | 'outside_mountpoint' | 'not_authorized';

/** What the engine observes and does not decide anything by. */
export interface EngineObserver {
  /** A message was not delivered and will not be. */
  dropped(reason: EngineDropReason, publish: SharedPublish): void;
  /** As {@link dropped}: the client may not have the message any more. Others may, unless it is undefined. */
  withheld(publish: SharedPublish | undefined): void;
  /** A QoS 1 or 2 message was sent again. */
  retried(qos: 1 | 2): void;
  /** A QoS 2 PUBLISH came again and was recognised. */
  duplicate(): void;
  /** A message was written towards the client's socket. */
  sent(qos: 0 | 1 | 2, bytes: number, publish: SharedPublish): void;
}

/**
 * What a session asks of the node: the effects of its rules, carried out by whoever owns it.
 *
 * @remarks Methods return at once and throw nothing. Those that name an answer are completed later by a call
 * to the session, in any turn; after the connection has ended, late answers are ignored by the session.
 */
export interface SessionOutput extends EngineObserver {
  /** Adds a packet to what this turn writes. */
  send(packet: Packet): void;
  /** Adds an acknowledgement to what this turn writes. */
  sendAck(
    kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp',
    packetId: number,
    reasonCode: ReasonCode,
  ): void;
  /** Adds a PUBLISH to what this turn writes; `packetId` is 0 for QoS 0. */
  sendPublish(template: PublishTemplate, packetId: number, dup: boolean): void;
  /** True while the socket holds more than it may: QoS 0 is dropped then, the rest waits. */
  readonly congested: boolean;
  /**
   * Hands a message to the publish pipeline; the topic alias is resolved. With `ack`, ack.complete() is called when
   * responsibility is taken, which for QoS 2 of a durable session includes the record of its packet id.
   */
  publish(packet: PublishPacket, ack: PublishAck | undefined): void;
  /** Answer: Session.subscribed(). */
  subscribe(packet: SubscribePacket): void;
  /** Answer: Session.unsubscribed(). */
  unsubscribe(packet: UnsubscribePacket): void;
  /** Stop (or go on) reading from the client: it has more unacknowledged than it may. */
  holdReading(hold: boolean): void;
  /** Durable sessions: the message is done with, which took so many bytes of the queue. */
  settle(position: Position, bytes: number): void;
  /** Durable sessions: PUBREC came. Answer: Session.released(). */
  release(position: Position, packetId: number, bytes: number): void;
  /** Durable sessions: PUBCOMP came. */
  complete(packetId: number): void;
  /** Durable sessions: PUBREL came. Answer: Session.forgotten(). */
  forget(packetId: number): void;
  /** Durable sessions: read on in the queue. Answer: Outbound.loaded() or Outbound.loadFailed(). */
  load(load: Load): void;
  /** Ends the connection; MQTT 5 clients are told the reason. */
  close(reasonCode: ReasonCode, detail: string): void;
  /** The client said goodbye. The will is dropped unless it asked for it. */
  disconnected(withWill: boolean, sessionExpirySeconds: number | undefined): void;
}
