import type { NodeCommand, NodeReply, WireNode } from '#libs/api-contracts';
import type { ApiMeter } from '#libs/metrics-prom';
import type { NodeCallResult, NodeCommandClient } from '#libs/nest-support';
import { Inquiry } from './inquiry.ts';

/** What the view of the cluster is made with. */
export interface ClusterOptions {
  readonly client: NodeCommandClient<NodeCommand, NodeReply>;
  /** How long an operation may take, whatever it asks of however many nodes. */
  readonly timeoutMs: number;
  readonly meter: ApiMeter;
}

/** The broker nodes as the API reaches them. */
export class Cluster {
  readonly #options: ClusterOptions;
  /** Nodes that gave no answer last time: asked last. */
  readonly #silent = new Set<string>();
  #turn = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Begins an operation: from now on its time runs. */
  inquire(): Inquiry {
    return new Inquiry(this, this.#options.timeoutMs);
  }

  /** Asks one node. */
  async ask(
    nodeId: string,
    command: NodeCommand,
    withinMs: number,
  ): Promise<NodeCallResult<NodeReply>> {
    const { client } = this.#options;
    const result = await this.#timed(client.ask(nodeId, command, withinMs));
    if (result.kind === 'reply') this.#silent.delete(nodeId);
    else if (result.sent) this.#silent.add(nodeId);
    return result;
  }

  /** Asks whoever is there. */
  askAny(command: NodeCommand, withinMs: number): Promise<NodeCallResult<NodeReply>> {
    return this.#timed(this.#options.client.askAny(command, withinMs));
  }

  /** Nodes for a task that any of them can do, best first; the load is spread. */
  rank(nodes: readonly WireNode[]): readonly WireNode[] {
    for (const nodeId of this.#silent) {
      if (!nodes.some((node) => node.nodeId === nodeId)) this.#silent.delete(nodeId);
    }
    this.#turn += 1;
    const turned = nodes.map((_, index) => nodes[(index + this.#turn) % nodes.length] ?? _);
    return turned.toSorted((a, b) => this.#doubt(a) - this.#doubt(b));
  }

  async #timed(call: Promise<NodeCallResult<NodeReply>>): Promise<NodeCallResult<NodeReply>> {
    const begun = performance.now();
    const result = await call;
    const replied = result.kind === 'reply' && result.reply.kind === 'done' ? 'ok' : 'error';
    const outcome = result.kind === 'unreachable' && result.sent ? 'timeout' : replied;
    this.#options.meter.nodeCalled(outcome, (performance.now() - begun) / 1_000);
    return result;
  }

  #doubt({ nodeId, state }: WireNode): number {
    return (this.#silent.has(nodeId) ? 2 : 0) + (state === 'draining' ? 1 : 0);
  }
}
