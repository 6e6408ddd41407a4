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
}

/** Who a subscription belongs to: a session of this node. */
export interface Receiver {
  readonly clientId: string;
  /** Messages that wait for its client or its acknowledgement; undefined while the client is away. */
  readonly backlog: number | undefined;
  /** Serves one message. Never waits for the client. */
  deliver(offer: Offer, nowMs: number): void;
}
