import type { BridgeBacklog } from './bridge-moves.ts';
import type { NodeRef } from './message.ts';
import type { SessionCount } from './meter.ts';

/** A change of what a node wants to receive: its first subscriber to a filter came, or the last one left. */
export interface RouteChange {
  readonly kind: 'add' | 'remove';
  readonly filter: string;
}

/** A node as its lease describes it. */
export interface NodeInfo extends NodeRef {
  readonly version: string;
  readonly startedAtMs: number;
  readonly state: 'alive' | 'draining';
  /** How many sessions it has, as it has said with its lease; undefined when it has not yet. */
  readonly sessions?: readonly SessionCount[] | undefined;
}

/** A question or notice from node to node: rare, never per message. */
export type ClusterRequest =
  /** Give up this session: a client with its id connects at the asking node. Answered when the owner has let go. */
  | {
      readonly kind: 'release-session';
      readonly clientId: string;
      readonly epoch: number;
      /** Whether all nodes route to the asking node, too, what the session wants as it is stored. */
      readonly isRouted: boolean;
    }
  /** How far is the bridge with what waits there? */
  | { readonly kind: 'bridge-progress' };

/** What a node answers. */
export interface ClusterAnswer {
  /**
   * What waits for the other sides of the bridge: at the node that answers, and, where a client goes on elsewhere, also what
   * its records still wait for there. Empty when nothing does.
   */
  readonly backlogs: readonly BridgeBacklog[];
}

/** A QoS 1/2 batch as it lies in an inbox. */
export interface InboxBatch {
  readonly from: NodeRef;
  readonly frame: Uint8Array;
  /** For which incarnation it was: the receiving node, or a dead one that it takes over from. */
  readonly inbox: NodeRef;
}

/** Batches of an inbox in their order, and how the newest of them is named. */
export interface InboxPiece {
  readonly batches: readonly InboxBatch[];
  readonly last: string;
}

/** What a node is told by the cluster. Handlers return at once; work that takes time goes on behind them. */
export interface ClusterHandler {
  /**
   * A node was seen for the first time, with routes to which routesChanged() adds until all are read; or all its routes were
   * read anew after a gap.
   */
  nodeJoined(node: NodeInfo, filters: readonly string[]): void;
  /** Other nodes' routes changed. */
  routesChanged(node: NodeRef, changes: readonly RouteChange[]): void;
  /** A node's lease ended, or it left. Its routes stay until forgetNode(): its inbox still takes messages for its offline sessions. */
  nodeLeft(node: NodeRef): void;
  /** A dead node's sessions have been taken over by a survivor: drop its routes. */
  nodeForgotten(node: NodeRef): void;
  /** A QoS 0 batch. */
  liveReceived(from: NodeRef, frame: Uint8Array): void;
  /** QoS 1/2: call `done` when this node has taken responsibility for all of it; it is then removed. Repeats are possible. */
  durableReceived(batch: InboxBatch, done: () => void): void;
  /** Answers a request; resolves when done. */
  requested(from: NodeRef, request: ClusterRequest): Promise<ClusterAnswer>;
  /** This node's lease was lost (a pause, a partition): it must close its connections and start a new incarnation. */
  leaseLost(): void;
}

/**
 * How the nodes of a cluster meet.
 *
 * @remarks The memory implementation of a single node has no peers. Calls reject with a StoreUnavailableError
 * when the cluster's Redis does not answer.
 */
export interface ClusterBus {
  readonly self: NodeRef;
  /**
   * Whether this node knows what the others want: false while the cluster's Redis is away, and then until their routes
   * have been read again. Meanwhile a message without a known receiver may well have one.
   */
  readonly isCurrent: boolean;
  /** Takes a lease, announces the node, reads the others and begins to deliver to the handler. */
  open(handler: ClusterHandler): Promise<void>;
  /**
   * Resolves when every live node has applied the changes (or its lease ended), and the QoS 1/2 batches that it sent before are
   * in their inboxes; rejects at the deadline.
   */
  announceRoutes(changes: readonly RouteChange[]): Promise<void>;
  /** Sends a QoS 0 batch, fire and forget; counts the messages that it holds as lost when the carrier is down. */
  sendLive(nodeId: string, frame: Uint8Array, messageCount: number): void;
  /** Appends a QoS 1/2 batch to an incarnation's inbox, be it alive or dead and not yet forgotten; resolves when it is stored. */
  sendDurable(node: NodeRef, frame: Uint8Array): Promise<void>;
  /** Asks a node; rejects when it does not answer within the deadline. */
  request(nodeId: string, request: ClusterRequest): Promise<ClusterAnswer>;
  /** Every node with a lease, this one included. */
  nodes(): readonly NodeInfo[];
  /** Whether an incarnation's lease holds, as this node sees it. */
  isAlive(node: NodeRef): boolean;
  /**
   * Claims the right to take over a dead incarnation: at most one live node holds it at a time, and renews it while it works.
   *
   * @returns false when another node does it already.
   */
  claimDead(node: NodeRef): Promise<boolean>;
  /**
   * Reads a piece of what lies in another incarnation's inbox, and leaves it there.
   *
   * @param after - `last` of the piece before; empty for the first.
   *
   * @returns no batches when that is all.
   */
  peekInbox(node: NodeRef, after: string): Promise<InboxPiece>;
  /** Reads what is left in a dead node's inbox through the handler's durableReceived; resolves when it is empty. */
  drainInbox(node: NodeRef): Promise<void>;
  /** Tells all nodes that a dead incarnation is dealt with, and removes its keys. */
  forgetNode(node: NodeRef): Promise<void>;
  /** Takes no QoS 1/2 batch from its inbox any more: what is in it is for the heir of this node. */
  stopReceiving(): void;
  /** Marks this node as draining: peers and the API see it. */
  setState(state: NodeInfo['state']): Promise<void>;
  /** What the others are to know of this node's sessions; told with its lease. */
  describe?(sessions: readonly SessionCount[]): void;
  /** Gives up the lease and leaves at once. Routes and inbox stay until a survivor has claimed and forgotten this node. */
  close(): Promise<void>;
}
