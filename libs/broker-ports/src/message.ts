import type { PublishProperties, QoS } from '#libs/mqtt-codec';
import type { MessageTrace } from './tracer.ts';

/** One life of one node: a restart under the same id is another incarnation, so ids never repeat. */
export interface NodeRef {
  readonly nodeId: string;
  /** Milliseconds since 1970 at start, raised above every earlier incarnation of the id. */
  readonly incarnation: number;
}

/** What tells a message from every other one in the cluster. */
export interface MessageIdentity {
  /** The node that took the message from its publisher. */
  readonly source: NodeRef;
  /** Counts up by one per message taken by `source`. */
  readonly sequence: number;
}

/**
 * An application message inside the cluster: what PUBLISH carried, who sent it, and an identity.
 *
 * @remarks Immutable and shared by every receiver. `properties` holds no topic alias and no subscription
 * identifier: both belong to one connection.
 */
export interface Message extends MessageIdentity {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties?: PublishProperties;
  /** Client id of the publisher; empty for the broker itself. */
  readonly publisher: string;
  readonly receivedAtMs: number;
  /** When the message may no longer be delivered; 0 never. */
  readonly expiresAtMs: number;
  /** What brought it in: a client, the admin API, or the bridge (which must not send it out again). */
  readonly origin: 'client' | 'admin' | 'bridge' | 'system';
  /** Its trace at this node; undefined unless it is sampled. It is neither stored nor sent: see {@link MessageTrace}. */
  readonly trace?: MessageTrace | undefined;
}

/** A message from outside for the publish pipeline; the node adds identity and time. */
export interface InjectedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties?: Message['properties'];
}
