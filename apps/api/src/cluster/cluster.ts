import type {
  CommandOf,
  NodeAnswers,
  NodeCommand,
  NodeReply,
  WireClient,
  WireNode,
} from '#libs/api-contracts';
import type { ApiMeter } from '#libs/metrics-prom';
import type { NodeCallResult, NodeCommandClient } from '#libs/nest-support';
import { ProblemError } from '../http/problem-error.ts';

type Kind = NodeCommand['kind'];

/** What the view of the cluster is made with. */
export interface ClusterOptions {
  readonly client: NodeCommandClient<NodeCommand, NodeReply>;
  readonly meter: ApiMeter;
}

/** The answer of one node. */
export interface NodeAnswer<Answer> {
  readonly node: WireNode;
  readonly answer: Answer;
}

/** The answers of many nodes, and who gave none. */
export interface Answers<Answer> {
  readonly answered: readonly NodeAnswer<Answer>[];
  readonly unavailable: readonly string[];
}

const NOT_DONE = 'Not done: no node can be reached';
const UNKNOWN = 'The node did not answer in time; whether the change was made is unknown';

/** The broker nodes as the API reaches them. */
export class Cluster {
  readonly #client: NodeCommandClient<NodeCommand, NodeReply>;
  readonly #meter: ApiMeter;
  /** Nodes that gave no answer last time: asked last. */
  readonly #silent = new Set<string>();
  #turn = 0;

  constructor({ client, meter }: ClusterOptions) {
    this.#client = client;
    this.#meter = meter;
  }

  /**
   * The nodes with a lease, in the order of their ids.
   *
   * @throws ProblemError when no node answers.
   */
  async nodes(): Promise<readonly WireNode[]> {
    const result = await this.#timed(() => this.#client.askAny({ kind: 'nodes' }));
    const { nodes } = this.#answerOf<'nodes'>(result, 'No node answers');
    return nodes.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  /** Asks all the given nodes at once. A node that fails counts as one that does not answer. */
  async askAll<K extends Kind>(
    nodes: readonly WireNode[],
    command: CommandOf<K>,
  ): Promise<Answers<NodeAnswers[K]>> {
    const results = await Promise.all(nodes.map((node) => this.#ask(node.nodeId, command)));
    const answered: NodeAnswer<NodeAnswers[K]>[] = [];
    const unavailable: string[] = [];
    for (const [index, node] of nodes.entries()) {
      const result = results[index];
      if (result?.kind === 'reply' && result.reply.kind === 'done') {
        answered.push({ node, answer: result.reply.answer as NodeAnswers[K] });
      } else {
        unavailable.push(node.nodeId);
      }
    }
    return { answered, unavailable };
  }

  /**
   * As askAll(), for a list that is useless without any answer.
   *
   * @throws ProblemError when none of the nodes answers.
   */
  async askSome<K extends Kind>(
    nodes: readonly WireNode[],
    command: CommandOf<K>,
  ): Promise<Answers<NodeAnswers[K]>> {
    const answers = await this.askAll(nodes, command);
    if (nodes.length > 0 && answers.answered.length === 0) {
      throw new ProblemError('node-unavailable', 'No node answers');
    }
    return answers;
  }

  /**
   * Has any one node answer a question; a second node is asked when the first is silent.
   *
   * @throws ProblemError when neither answers, or the node cannot.
   */
  async read<K extends Kind>(command: CommandOf<K>): Promise<NodeAnswers[K]> {
    const [first, second] = await this.#candidates();
    const result = await this.#ask(first.nodeId, command);
    if (result.kind === 'reply' || second === undefined) {
      return this.#answerOf<K>(result, 'No node answers');
    }
    return this.#answerOf<K>(await this.#ask(second.nodeId, command), 'No node answers');
  }

  /**
   * Has any one node make a change, once: it is not repeated when the outcome is unknown.
   *
   * @throws ProblemError when the node does not answer, or cannot.
   */
  async change<K extends Kind>(command: CommandOf<K>): Promise<NodeAnswers[K]> {
    const [first] = await this.#candidates();
    const result = await this.#ask(first.nodeId, command);
    const sent = result.kind === 'unreachable' && result.sent;
    return this.#answerOf<K>(result, sent ? UNKNOWN : NOT_DONE);
  }

  /**
   * Finds a client's session. Of two, as there are for a moment during a take-over, the connected one.
   *
   * @throws ProblemError 404 when no node has it, 503 when one that may have it does not answer.
   */
  async findClient(clientId: string): Promise<NodeAnswer<WireClient>> {
    const { answered, unavailable } = await this.askAll(await this.nodes(), {
      kind: 'client',
      clientId,
    });
    const found = answered.flatMap(({ node, answer }) =>
      answer.client === undefined ? [] : [{ node, answer: answer.client }],
    );
    const best = found.find(({ answer }) => answer.state === 'connected') ?? found[0];
    if (best === undefined) throw absent(unavailable);
    return best;
  }

  /**
   * Disconnects a client wherever it is.
   *
   * @throws ProblemError 404 when no node has it, 503 when one that may have it does not answer.
   */
  async disconnect(clientId: string, endSession: boolean): Promise<void> {
    const { answered, unavailable } = await this.askAll(await this.nodes(), {
      kind: 'disconnect',
      clientId,
      endSession,
    });
    if (!answered.some(({ answer }) => answer.found)) throw absent(unavailable, UNKNOWN);
  }

  /** Nodes to try for a task that any can do, best first; the load is spread. */
  async #candidates(): Promise<readonly [WireNode, WireNode?]> {
    const nodes = await this.nodes();
    this.#turn += 1;
    const turned = nodes.map((_, index) => nodes[(index + this.#turn) % nodes.length] ?? _);
    const [first, second] = turned.toSorted((a, b) => this.#doubt(a) - this.#doubt(b));
    if (first === undefined) throw new ProblemError('node-unavailable', NOT_DONE);
    return second === undefined ? [first] : [first, second];
  }

  #doubt({ nodeId, state }: WireNode): number {
    return (this.#silent.has(nodeId) ? 2 : 0) + (state === 'draining' ? 1 : 0);
  }

  async #ask(nodeId: string, command: NodeCommand): Promise<NodeCallResult<NodeReply>> {
    const result = await this.#timed(() => this.#client.ask(nodeId, command));
    if (result.kind === 'reply') this.#silent.delete(nodeId);
    else if (result.sent) this.#silent.add(nodeId);
    return result;
  }

  async #timed(call: () => Promise<NodeCallResult<NodeReply>>): Promise<NodeCallResult<NodeReply>> {
    const begun = performance.now();
    const result = await call();
    const replied = result.kind === 'reply' && result.reply.kind === 'done' ? 'ok' : 'error';
    const outcome = result.kind === 'unreachable' && result.sent ? 'timeout' : replied;
    this.#meter.nodeCalled(outcome, (performance.now() - begun) / 1_000);
    return result;
  }

  #answerOf<K extends Kind>(result: NodeCallResult<NodeReply>, silence: string): NodeAnswers[K] {
    if (result.kind === 'unreachable') throw new ProblemError('node-unavailable', silence);
    const { reply } = result;
    // The one place where JSON of a node enters: nodes and API are of one release.
    if (reply.kind === 'done') return reply.answer as NodeAnswers[K];
    if (reply.code === 'storage-unavailable') {
      throw new ProblemError('storage-unavailable', 'The store behind the node did not answer');
    }
    throw new ProblemError('internal', 'The node failed; its log holds the cause');
  }
}

function absent(unavailable: readonly string[], silence?: string): ProblemError {
  if (unavailable.length === 0) return new ProblemError('not-found', 'No node has this client');
  const who = `Not found on the nodes that answer; silent: ${unavailable.join(', ')}`;
  return new ProblemError('node-unavailable', silence === undefined ? who : `${who}. ${silence}`);
}
