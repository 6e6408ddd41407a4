import { Inquiry } from './inquiry.ts';
import { NodeCaller, type NodeCallerOptions } from './node-caller.ts';

/** What the view of the cluster is made with. */
export interface ClusterOptions extends NodeCallerOptions {
  /** How long an operation may take, whatever it asks of however many nodes. */
  readonly timeoutMs: number;
}

/** The broker nodes as the API reaches them. */
export class Cluster {
  readonly #caller: NodeCaller;
  readonly #timeoutMs: number;

  constructor(options: ClusterOptions) {
    this.#caller = new NodeCaller(options);
    this.#timeoutMs = options.timeoutMs;
  }

  /** How long an operation may take. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** Begins an operation: from now on its time runs. */
  inquire(): Inquiry {
    return new Inquiry(this.#caller, this.#timeoutMs);
  }
}
