import type { DisconnectReason, HeldReason } from '#libs/broker-ports';
import type { Packet, PublishTemplate, ReasonCode } from '#libs/mqtt-codec';

/** Why reading from a client is held: HeldReason, while it connects, and when it is about to be sent away. */
export type HoldReason = 'connecting' | 'retiring' | HeldReason;

/** One bit for each reason. */
export const HOLD_BITS: Readonly<Record<HoldReason, number>> = {
  connecting: 1,
  window: 2,
  output: 4,
  requests: 8,
  share: 16,
  rate: 32,
  overload: 64,
  retiring: 128,
};

/** What a session asks of its client's connection. */
export interface ClientLink {
  /** Whether the client does not take what is sent. */
  readonly congested: boolean;
  /** Bytes that wait for the client to take them. */
  readonly unsentBytes: number;
  send(packet: Packet): void;
  sendAck(
    kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp',
    packetId: number,
    reasonCode: ReasonCode,
  ): void;
  sendPublish(template: PublishTemplate, packetId: number, dup: boolean): void;
  hold(reason: HoldReason, held: boolean): void;
  /**
   * Ends the connection; MQTT 5 clients are told why.
   *
   * @param reason - for the metrics, where the code alone does not tell.
   */
  close(reasonCode: ReasonCode, detail: string, reason?: DisconnectReason): void;
  /** The client has said DISCONNECT. */
  leave(withWill: boolean): void;
  /** Resolves when the client has taken or sent something, or is gone; after a second at the latest. */
  whenMoved(): Promise<void>;
}
