import type { Message } from '#libs/broker-ports';
import type { DeliveryForm, SharedPublish } from '#libs/mqtt-engine';
import type { Obligations } from './obligations.ts';

/** A message on its way to one session. */
export interface Offer {
  readonly shared: SharedPublish;
  readonly form: DeliveryForm;
  readonly message: Message;
  /** Undefined for QoS 0: nobody waits. */
  readonly obligations: Obligations | undefined;
  /** Whether the session gets it once, however often it comes: true for what is routed with QoS 2, unless it comes in several ways. */
  readonly once: boolean;
  /** Whether it comes out of a dead node's inbox. */
  readonly isHeritage?: boolean;
}

/** The backlog of a receiver that can take no more for now. */
export const FULL = Number.MAX_SAFE_INTEGER;

/** Who a subscription belongs to: a session of this node. */
export interface Receiver {
  readonly clientId: string;
  /** Messages that wait for its client or its acknowledgement, or FULL; undefined while the client is away. */
  readonly backlog: number | undefined;
  /** Whether it outlives its connection; then its store recognises what comes again. */
  readonly durable: boolean;
  /** When the session came here from another node; -Infinity when it began here. */
  readonly arrivedAtMs: number;
  /** Serves one message. Never waits for the client. */
  deliver(offer: Offer, nowMs: number): void;
}
