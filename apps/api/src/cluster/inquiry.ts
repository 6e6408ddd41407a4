import type {
  CommandOf,
  NodeAnswers,
  NodeCommand,
  NodeReply,
  WireClient,
  WireNode,
  WireUnownedSession,
} from '#libs/api-contracts';
import type { NodeCallResult } from '#libs/nest-support';
import { ProblemError } from '../http/problem-error.ts';
import type { NodeCaller } from './node-caller.ts';

type Kind = NodeCommand['kind'];

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

/** Which node makes a change, and how. */
export interface ChangeOptions {
  /** Undefined: any. */
  readonly node?: WireNode | undefined;
  /** How long the node itself may wait for something, beyond the time of the operation. */
  readonly waitsMs?: number;
}

/** What the silence of a node means. */
interface Silence {
  readonly detail: string;
  readonly nothingDone: boolean;
}

const NOT_DONE: Silence = { detail: 'Not done: no node can be reached', nothingDone: true };
const NOT_SENT: Silence = { detail: 'Not done: the node cannot be reached', nothingDone: true };
const UNKNOWN: Silence = {
  detail: 'The node did not answer in time; whether the change was made is unknown',
  nothingDone: false,
};

/** A call that comes too late is still made: a node that answers at once is heard. */
const LEAST_MS = 10;

/**
 * What one operation of the API asks of the nodes, one question after the other, all within one deadline.
 *
 * @remarks A question that others may follow takes at most half of the time that is left, so that silence of the first node
 * leaves time for another.
 */
export class Inquiry {
  readonly #caller: NodeCaller;
  readonly #deadlineMs: number;
  #nodes: Promise<readonly WireNode[]> | undefined;
  /** Whether a node was asked for more than an answer. */
  #mayHaveChanged = false;

  constructor(caller: NodeCaller, timeoutMs: number) {
    this.#caller = caller;
    this.#deadlineMs = performance.now() + timeoutMs;
  }

  /**
   * The nodes with a lease, in the order of their ids; asked for once.
   *
   * @throws ProblemError when no node answers.
   */
  nodes(): Promise<readonly WireNode[]> {
    this.#nodes ??= this.#findNodes();
    return this.#nodes;
  }

  /** Asks all the given nodes at once. A node that fails counts as one that does not answer. */
  askAll<K extends Kind>(
    nodes: readonly WireNode[],
    command: CommandOf<K>,
  ): Promise<Answers<NodeAnswers[K]>> {
    this.#mayHaveChanged = true;
    return this.#gather(nodes, command, this.leftMs);
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
      throw silent(this.#unanswered);
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
    const result = await this.#caller.ask(first.nodeId, command, this.leftMs / 2);
    if (result.kind === 'reply' || second === undefined) {
      return answerOf<K>(result, this.#unanswered);
    }
    const other = await this.#caller.ask(second.nodeId, command, this.leftMs / 2);
    return answerOf<K>(other, this.#unanswered);
  }

  /**
   * Has a node make a change, once: it is not repeated when the outcome is unknown.
   *
   * @throws ProblemError when the node does not answer, or cannot.
   */
  async change<K extends Kind>(
    command: CommandOf<K>,
    { node, waitsMs = 0 }: ChangeOptions = {},
  ): Promise<NodeAnswers[K]> {
    const { nodeId } = node ?? (await this.#candidates())[0];
    this.#mayHaveChanged = true;
    const result = await this.#caller.ask(nodeId, command, this.leftMs + waitsMs);
    const sent = result.kind === 'unreachable' && result.sent;
    return answerOf<K>(result, sent ? UNKNOWN : NOT_DONE);
  }

  /**
   * Asks one node.
   *
   * @param isChange - whether a silent node may have done something.
   * @throws ProblemError 404 when no node with a lease has this id, 503 when it does not answer.
   */
  async askNode<K extends Kind>(
    nodeId: string,
    command: CommandOf<K>,
    isChange = false,
  ): Promise<NodeAnswers[K]> {
    await this.requireNode(nodeId);
    this.#mayHaveChanged ||= isChange;
    const result = await this.#caller.ask(nodeId, command, this.leftMs);
    if (!isChange) {
      return answerOf<K>(result, { ...this.#unanswered, detail: 'The node does not answer' });
    }
    const sent = result.kind === 'unreachable' && result.sent;
    return answerOf<K>(result, sent ? UNKNOWN : NOT_SENT);
  }

  /** The node of this id. @throws ProblemError 404 when none with a lease has it. */
  async requireNode(nodeId: string): Promise<WireNode> {
    const found = (await this.nodes()).find((node) => node.nodeId === nodeId);
    if (found !== undefined) return found;
    throw new ProblemError('not-found', 'No node with a lease has this id');
  }

  /**
   * Finds a client's session. Of two, as there are for a moment during a take-over, the connected one.
   *
   * @throws ProblemError 404 when no node has it, 503 when one that may have it does not answer.
   */
  async findClient(clientId: string): Promise<NodeAnswer<WireClient>> {
    const command = { kind: 'client', clientId } as const;
    const nodes = await this.nodes();
    const { answered, unavailable } = await this.#gather<'client'>(nodes, command, this.leftMs / 2);
    const found = answered.flatMap(({ node, answer }) =>
      answer.client === undefined ? [] : [{ node, answer: answer.client }],
    );
    const best = found.find(({ answer }) => answer.state === 'connected') ?? found[0];
    if (best === undefined) throw absent(unavailable, this.#unfound);
    return best;
  }

  /**
   * As findClient(), and a session whose node has gone, until another one takes it over.
   *
   * @throws ProblemError as findClient().
   */
  async findSession(
    clientId: string,
  ): Promise<{ readonly client: WireClient; readonly node: string }> {
    try {
      const { node, answer } = await this.findClient(clientId);
      return { client: answer, node: node.nodeId };
    } catch (error) {
      const unowned = await this.#unownedAfter(error, clientId);
      if (unowned === undefined) throw error;
      return { client: unowned.session, node: unowned.nodeId };
    }
  }

  /**
   * Asks the node that has a client's session something, or has it do something.
   *
   * @throws ProblemError 404 when no node has it, 503 when the node does not answer, or nobody has it for the moment.
   */
  async atOwner<K extends Kind>(
    clientId: string,
    command: CommandOf<K>,
  ): Promise<NodeAnswer<NodeAnswers[K]>> {
    const { node } = await this.#owned(clientId, () => this.findClient(clientId));
    return { node, answer: await this.askOne(node, command) };
  }

  /** Asks one node. @throws ProblemError when it does not answer, or cannot. */
  async askOne<K extends Kind>(node: WireNode, command: CommandOf<K>): Promise<NodeAnswers[K]> {
    this.#mayHaveChanged = true;
    const result = await this.#caller.ask(node.nodeId, command, this.leftMs);
    const sent = result.kind === 'unreachable' && result.sent;
    return answerOf<K>(result, sent ? UNKNOWN : NOT_DONE);
  }

  /**
   * Disconnects a client wherever it is.
   *
   * @throws ProblemError 404 when no node has it, 503 when one that may have it does not answer.
   */
  disconnect(
    clientId: string,
    how: Omit<CommandOf<'disconnect'>, 'kind' | 'clientId'>,
  ): Promise<void> {
    return this.#owned(clientId, async () => {
      const { answered, unavailable } = await this.askAll(await this.nodes(), {
        ...{ kind: 'disconnect', clientId, ...how },
      });
      if (!answered.some(({ answer }) => answer.found)) throw absent(unavailable, UNKNOWN);
    });
  }

  /** Does something to a session, and says so when it is nobody's for the moment. */
  async #owned<Result>(clientId: string, act: () => Promise<Result>): Promise<Result> {
    try {
      return await act();
    } catch (error) {
      const unowned = await this.#unownedAfter(error, clientId);
      if (unowned === undefined) throw error;
      const detail = `Not done: ${unowned.nodeId}, which had the session, has gone, and no node has taken it over yet`;
      throw silent({ detail, nothingDone: true });
    }
  }

  async #unownedAfter(error: unknown, clientId: string): Promise<WireUnownedSession | undefined> {
    if (!(error instanceof ProblemError) || error.code !== 'not-found') return undefined;
    return (await this.read({ kind: 'unowned-session', clientId })).unowned;
  }

  /** How long the operation may still take. */
  get leftMs(): number {
    return Math.max(this.#deadlineMs - performance.now(), LEAST_MS);
  }

  get #unanswered(): Silence {
    return { detail: 'No node answers', nothingDone: !this.#mayHaveChanged };
  }

  /** What it means that a client was looked for and not found. */
  get #unfound(): Silence {
    return this.#mayHaveChanged ? UNKNOWN : { detail: 'Nothing was changed', nothingDone: true };
  }

  async #findNodes(): Promise<readonly WireNode[]> {
    const result = await this.#caller.askAny({ kind: 'nodes' }, this.leftMs / 2);
    const { nodes } = answerOf<'nodes'>(result, this.#unanswered);
    return nodes.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  async #gather<K extends Kind>(
    nodes: readonly WireNode[],
    command: CommandOf<K>,
    withinMs: number,
  ): Promise<Answers<NodeAnswers[K]>> {
    const results = await Promise.all(
      nodes.map(({ nodeId }) => this.#caller.ask(nodeId, command, withinMs)),
    );
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

  async #candidates(): Promise<readonly [WireNode, WireNode | undefined]> {
    const [first, second] = this.#caller.rank(await this.nodes());
    if (first === undefined) throw silent(NOT_DONE);
    return [first, second];
  }
}

function answerOf<K extends Kind>(
  result: NodeCallResult<NodeReply>,
  silence: Silence,
): NodeAnswers[K] {
  if (result.kind === 'unreachable') throw silent(silence);
  const { reply } = result;
  // The one place where JSON of a node enters: nodes and API are of one release.
  if (reply.kind === 'done') return reply.answer as NodeAnswers[K];
  if (reply.code === 'storage-unavailable') {
    throw new ProblemError('storage-unavailable', 'The store behind the node did not answer');
  }
  throw new ProblemError('internal', 'The node failed; its log holds the cause');
}

function silent({ detail, nothingDone }: Silence): ProblemError {
  return new ProblemError('node-unavailable', detail, { nothingDone });
}

function absent(unavailable: readonly string[], { detail, nothingDone }: Silence): ProblemError {
  if (unavailable.length === 0) return new ProblemError('not-found', 'No node has this client');
  const who = `Not found on the nodes that answer; silent: ${unavailable.join(', ')}`;
  return silent({ detail: `${who}. ${detail}`, nothingDone });
}
