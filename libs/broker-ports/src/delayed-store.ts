import type { Message } from './message.ts';

/** A message that is to be published later, under the topic it names. */
export interface DelayedMessage {
  /** How long it waits, from the time at which the store takes it. */
  readonly delayMs: number;
  readonly message: Message;
  /** Whether it is stored once under its identity, as messages of QoS 2 always are. */
  readonly isOnce?: boolean;
}

/** A delayed message whose time has come. */
export interface DueMessage {
  /** Its name in the store, for {@link DelayedStore.settle}. */
  readonly id: string;
  readonly message: Message;
}

/** What became of a message that was to be stored: `repeat`, it was stored before under the same identity; `full`, no room. */
export type DelayedOutcome = 'stored' | 'repeat' | 'full';

/** How much may wait in the store, of all nodes together. */
export interface DelayedBounds {
  readonly messagesMax: number;
  /** Bytes as stored: payload, topic, properties, and some fifty more. */
  readonly bytesMax: number;
}

/** Asks for messages that are due. */
export interface DelayedClaim {
  /** Who asks: another name for each incarnation of a node. */
  readonly claimer: string;
  /** How long what is given is given to nobody else. */
  readonly leaseMs: number;
  /** Most messages given; the store gives fewer when they are large. */
  readonly limit: number;
}

/** A delayed message that waits. */
export interface WaitingMessage extends DueMessage {
  /** Milliseconds since 1970, by the clock of the store; of one that a node is publishing, when it would be published again. */
  readonly dueAtMs: number;
}

/** A place in the order of delayed messages. */
export type DelayedPlace = Pick<WaitingMessage, 'dueAtMs' | 'id'>;

/** Which delayed messages. */
export interface DelayedQuery {
  /** Go on after this one; it need not be there any more. */
  readonly after?: DelayedPlace | undefined;
  readonly limit: number;
}

/** Delayed messages in the order of their times and, for equal times, of their coming. */
export interface DelayedPage {
  readonly items: readonly WaitingMessage[];
  /** The place to go on after; undefined when there are no more. */
  readonly next: DelayedPlace | undefined;
}

/**
 * Messages that wait for their time, shared by the nodes of a cluster.
 *
 * @remarks One clock, the store's, says when a message is due, so that nodes need not agree on the time. Calls reject with a
 * StoreUnavailableError when the store does not answer.
 */
export interface DelayedStore {
  /**
   * Stores the turn's messages in one round trip. They are durable when it resolves.
   *
   * @remarks A message of QoS 2, or one that says so, is stored once under its identity. That is remembered while it waits, and for an hour after
   * it was due, of as many messages as REMEMBERED_MESSAGES at least.
   *
   * @returns one outcome per message, in the order given.
   */
  add(
    messages: readonly DelayedMessage[],
    bounds: DelayedBounds,
  ): Promise<readonly DelayedOutcome[]>;
  /** Stores one message, and names it; undefined when there is no room. */
  put(message: DelayedMessage, bounds: DelayedBounds): Promise<DelayedPlace | undefined>;
  /** Some of those that wait; fewer than asked for when they are large. */
  page(query: DelayedQuery): Promise<DelayedPage>;
  /** One that waits. */
  get(id: string): Promise<WaitingMessage | undefined>;
  /** Forgets a message that waits; false when it is gone. */
  remove(id: string): Promise<boolean>;
  /**
   * Gives messages that are due, in the order of their times and, for equal times, of their coming.
   *
   * @remarks Each is given again when it has not been settled within the lease. Only one claimer is served at a time, so that
   * the order holds in a cluster: the others get nothing until it has been told that nothing more is due, or its lease has
   * ended.
   */
  claim(request: DelayedClaim): Promise<readonly DueMessage[]>;
  /** Forgets messages that have been published; nothing happens for those that are gone. */
  settle(ids: readonly string[]): Promise<void>;
  /** Messages kept and their bytes, as this node knows it; read at scrape time, never waits. */
  size(): { readonly messages: number; readonly bytes: number };
  /** Releases what the store holds; no call may follow. */
  close(): Promise<void>;
}
