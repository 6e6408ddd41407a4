import type { Message } from './message.ts';
import type {
  QueuedMessage,
  QueuePosition,
  ReceivingMessage,
  StoredSubscription,
} from './session-store.ts';

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

/** A session as a backup has it: all of it but its queue, and nothing of who had it. */
export interface SessionDraft {
  readonly clientId: string;
  /** As in its record. */
  readonly user?: string;
  readonly expiryIntervalSeconds: number;
  /** When it ends; 0: an interval from now, or never. */
  readonly expiresAtMs: number;
  readonly subscriptions: readonly StoredSubscription[];
  readonly receivedPacketIds: readonly number[];
  readonly receiving: readonly ReceivingMessage[];
  readonly releasedPacketIds: readonly number[];
  /** As in its record: packet ids go on from there. */
  readonly lastSequence: number;
}

/** How a session is restored. */
export interface SessionRestore {
  readonly draft: SessionDraft;
  /** Its queue in pieces, in order; of positions only the sequences count. One that fails leaves no session. */
  readonly queue: AsyncIterable<readonly QueuedMessage[]>;
  /** Whether it takes the place of one whose client is away. */
  readonly replaces: boolean;
}

/**
 * What became of a session that was to be restored. But for `restored` nothing has changed, unless it is `failed`, where what there was may be gone.
 *
 * - `connected`: its client is there, and has one.
 * - `present`: there is one, which was not to be replaced.
 * - `foreign`: there is one of another user.
 * - `elsewhere`: another node has one, and is to be asked.
 * - `busy`: there is one that its node has not done with: its will waits, or nobody has it for the moment.
 * - `full`: the node has as many sessions as it takes.
 * - `expired`: it is over.
 */
export type SessionRestored =
  | {
      readonly kind:
        'restored' | 'connected' | 'present' | 'foreign' | 'busy' | 'full' | 'expired' | 'failed';
    }
  | { readonly kind: 'elsewhere'; readonly nodeId: string };

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
  /** Makes a session of a backup, as if its client had been here and gone: this node has it. */
  restore(restore: SessionRestore): Promise<SessionRestored>;
}
