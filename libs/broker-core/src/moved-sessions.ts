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
  /** Those of which nothing is late once their new node has them. */
  readonly #whole = new Map<string, Moved>();

  /**
   * @param at - the node that has the session now, if that is known, the time, and whether the session had everything that came
   * to this node alone.
   */
  add(
    clientId: string,
    subscribed: readonly string[],
    at: {
      readonly owner?: NodeRef | undefined;
      readonly nowMs: number;
      readonly hasAll?: boolean;
    },
  ): void {
    const { owner, nowMs, hasAll = false } = at;
    const filters = subscribed
      .filter((filter) => parseShare(filter) === undefined)
      .map(plainFilter);
    const moved = { clientId, owner, filters, movedAtMs: nowMs };
    for (const filter of filters) this.#byFilter.add(filter, moved);
    this.#inOrder.push(moved);
    if (hasAll) this.#whole.set(clientId, moved);
    else this.#whole.delete(clientId);
  }

  /** The new node has the session. */
  taken(clientId: string): void {
    const moved = this.#whole.get(clientId);
    this.#whole.delete(clientId);
    if (moved !== undefined) this.#forget(moved);
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
      this.#forget(moved);
      if (this.#whole.get(moved.clientId) === moved) this.#whole.delete(moved.clientId);
      this.#inOrder.shift();
    }
  }

  #forget(moved: Moved): void {
    for (const filter of moved.filters) this.#byFilter.remove(filter, moved);
  }
}
