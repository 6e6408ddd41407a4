import type { QoS } from '#libs/mqtt-codec';
import type { Message, MessageIdentity, NodeRef } from './message.ts';
import type { FormerWill, StoredWill } from './stored-will.ts';

/** A subscription as a session keeps it. `filter` is what the client sent, `$share` prefix included. */
export interface StoredSubscription {
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
  /** 0 when the client gave none. */
  readonly subscriptionIdentifier: number;
}

/** Where a message stands in a session's queue. Positions grow; the epoch of a later owner is larger. */
export interface QueuePosition {
  readonly epoch: number;
  /** Counts up by one per message of the session, across epochs. */
  readonly sequence: number;
}

/** A message in a session's queue. */
export interface QueuedMessage {
  readonly position: QueuePosition;
  readonly message: Message;
  /** What the session was granted: the lower of the message's and the subscription's QoS. */
  readonly qos: 1 | 2;
  /** RETAIN as this session is to see it. */
  readonly retain: boolean;
  readonly subscriptionIdentifiers: readonly number[];
  /** The whole filter of the shared subscription that it came by, if it did: another member gets it should the session end. */
  readonly group?: string;
}

/** What is written down of an inbound QoS 2 message before it goes on its way. */
export interface BegunMessage extends MessageIdentity {
  /** Tells it from another message that its client sends under the same packet id after it was refused: 32 bits. */
  readonly digest: number;
}

/** An inbound QoS 2 message whose obligations are not known to be met, or that was refused. */
export interface ReceivingMessage extends BegunMessage {
  readonly packetId: number;
}

/** A session as stored. */
export interface SessionRecord {
  readonly clientId: string;
  /** Grows by one with each owner; every write of an owner carries it, so a former owner is refused. */
  readonly epoch: number;
  readonly owner: NodeRef;
  readonly connected: boolean;
  /** False when the session ends with its connection. */
  readonly durable: boolean;
  /** Seconds after the end of the connection; 0xFFFFFFFF never expires. */
  readonly expiryIntervalSeconds: number;
  /** Whose it is: the user that its client has proven to be, empty for an anonymous one; absent when nobody was asked who the client is. */
  readonly user?: string;
  readonly createdAtMs: number;
  /** When a disconnected session ends; 0 while connected, or never. */
  readonly expiresAtMs: number;
  readonly subscriptions: readonly StoredSubscription[];
  /** Inbound QoS 2: packet ids whose PUBLISH was taken and whose PUBREL is still to come. */
  readonly receivedPacketIds: readonly number[];
  /** Inbound QoS 2: messages that were begun, and may have reached any of their receivers or none. */
  readonly receiving: readonly ReceivingMessage[];
  /** Outbound QoS 2: packet ids for which PUBREC came and PUBCOMP is still to come. */
  readonly releasedPacketIds: readonly number[];
  readonly queueMessages: number;
  /** About the bytes of the queued messages: topics and payloads at least, and what else the store counts. */
  readonly queueBytes: number;
  /** The sequence of the newest message ever queued; 0 before the first. */
  readonly lastSequence: number;
}

/** Asks for the ownership of a client's session. */
export interface TakeRequest {
  readonly clientId: string;
  readonly node: NodeRef;
  readonly nowMs: number;
  /** True discards what is stored and starts anew. */
  readonly cleanStart: boolean;
  readonly durable: boolean;
  readonly expiryIntervalSeconds: number;
  /**
   * False when a survivor takes the offline sessions of a dead node: the record stays disconnected, nothing is created, and
   * one that is over is given only if it leaves a will.
   */
  readonly connected: boolean;
  /** Who the connected client is, as in {@link SessionRecord}: the session is its from now on. Absent leaves a session that goes on whose it was. */
  readonly user?: string;
  /** The will of the connection: kept until the connection ends without it, or it is forgotten. */
  readonly will?: StoredWill;
  /** Takes the session from its owner if the epoch is still this one: the owner has released it or is dead. */
  readonly replacesEpoch?: number;
}

/**
 * `owned`: another node (or an earlier incarnation) holds it; ask that one to release it, then replace its epoch. `foreign`: it
 * is another user's, and stays so; that goes before `owned`. A session without a user, and a client without one, are nobody's: they fit all.
 */
export type TakeResult =
  | {
      readonly kind: 'taken';
      readonly sessionPresent: boolean;
      readonly record: SessionRecord;
      /** The will of the session's last connection, if it was neither published nor dropped. */
      readonly formerWill?: FormerWill;
    }
  | {
      readonly kind: 'owned';
      readonly owner: NodeRef;
      readonly epoch: number;
      /** Whether there is a will that was neither published nor dropped. */
      readonly hasWill: boolean;
    }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'absent' };

/**
 * A write of the owner. Operations of one session are carried out in the order given.
 *
 * @remarks `settle` of a former owner may be carried out as well: the receiver has acknowledged, whomever it told.
 */
export type SessionOperation = { readonly clientId: string; readonly epoch: number } &
  /** With `once`, a message that the session has had before under the same identity is not queued again: `repeat`. */
  (
    | { readonly kind: 'append'; readonly queued: QueuedMessage; readonly once: boolean }
    /** The receiver has acknowledged these, or they expired: forget them. */
    | { readonly kind: 'settle'; readonly positions: readonly QueuePosition[] }
    /** PUBREC came: forget the message, remember the packet id until PUBCOMP. */
    | { readonly kind: 'release'; readonly position: QueuePosition; readonly packetId: number }
    | { readonly kind: 'complete'; readonly packetId: number }
    /**
     * An inbound QoS 2 PUBLISH is about to go on its way: should its client have to send it again, it goes under the same
     * identity, and whoever has had it passes it over.
     */
    | { readonly kind: 'begin'; readonly packetId: number; readonly message: BegunMessage }
    /** An inbound QoS 2 PUBLISH was taken, or its PUBREL came. */
    | { readonly kind: 'receive'; readonly packetId: number }
    | { readonly kind: 'forget'; readonly packetId: number }
    | { readonly kind: 'subscribe'; readonly subscriptions: readonly StoredSubscription[] }
    | { readonly kind: 'unsubscribe'; readonly filters: readonly string[] }
    /**
     * The connection ended: the record stays until `nowMs` plus the interval (0xFFFFFFFF: for ever), and its will only with
     * `willDueAtMs`; with `will`, that one stands in its place.
     */
    | {
        readonly kind: 'disconnect';
        readonly nowMs: number;
        readonly expiryIntervalSeconds: number;
        readonly willDueAtMs?: number;
        readonly will?: StoredWill;
      }
    /** Another interval: a connected session keeps it for the end of its connection, of another one it begins at `nowMs`. */
    | { readonly kind: 'expiry'; readonly nowMs: number; readonly expiryIntervalSeconds: number }
    /** The will is about to be published: whoever takes the session from now on finds it due. */
    | { readonly kind: 'claim-will'; readonly dueAtMs: number }
    /** The will was published, or never will be. */
    | { readonly kind: 'forget-will' }
    /** The session ended: remove its every key. */
    | { readonly kind: 'discard' }
  );

/**
 * How a write ended.
 *
 * - `fenced`: a later owner exists, the write changed nothing.
 * - `repeat`: the session has had this message before, nothing was queued.
 * - `failed`: the part of the store that has the session did not answer, or refused: what the operation was to change is
 *   unknown. Operations of other sessions are not touched by that.
 */
export type SessionWriteOutcome = 'done' | 'fenced' | 'repeat' | 'failed';

/**
 * How many messages a session remembers at least, the latest ones and none for ever, to recognise those that come again. A
 * store that several nodes share remembers more of a session that gets many: what comes until a dead node has been judged
 * and its inbox read, which takes minutes where all are busy.
 */
export const REMEMBERED_MESSAGES = 32_768;

/**
 * Sessions, their subscriptions and their queues, one owner at a time.
 *
 * @remarks All calls reject with a {@link StoreUnavailableError} when the store does not answer: what the call
 * was to change is then unknown, and the caller must not acknowledge it.
 */
export interface SessionStore {
  /** Takes a session by compare-and-set on owner and epoch. An expired session counts as absent. */
  take(request: TakeRequest): Promise<TakeResult>;
  /**
   * Carries out the writes of one event-loop turn in one round trip, in order per session. Rejects when nothing of it could
   * be carried out, as far as is known.
   *
   * @returns one outcome per operation, in the order given.
   */
  write(operations: readonly SessionOperation[]): Promise<readonly SessionWriteOutcome[]>;
  /** Reads queued messages after a position (undefined: from the oldest), oldest first, at most `limit`. */
  read(
    clientId: string,
    after: QueuePosition | undefined,
    limit: number,
  ): Promise<readonly QueuedMessage[]>;
  /** Reads one session without taking it. */
  load(clientId: string): Promise<SessionRecord | undefined>;
  /** Every node incarnation that owns sessions, the dead ones included. */
  owners(): Promise<readonly NodeRef[]>;
  /** The client ids an incarnation owns or has owned; after a take-over an id may be listed with the former owner, too, until that disowns it. */
  ownedBy(owner: NodeRef): Promise<readonly string[]>;
  /**
   * Takes clients off the list of an incarnation, by itself: it has not got them, takes none of them at this moment, and nothing that is
   * for them comes to it any more.
   */
  disown(owner: NodeRef, clientIds: readonly string[]): Promise<void>;
  /** Forgets the list of a dead incarnation once all its sessions have been taken. */
  abandon(owner: NodeRef): Promise<void>;
  /** Ends the use of the store; a file store is flushed. */
  close(): Promise<void>;
}

/** The store did not answer or refused for lack of room; what was asked may or may not have happened. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
  readonly code = 'STORE_UNAVAILABLE';
}
