import type { NodeCommand, NodeReply, WireNode, WithOrigin } from '#libs/api-contracts';
import type { ApiMeter } from '#libs/metrics-prom';
import type { NodeCallResult, NodeCommandClient } from '#libs/nest-support';
import { currentOrigin } from '../http/origin.ts';

/** How nodes are reached: each call ends within the time it is given. */
export type NodeClient = Pick<NodeCommandClient<NodeCommand, NodeReply>, 'ask' | 'askAny'>;

/** What calls are made with. */
export interface NodeCallerOptions {
  readonly client: NodeClient;
  readonly meter: ApiMeter;
}

/** Calls nodes, meters the calls and remembers who was silent. */
export class NodeCaller {
  readonly #options: NodeCallerOptions;
  /** Nodes that gave no answer last time: asked last. */
  readonly #silent = new Set<string>();
  #turn = 0;

  constructor(options: NodeCallerOptions) {
    this.#options = options;
  }

  /** Asks one node. */
  async ask(
    nodeId: string,
    command: NodeCommand,
    withinMs: number,
  ): Promise<NodeCallResult<NodeReply>> {
    const { client } = this.#options;
    const result = await this.#timed(client.ask(nodeId, withOrigin(command), withinMs));
    if (result.kind === 'reply') this.#silent.delete(nodeId);
    else if (result.sent) this.#silent.add(nodeId);
    return result;
  }

  /** Asks whoever is there. */
  askAny(command: NodeCommand, withinMs: number): Promise<NodeCallResult<NodeReply>> {
    return this.#timed(this.#options.client.askAny(withOrigin(command), withinMs));
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

/** A command as it is sent: with the request that it comes from. */
function withOrigin(command: NodeCommand): NodeCommand & WithOrigin {
  const origin = currentOrigin();
  return origin === undefined ? command : { ...command, origin };
}
