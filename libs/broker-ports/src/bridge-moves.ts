import type { NodeRef } from './message.ts';

/** Records of one rule that wait at a node, and how far it is with them. Places grow with time. */
export interface BridgeQueue {
  readonly rule: string;
  /** Where the records are. A rule may have some in memory and, of another time, some in the spool. */
  readonly kind: 'memory' | 'spool';
  /** All records up to this place are done with: the other side has them, or they were given up. */
  readonly done: number;
  /** The place of the newest record. */
  readonly last: number;
}

/** What waits at a node. */
export interface BridgeBacklog {
  readonly node: NodeRef;
  /** Those in which something waits; undefined when that is not known. */
  readonly queues: readonly BridgeQueue[] | undefined;
}

/**
 * Keeps the order of a client's records when it goes on at another node: what it publishes there goes to the other side when
 * that has what waits at the nodes before.
 */
export interface BridgeMoves {
  /** What waits here, of whichever client. */
  queues(): readonly BridgeQueue[];
  /**
   * What the records have to wait for that a client publishes elsewhere from now on.
   *
   * @param hasPublished - whether some of what waits here may be the client's.
   */
  backlogs(clientId: string, hasPublished: boolean): readonly BridgeBacklog[];
  /** A client goes on here: what it publishes from now on waits for what waits elsewhere. */
  arrived(clientId: string, backlogs: readonly BridgeBacklog[]): void;
  /** Resolves when nothing waits here, or it makes no sense to wait longer before this node leaves the cluster. */
  quiet(): Promise<void>;
}

/** Whether all that waited in some queues is done with, as far as a later look at them tells. */
export function havePassed(before: readonly BridgeQueue[], now: readonly BridgeQueue[]): boolean {
  return before.every(({ rule, kind, last }) => {
    const same = now.find((queue) => queue.rule === rule && queue.kind === kind);
    return same === undefined || same.done >= last;
  });
}
