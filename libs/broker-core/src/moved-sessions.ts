import type { Message, NodeRef } from '#libs/broker-ports';
import { Fifo } from '#libs/mqtt-engine';
import { TopicTrie, parseShare, plainFilter } from '#libs/topic-index';

/** What is known of a move. */
export interface Move {
  /** The node that has the session, as far as this node was told. */
  readonly owner: NodeRef | undefined;
  /** The newest epoch that this node knows of; Infinity when there is nothing to learn. */
  readonly epoch: number;
  /** Whether the session had everything that came to this node alone. */
  readonly hasAll: boolean;
  /** Whether a take of this node that has failed may still be carried out. */
  readonly mayReturn: boolean;
}

interface Moved extends Move {
  readonly clientId: string;
  owner: NodeRef | undefined;
  epoch: number;
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
  /** The last move of each client. */
  readonly #last = new Map<string, Moved>();

  add(
    clientId: string,
    subscribed: readonly string[],
    move: Partial<Move> & { readonly nowMs: number },
  ): void {
    const { owner, epoch = Infinity, hasAll = false, mayReturn = false, nowMs } = move;
    const filters = subscribed
      .filter((filter) => parseShare(filter) === undefined)
      .map(plainFilter);
    const moved = { clientId, owner, epoch, hasAll, mayReturn, filters, movedAtMs: nowMs };
    for (const filter of filters) this.#byFilter.add(filter, moved);
    this.#inOrder.push(moved);
    this.#last.set(clientId, moved);
  }

  /** A node says that it has taken a session, under an epoch. */
  learn(clientId: string, { owner, epoch }: Pick<Move, 'owner' | 'epoch'>): void {
    const moved = this.#last.get(clientId);
    if (moved === undefined || moved.epoch >= epoch) return;
    moved.owner = owner;
    moved.epoch = epoch;
  }

  /** The session that this node has let go is where it went: nothing is late of one that had everything. */
  arrived(clientId: string): void {
    const moved = this.#last.get(clientId);
    if (moved?.hasAll === true) this.#forget(moved);
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
    for (const { clientId, movedAtMs } of found) {
      if (message.receivedAtMs > movedAtMs + MOVE_KNOWN_AFTER_MS) continue;
      into.set(clientId, this.#last.get(clientId)?.owner);
    }
  }

  /** Forgets what moved long ago. Returns the clients that moved away for good. */
  sweep(nowMs: number): readonly string[] {
    const settled: string[] = [];
    const keptFromMs = nowMs - PASSED_ON_MS;
    for (let moved = this.#inOrder.peek(); moved !== undefined; moved = this.#inOrder.peek()) {
      if (moved.movedAtMs >= keptFromMs) break;
      this.#forget(moved);
      this.#inOrder.shift();
      if (this.#last.get(moved.clientId) !== moved) continue;
      this.#last.delete(moved.clientId);
      if (!moved.mayReturn) settled.push(moved.clientId);
    }
    return settled;
  }

  #forget(moved: Moved): void {
    for (const filter of moved.filters) this.#byFilter.remove(filter, moved);
  }
}
