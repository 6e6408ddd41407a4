import type { Message } from './message.ts';

/** A page of retained messages, in the order of their topics. */
export interface RetainedPage {
  readonly messages: readonly Message[];
  /** The topic to continue after; undefined on the last page. */
  readonly nextAfter: string | undefined;
}

/** Which retained messages to list. */
export interface RetainedQuery {
  /** A topic filter; `#` lists all (topics that start with `$` only when the filter does [MQTT-4.7.2-1]). */
  readonly filter: string;
  /** Continue after this topic. */
  readonly after?: string;
  readonly limit: number;
}

/**
 * The last retained message of each topic.
 *
 * @remarks Expired messages are never returned. Calls reject with a StoreUnavailableError when the store does not answer.
 */
export interface RetainedStore {
  /** Stores the turn's retained messages in the order given; an empty payload removes the topic's [MQTT-3.3.1-6]. */
  store(messages: readonly Message[]): Promise<void>;
  /**
   * All retained messages that match a filter, in pieces and in no order, seeing every store() that had completed anywhere before
   * the first piece was asked for.
   *
   * @remarks A piece is read when it is asked for: whoever reads them need not have room for all. It is as the store has it then.
   */
  match(filter: string): AsyncIterable<readonly Message[]>;
  /**
   * The first levels of topics that begin with `$`, which no filter finds that begins with a wildcard: who wants all messages asks for
   * `#` and for what is below each of these.
   */
  dollarLevels(): Promise<readonly string[]>;
  /** A page of retained messages. */
  list(query: RetainedQuery): Promise<RetainedPage>;
  /** Messages kept and their bytes, topics and properties included, as this node knows it; read at scrape time, never waits. */
  size(): { readonly messages: number; readonly bytes: number };
  /** The bytes of a topic's message, if it is among those that {@link RetainedStore.size} counts; never waits. */
  bytesOf(topic: string): number | undefined;
  /** Topics of messages that {@link RetainedStore.size} counts and a filter matches, in no order and at most so many; never waits. */
  topics(filter: string, limit: number): readonly string[];
  /** Releases what the store holds; no call may follow. */
  close(): Promise<void>;
}
