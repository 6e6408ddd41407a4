import type { Message } from '#libs/broker-ports';
import { Fifo } from '#libs/mqtt-engine';
import { TopicTrie, parseShare, plainFilter } from '#libs/topic-index';

interface Moved {
  readonly clientId: string;
  readonly filters: readonly string[];
  readonly movedAtMs: number;
}

/** Publishers that did not know of the move yet took their messages no later than this after it, clocks apart included. */
const MOVE_KNOWN_AFTER_MS = 5_000;
/** How far an inbox may be behind before what is in it for a moved session is no longer passed on. */
const KEPT_MS = 60_000;

/**
 * Sessions that others may still take to be here, or at a dead node whose heritage this one takes, while they are not.
 *
 * @remarks Shared subscriptions are left out: another member takes their messages.
 */
export class MovedSessions {
  readonly #byFilter = new TopicTrie<Moved>();
  readonly #inOrder = new Fifo<Moved>();

  add(clientId: string, subscribed: readonly string[], nowMs: number): void {
    const filters = subscribed
      .filter((filter) => parseShare(filter) === undefined)
      .map(plainFilter);
    const moved = { clientId, filters, movedAtMs: nowMs };
    for (const filter of filters) this.#byFilter.add(filter, moved);
    this.#inOrder.push(moved);
  }

  get isEmpty(): boolean {
    return this.#byFilter.size === 0;
  }

  /** Adds the clients that a message is for and whose sessions were still here when its publisher may have thought so. */
  match(message: Message, into: Set<string>): void {
    const found: Moved[] = [];
    this.#byFilter.match(message.topic, found);
    for (const { clientId, movedAtMs } of found) {
      if (message.receivedAtMs <= movedAtMs + MOVE_KNOWN_AFTER_MS) into.add(clientId);
    }
  }

  /** Forgets what moved long ago. */
  sweep(nowMs: number): void {
    const keptFromMs = nowMs - KEPT_MS;
    for (let moved = this.#inOrder.peek(); moved !== undefined; moved = this.#inOrder.peek()) {
      if (moved.movedAtMs >= keptFromMs) return;
      for (const filter of moved.filters) this.#byFilter.remove(filter, moved);
      this.#inOrder.shift();
    }
  }
}
