/** A message that a publisher was to send, and what became of it. */
export interface Publication {
  /** Index of the publisher. Each publishes on one topic, with one QoS. */
  readonly publisher: number;
  /** Counts up from 0 for each publisher. */
  readonly number: number;
  readonly qos: 1 | 2;
  /** When it was due, sent then or later. */
  readonly dueAtMs: number;
  /** How often its PUBLISH was sent; each time but the first with DUP. */
  sends: number;
  /** When PUBACK or PUBREC told that the broker is responsible for it. */
  acknowledgedAtMs: number | undefined;
  /** The reason code of a PUBACK or PUBREC that refused it. It is not sent again. */
  refusal: number | undefined;
}

/** A PUBLISH that a receiver got. */
export interface Arrival {
  readonly kind: 'arrival';
  readonly publisher: number;
  readonly number: number;
  readonly qos: number;
  readonly dup: boolean;
  readonly packetId: number;
  /** Counts the connections of the receiver. */
  readonly connection: number;
  readonly atMs: number;
}

/** A PUBREL that a receiver got: the packet id is free. */
export interface Release {
  readonly kind: 'release';
  readonly packetId: number;
}

/** A CONNACK without Session Present although there was a session: what the receiver remembered of it is void. */
export interface Renewal {
  readonly kind: 'renewal';
}

/** What a receiver saw, in its order. */
export type ReceiverEvent = Arrival | Release | Renewal;

/** A durable subscriber and what it saw. */
export interface ReceiverHistory {
  readonly name: string;
  /** Whether it was connected all along, faults apart. Others do not count for the time to recover. */
  readonly isLive: boolean;
  /** Whether its filters match the topic of a publisher. */
  readonly wants: (publisher: number) => boolean;
  readonly events: readonly ReceiverEvent[];
}

/** A whole run. Times are milliseconds of one clock. */
export interface History {
  /** By publisher, then by number. */
  readonly publications: readonly (readonly Publication[])[];
  readonly receivers: readonly ReceiverHistory[];
  /** When faults were applied, in order. */
  readonly faultsAtMs: readonly number[];
}
