import type { NodeRef } from '#libs/broker-ports';
import { nodeKey } from '#libs/cluster';
import type { NodeParts } from './parts.ts';

const INHERIT_AGAIN_AFTER_MS = 5_000;

/** The dead incarnations that this node knows of and nobody has dealt with: each is taken over, again if that fails. */
export class Departures {
  readonly #parts: Pick<NodeParts, 'bus' | 'sessions' | 'log' | 'nowMs'>;
  readonly #inherit: (dead: NodeRef) => Promise<void>;
  readonly #departed = new Map<string, NodeRef>();
  readonly #inheriting = new Set<string>();
  /** When what has failed is tried again. */
  readonly #againAtMs = new Map<string, number>();
  #isLeaving = false;

  /** @param inherit - takes over what an incarnation has left, unless another node does. */
  constructor(
    parts: Pick<NodeParts, 'bus' | 'sessions' | 'log' | 'nowMs'>,
    inherit: (dead: NodeRef) => Promise<void>,
  ) {
    this.#parts = parts;
    this.#inherit = inherit;
  }

  /** An incarnation was seen to end. */
  add(node: NodeRef): void {
    this.#departed.set(nodeKey(node), node);
    this.inheritAll();
  }

  /** What an incarnation has left is taken over. */
  remove(node: NodeRef): void {
    this.#departed.delete(nodeKey(node));
    this.#againAtMs.delete(nodeKey(node));
  }

  /** Finds dead owners in the store: after the whole cluster was down, nobody has seen them leave. @throws StoreUnavailableError */
  async find(): Promise<void> {
    const { bus, sessions } = this.#parts;
    for (const owner of await sessions.owners()) {
      if (!bus.isAlive(owner)) this.#departed.set(nodeKey(owner), owner);
    }
  }

  /** Takes over at once what a node has left; returns whether there was something. @throws StoreUnavailableError */
  async takeOver(nodeId: string): Promise<boolean> {
    await this.find();
    const left = [...this.#departed.values()].filter((node) => node.nodeId === nodeId);
    for (const node of left) this.#againAtMs.delete(nodeKey(node));
    this.inheritAll();
    return left.length > 0;
  }

  /** Begins to take over what is to be taken over by now. */
  inheritAll(): void {
    if (this.#isLeaving) return;
    for (const node of this.#departed.values()) {
      const againAtMs = this.#againAtMs.get(nodeKey(node)) ?? 0;
      if (this.#inheriting.has(nodeKey(node)) || this.#parts.nowMs() < againAtMs) continue;
      this.#inheriting.add(nodeKey(node));
      this.#inherit(node)
        .catch((error: unknown) => {
          // A node that leaves has no say any more, and another one goes on.
          if (this.#isLeaving) return;
          this.#parts.log.warn('inherit-failed', { node: node.nodeId, reason: String(error) });
          this.#againAtMs.set(nodeKey(node), this.#parts.nowMs() + INHERIT_AGAIN_AFTER_MS);
        })
        .finally(() => this.#inheriting.delete(nodeKey(node)));
    }
  }

  /** Begins nothing any more. */
  leave(): void {
    this.#isLeaving = true;
  }
}
