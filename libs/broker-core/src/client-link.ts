import type { DisconnectReason, HeldReason } from '#libs/broker-ports';
import type { Packet, PublishTemplate, ReasonCode } from '#libs/mqtt-codec';

/** Why reading from a client is held: HeldReason, and while it connects. */
export type HoldReason = 'connecting' | HeldReason;

/** What a session asks of its client's connection. */
export interface ClientLink {
  /** Whether the client does not take what is sent. */
  readonly congested: boolean;
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
