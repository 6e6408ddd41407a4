import type {
  ClusterAnswer,
  ClusterBus,
  ClusterHandler,
  ClusterRequest,
  InboxPiece,
  NodeInfo,
  NodeRef,
  RouteChange,
} from '#libs/broker-ports';
import { ClusterError } from './cluster-error.ts';

/** What a node without a cluster knows of itself. */
export interface SingleNodeBusOptions {
  readonly nodeId: string;
  readonly version: string;
  /** Milliseconds since 1970: the start of the process, which is also its incarnation. */
  readonly startedAtMs: number;
}

/**
 * The cluster of one: no peers, no lease that could be lost.
 *
 * @remarks The handler is never called. What is meant for another node is refused, because there is none.
 */
export class SingleNodeBus implements ClusterBus {
  readonly self: NodeRef;
  readonly isCurrent = true;
  #info: NodeInfo;

  constructor(options: SingleNodeBusOptions) {
    const { nodeId, version, startedAtMs } = options;
    this.self = { nodeId, incarnation: startedAtMs };
    this.#info = { ...this.self, version, startedAtMs, state: 'alive' };
  }

  open(_handler: ClusterHandler): Promise<void> {
    return Promise.resolve();
  }

  /** Resolves at once: there is nobody to tell. */
  announceRoutes(_changes: readonly RouteChange[]): Promise<void> {
    return Promise.resolve();
  }

  /** Drops the frame: there is nobody to send it to. */
  sendLive(_nodeId: string, _frame: Uint8Array, _messageCount: number): void {}

  sendDurable(node: NodeRef, _frame: Uint8Array): Promise<void> {
    return Promise.reject(noPeer(node.nodeId));
  }

  request(nodeId: string, _request: ClusterRequest): Promise<ClusterAnswer> {
    return Promise.reject(noPeer(nodeId));
  }

  nodes(): readonly NodeInfo[] {
    return [this.#info];
  }

  /** True for this incarnation only: whatever an earlier run left behind is dead. */
  isAlive(node: NodeRef): boolean {
    return node.nodeId === this.self.nodeId && node.incarnation === this.self.incarnation;
  }

  /** Whoever is dead is this node's to take over. */
  claimDead(node: NodeRef): Promise<boolean> {
    return Promise.resolve(!this.isAlive(node));
  }

  /** Resolves at once: no node ever had an inbox. */
  /** There is no inbox. */
  stopReceiving(): void {
    // Nobody sends anything.
  }

  peekInbox(_node: NodeRef, after: string): Promise<InboxPiece> {
    return Promise.resolve({ batches: [], last: after });
  }

  drainInbox(_node: NodeRef): Promise<void> {
    return Promise.resolve();
  }

  forgetNode(_node: NodeRef): Promise<void> {
    return Promise.resolve();
  }

  setState(state: NodeInfo['state']): Promise<void> {
    this.#info = { ...this.#info, state };
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function noPeer(nodeId: string): ClusterError {
  return new ClusterError('NODE_SILENT', `there is no node ${nodeId}: this node runs alone`);
}
