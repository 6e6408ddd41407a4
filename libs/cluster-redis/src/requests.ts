import type { ClusterAnswer, ClusterRequest, NodeRef } from '#libs/broker-ports';
import { ClusterError } from '#libs/cluster';
import type { Control } from './control.ts';
import type { Timers } from './timers.ts';

/** What Requests needs. */
export interface RequestsOptions {
  readonly timeoutMs: number;
  readonly timers: Timers;
  /** Puts a question on its way; it may be lost. */
  readonly send: (nodeId: string, control: Control) => void;
}

type Answer = Extract<Control, { kind: 'answer' }>;

interface Asked {
  readonly nodeId: string;
  readonly cancelTimer: () => void;
  readonly resolve: (answer: ClusterAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** The questions this node has asked others and waits for. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** Asks a node; rejects at the deadline, when the node leaves, and when it refuses. */
  ask(nodeId: string, request: ClusterRequest): Promise<ClusterAnswer> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const { timers, timeoutMs } = this.#options;
      const cancelTimer = timers.after(timeoutMs, () => this.#end(id, silent(nodeId)));
      this.#asked.set(id, { nodeId, cancelTimer, resolve, reject });
      this.#options.send(nodeId, { kind: 'request', id, request });
    });
  }

  /** An answer came; one that nobody waits for is ignored. */
  answered(from: NodeRef, { id, outcome, backlogs = [] }: Answer): void {
    if (this.#asked.get(id)?.nodeId !== from.nodeId) return;
    const refused = new ClusterError('REQUEST_REFUSED', `${from.nodeId} refused the request`);
    this.#end(id, outcome === 'done' ? { backlogs } : refused);
  }

  /** A node left: it will not answer. */
  gone(node: NodeRef): void {
    for (const [id, { nodeId }] of this.#asked) {
      if (nodeId === node.nodeId) this.#end(id, silent(nodeId));
    }
  }

  /** Nobody will answer any more. */
  close(): void {
    for (const [id, { nodeId }] of this.#asked) this.#end(id, silent(nodeId));
  }

  #end(id: number, outcome: ClusterAnswer | ClusterError): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    asked.cancelTimer();
    if (outcome instanceof ClusterError) asked.reject(outcome);
    else asked.resolve(outcome);
  }
}

function silent(nodeId: string): ClusterError {
  return new ClusterError('NODE_SILENT', `${nodeId} did not answer`);
}
