import type { NodeRef } from '#libs/broker-ports';
import { nodeKey } from './node-key.ts';

/**
 * What to do with a numbered change.
 *
 * - `apply`: it is the next one.
 * - `repeat`: it is part of what was applied already.
 * - `gap`: changes before it were missed; read the node's snapshot and restart() there.
 */
export type RouteVerdict = 'apply' | 'repeat' | 'gap';

/** A node's place in the log: `seenBehind` is the applied position at the last comparison that found it behind. */
interface Place {
  applied: number;
  seenBehind: number | undefined;
}

/**
 * Keeps account of the numbered route changes of every node, so that none is missed and none applied twice.
 *
 * @remarks A node counts its changes up by one. A snapshot carries the number of the last change in it.
 */
export class RouteLog {
  readonly #places = new Map<string, Place>();

  /** A snapshot that holds all changes up to a sequence has been applied. */
  restart(node: NodeRef, sequence: number): void {
    this.#places.set(nodeKey(node), { applied: sequence, seenBehind: undefined });
  }

  /** Judges a change. With `apply` it counts as applied; a node without a snapshot always has a gap. */
  handle(node: NodeRef, sequence: number): RouteVerdict {
    const place = this.#places.get(nodeKey(node));
    if (place === undefined || sequence > place.applied + 1) return 'gap';
    if (sequence <= place.applied) return 'repeat';
    place.applied = sequence;
    return 'apply';
  }

  /** The sequence up to which a node's changes are applied; undefined without a snapshot. */
  applied(node: NodeRef): number | undefined {
    return this.#places.get(nodeKey(node))?.applied;
  }

  /** Whether changes up to a sequence are missing, or the store has lost some. */
  isBehind(node: NodeRef, sequence: number): boolean {
    return this.applied(node) !== sequence;
  }

  /**
   * Compares with the position the node itself has written down.
   *
   * @returns true when the log stood behind it at two comparisons without moving between them: the changes in
   * between will not come any more, so its snapshot is needed. Also true when the log is ahead, for then the store has
   * lost changes.
   */
  isStuck(node: NodeRef, sequence: number): boolean {
    const place = this.#places.get(nodeKey(node));
    if (place === undefined) return true;
    if (place.applied === sequence) {
      place.seenBehind = undefined;
      return false;
    }
    const stuck = place.seenBehind === place.applied;
    place.seenBehind = place.applied;
    return stuck;
  }

  /** Forgets a node. */
  drop(node: NodeRef): void {
    this.#places.delete(nodeKey(node));
  }
}
