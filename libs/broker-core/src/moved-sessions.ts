import type { Message, NodeRef } from '#libs/broker-ports';
import { Fifo } from '#libs/mqtt-engine';
import { TopicTrie, parseShare, plainFilter } from '#libs/topic-index';

interface Moved {
  readonly clientId: string;
  /** The node that has it, as far as this node was told. */
  readonly owner: NodeRef | undefined;
  readonly filters: readonly string[];
  readonly movedAtMs: number;
}

/** Publishers that did not know of the move yet took their messages no later than this after it, clocks apart included. */
export const MOVE_KNOWN_AFTER_MS = 30_000;
/** How far an inbox may be behind before what is in it for a moved session is no longer passed on. */
export const PASSED_ON_MS = 60_000;

/**
 * Sessions that others may still take to be here, or at a dead node whose heritage this one takes, while they are not.
 *
 * @remarks Shared subscriptions are left out: another member takes their messages.
 */
export class MovedSessions {
  readonly #byFilter = new TopicTrie<Moved>();
  readonly #inOrder = new Fifo<Moved>();

  /** @param at - the node that has the session now, if that is known, and the time. */
  add(
    clientId: string,
    subscribed: readonly string[],
    { owner, nowMs }: { readonly owner: NodeRef | undefined; readonly nowMs: number },
  ): void {
    const filters = subscribed
      .filter((filter) => parseShare(filter) === undefined)
      .map(plainFilter);
    const moved = { clientId, owner, filters, movedAtMs: nowMs };
    for (const filter of filters) this.#byFilter.add(filter, moved);
    this.#inOrder.push(moved);
  }

  get isEmpty(): boolean {
    return this.#byFilter.size === 0;
  }

  /**
   * Adds the clients that a message is for and whose sessions were still here when its publisher may have thought so,
   * each with the node that has its session now, if that is known.
   */
  match(message: Message, into: Map<string, NodeRef | undefined>): void {
    const found: Moved[] = [];
    this.#byFilter.match(message.topic, found);
    for (const { clientId, owner, movedAtMs } of found) {
      if (message.receivedAtMs <= movedAtMs + MOVE_KNOWN_AFTER_MS) into.set(clientId, owner);
    }
  }

  /** Forgets what moved long ago. */
  sweep(nowMs: number): void {
    const keptFromMs = nowMs - PASSED_ON_MS;
    for (let moved = this.#inOrder.peek(); moved !== undefined; moved = this.#inOrder.peek()) {
      if (moved.movedAtMs >= keptFromMs) return;
      for (const filter of moved.filters) this.#byFilter.remove(filter, moved);
      this.#inOrder.shift();
    }
  }
}
