import type { Message } from './message.ts';
import type { QueuePosition, StoredSubscription } from './session-store.ts';

/** How a client is disconnected. */
export interface DisconnectOptions {
  /** What an MQTT 5 client is told. */
  readonly reasonCode: number;
  /** Whether its will counts as due; else it is dropped, also one that waits for its delay. */
  readonly withWill: boolean;
  /** Whether the session ends too. */
  readonly endSession: boolean;
}

/** A message that waits for a client, or that it has not acknowledged. */
export interface ClientMessage {
  /** Where it stands. Of a session that lives in memory the epoch is 0, and the sequence counts what has waited there. */
  readonly position: QueuePosition;
  readonly message: Pick<
    Message,
    'topic' | 'payload' | 'properties' | 'receivedAtMs' | 'expiresAtMs'
  > & { readonly publisher?: string };
  readonly qos: 1 | 2;
  readonly retain: boolean;
  /** Whether it was sent on the connection that there is now. */
  readonly isInflight: boolean;
}

/** A message of QoS 1 or 2 that was sent on a connection, and what is awaited for it. */
export interface InflightMessage {
  readonly packetId: number;
  readonly awaits: 'puback' | 'pubrec' | 'pubcomp';
  readonly qos: 1 | 2;
  /** Undefined when only PUBCOMP is awaited. */
  readonly message: ClientMessage['message'] | undefined;
}

/** A verdict of the access control that a connection remembers. */
export interface RememberedVerdict {
  readonly action: 'publish' | 'receive';
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  /** Only of a PUBLISH. */
  readonly retain: boolean | undefined;
  readonly isAllowed: boolean;
}

/**
 * What an administrator may do with a session that this node has. Undefined, `absent` and false: the session is not here.
 *
 * @remarks A client that is about to connect here, or to go to another node, is waited for. Topics and filters are the broker's:
 * after rewrite rules and mountpoints.
 */
export interface SessionAdmin {
  /** Closes the connection and, when asked, ends the session. */
  disconnect(clientId: string, options: DisconnectOptions): Promise<boolean>;
  /** Subscribes a session as if its client had asked: the reason codes of a SUBACK. */
  subscribe(
    clientId: string,
    requests: readonly StoredSubscription[],
  ): Promise<readonly number[] | undefined>;
  /** Ends subscriptions: the reason codes of an UNSUBACK. Rejects with a StoreUnavailableError when the store does not know. */
  unsubscribe(clientId: string, filters: readonly string[]): Promise<readonly number[] | undefined>;
  /** What waits for the client, oldest first. */
  queued(
    clientId: string,
    page: { readonly after: QueuePosition | undefined; readonly limit: number },
  ): Promise<readonly ClientMessage[] | undefined>;
  /** Removes what waits and was not sent on this connection: how much it was. */
  clearQueue(clientId: string): Promise<number | undefined>;
  /** What was sent and not acknowledged yet. */
  inflight(clientId: string): readonly InflightMessage[] | undefined;
  /** What the connection remembers of the access control's verdicts. */
  verdicts(clientId: string): readonly RememberedVerdict[] | undefined;
  /** Has every verdict asked for anew. */
  forgetVerdicts(clientId: string): boolean;
  /**
   * Sets how long the session outlives its connection, in seconds; 0xFFFFFFFF for ever. Of one that is offline the time begins anew. `transient`:
   * it ends with its connection, and nothing of it is stored.
   */
  setExpiry(clientId: string, seconds: number): Promise<'done' | 'absent' | 'transient'>;
}
