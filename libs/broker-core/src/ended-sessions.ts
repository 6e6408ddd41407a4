import { havePassed, type BridgeBacklog } from '#libs/broker-ports';
import { isSameNode } from '#libs/cluster';
import type { NodeParts } from './parts.ts';
import type { SessionEntry } from './session-entry.ts';
import type { SessionWriter } from './session-writer.ts';

/** A session that is over, and what waited in the bridge when it ended. */
interface Ended {
  readonly clientId: string;
  readonly epoch: number;
  readonly untilMs: number;
  readonly backlogs: readonly BridgeBacklog[];
}

/** Most sessions kept, and for how long: a client that comes back later finds its order gone, not the store full. */
const KEPT_MAX = 10_000;
const KEPT_MS = 600_000;

/**
 * Sessions that were not to outlive their connection, and stay in the store as if it lived while records of their clients wait
 * in the bridge of this node.
 *
 * @remarks So a node to which such a client comes finds who had it before, and asks, as it does for every other. A client is given
 * nothing of such a session.
 */
export class EndedSessions {
  readonly #parts: Pick<NodeParts, 'bus' | 'moves' | 'nowMs'>;
  readonly #writer: SessionWriter;
  /** Whether a client has left no will that is still to be published. */
  readonly #hasNoWill: (clientId: string) => boolean;
  readonly #kept = new Set<Ended>();

  constructor(
    parts: Pick<NodeParts, 'bus' | 'moves' | 'nowMs'>,
    own: { readonly writer: SessionWriter; readonly hasNoWill: (clientId: string) => boolean },
  ) {
    this.#parts = parts;
    this.#writer = own.writer;
    this.#hasNoWill = own.hasNoWill;
  }

  /** Keeps the record of a session if it has to be; it is removed in the end. */
  keep({ clientId, epoch, terms, hasPublished }: SessionEntry): boolean {
    if (!hasPublished || terms?.durable !== false) return false;
    const backlogs = this.#parts.moves?.backlogs(clientId, true) ?? [];
    if (backlogs.length === 0) return false;
    this.#kept.add({ clientId, epoch, untilMs: this.#parts.nowMs() + KEPT_MS, backlogs });
    return true;
  }

  /** Removes those for which nothing waits any more. */
  sweep(): void {
    if (this.#kept.size === 0) return;
    const nowMs = this.#parts.nowMs();
    const queues = this.#parts.moves?.queues() ?? [];
    for (const ended of this.#kept) {
      const isTooMuch = ended.untilMs <= nowMs || this.#kept.size > KEPT_MAX;
      if (!isTooMuch && !this.#isOver(ended, queues)) continue;
      if (this.#hasNoWill(ended.clientId)) this.#remove(ended);
    }
  }

  /** Removes all: the node leaves. */
  clear(): void {
    for (const ended of this.#kept) this.#remove(ended);
  }

  /** What waits at other nodes is the bridge's to know. */
  #isOver({ clientId, backlogs }: Ended, queues: Parameters<typeof havePassed>[1]): boolean {
    const { bus, moves } = this.#parts;
    return (
      moves === undefined ||
      (moves.backlogs(clientId, false).length === 0 &&
        backlogs.every(
          (before) => !isSameNode(before.node, bus.self) || havePassed(before.queues ?? [], queues),
        ))
    );
  }

  #remove(ended: Ended): void {
    const { clientId, epoch } = ended;
    this.#kept.delete(ended);
    // Of another epoch by now if the client has come back, and not removed then.
    this.#writer.add({ clientId, epoch, kind: 'discard' });
  }
}
