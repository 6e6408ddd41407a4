import type { Meter, QueuedMessage, QueuePosition } from '#libs/broker-ports';
import type { PublishPacket, SubscribePacket, UnsubscribePacket } from '#libs/mqtt-codec';
import type { PendingAck } from '#libs/mqtt-engine';
import type { CoreLimits } from './limits.ts';
import type { Offer, SessionEntry } from './session-entry.ts';
import type { SessionWriter } from './session-writer.ts';

/** What a session asks of its node. */
export interface SessionHost {
  readonly limits: CoreLimits;
  readonly meter: Meter;
  readonly writer: SessionWriter;
  readonly nowMs: () => number;
  /** Messages taken from and sent to clients since the start. */
  readonly traffic: { received: number; sent: number };
  publishFrom(entry: SessionEntry, packet: PublishPacket, ack: PendingAck | undefined): void;
  subscribe(entry: SessionEntry, packet: SubscribePacket): void;
  unsubscribe(entry: SessionEntry, packet: UnsubscribePacket): void;
  /** Removes a message from the stored queue, together with the others of this turn. */
  settle(entry: SessionEntry, position: QueuePosition): void;
  load(
    entry: SessionEntry,
    after: QueuePosition | undefined,
    limit: number,
  ): Promise<readonly QueuedMessage[]>;
  /** Another node owns the session: let it go, and pass on the message that came too late. */
  fenced(entry: SessionEntry, offer: Offer | undefined): void;
}
