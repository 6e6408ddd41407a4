import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandOf, NodeAnswers, NodeCommand, WireNode } from '#libs/api-contracts';
import type { Cluster } from '../cluster/cluster.ts';
import { ProblemError } from '../http/problem-error.ts';

/** How long a node may take for a page of a backup, beyond the time of an operation. */
const PAGE_WAIT_MS = 15_000;
/** How often a question is asked again that nobody has answered. */
const TRIES = 8;
const RETRY_MS = 1_000;

/** The nodes as a long operation asks them: patiently, and all that may be repeated is repeated. */
export class BackupNodes {
  readonly #cluster: Cluster;
  readonly #signal: AbortSignal;
  #nodeId: string | undefined;
  #turn = 0;

  constructor(cluster: Cluster, signal: AbortSignal) {
    this.#cluster = cluster;
    this.#signal = signal;
  }

  /** Any node, and the same one for as long as it answers. */
  async ask<K extends NodeCommand['kind']>(command: CommandOf<K>): Promise<NodeAnswers[K]> {
    return this.#insist(async () => {
      const nodes = await this.alive();
      const node = nodes.find(({ nodeId }) => nodeId === this.#nodeId) ?? this.#next(nodes);
      this.#nodeId = node.nodeId;
      try {
        return await this.#askOne(node, command);
      } catch (error) {
        this.#nodeId = undefined;
        throw error;
      }
    });
  }

  /** One node after the other, so that each has its share; or the one that is named, for as long as it is there. */
  async askInTurn<K extends NodeCommand['kind']>(
    command: CommandOf<K>,
    nodeId?: string,
  ): Promise<NodeAnswers[K]> {
    return this.#insist(async () => {
      const nodes = await this.alive();
      const node = nodes.find((each) => each.nodeId === nodeId) ?? this.#next(nodes);
      return this.#askOne(node, command);
    });
  }

  /** One node, once. */
  async askOnce<K extends NodeCommand['kind']>(
    node: WireNode,
    command: CommandOf<K>,
  ): Promise<NodeAnswers[K]> {
    return this.#askOne(node, command);
  }

  /** The next in turn. */
  async inTurn(): Promise<WireNode> {
    return this.#next(await this.#insist(() => this.alive()));
  }

  /** The nodes that are not about to go; all, where all are. */
  async alive(): Promise<readonly WireNode[]> {
    const nodes = await this.#cluster.inquire().nodes();
    const staying = nodes.filter(({ state }) => state === 'alive');
    return staying.length > 0 ? staying : nodes;
  }

  /** Waits a little. */
  async pause(): Promise<void> {
    await sleep(RETRY_MS, undefined, { signal: this.#signal, ref: false }).catch(() => undefined);
    this.#signal.throwIfAborted();
  }

  async #askOne<K extends NodeCommand['kind']>(
    node: WireNode,
    command: CommandOf<K>,
  ): Promise<NodeAnswers[K]> {
    this.#signal.throwIfAborted();
    return this.#cluster.inquire().change<K>(command, { node, waitsMs: PAGE_WAIT_MS });
  }

  #next(nodes: readonly WireNode[]): WireNode {
    this.#turn += 1;
    const node = nodes[this.#turn % nodes.length];
    if (node === undefined) throw new ProblemError('node-unavailable', 'No node can be reached');
    return node;
  }

  async #insist<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await ask();
      } catch (error) {
        const isAway = error instanceof ProblemError && error.status === 503;
        if (!isAway || tries === TRIES) throw error;
        await this.pause();
      }
    }
  }
}
