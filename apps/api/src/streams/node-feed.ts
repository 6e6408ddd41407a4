import { setTimeout as delay } from 'node:timers/promises';
import type { NodeCommand, WireNode } from '#libs/api-contracts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Answers } from '../cluster/inquiry.ts';

/** How often it is looked which nodes there are. */
const LOOK_MS = 2_000;
const RETRY_MS = 1_000;

/** Who takes what comes: one after the other, each when it has taken the last. */
export interface FeedWriter<Item> {
  readonly isOpen: boolean;
  /** Resolves when nothing is taken any more. */
  readonly ended: Promise<void>;
  /** Resolves when the items were taken, or nothing is any more. */
  send(items: readonly Item[]): Promise<void>;
}

/** What is read of each node, and what becomes of an answer. */
export interface FeedSource<Answer, Item> {
  /** The next question to a node. */
  readonly question: (nodeId: string, waitMs: number) => NodeCommand;
  /** Takes an answer and gives what is to be sent. */
  readonly events: (nodeId: string, answer: Answer) => readonly Item[];
  /** What is sent when other nodes are silent than before. */
  readonly silent: (unavailable: readonly string[]) => readonly Item[];
}

/**
 * Reads what happens at all nodes, each by questions that the node answers when there is something, and writes it to one reader.
 *
 * @remarks A node is asked again when the reader has taken its last answer: a reader that is slow is behind in the rings of the
 * nodes, which are bounded, and is told what it has missed.
 */
export class NodeFeed<Answer, Item> {
  readonly #cluster: Cluster;
  readonly #source: FeedSource<Answer, Item>;
  readonly #writer: FeedWriter<Item>;
  readonly #reading = new Set<string>();
  readonly #silent = new Set<string>();

  constructor(cluster: Cluster, source: FeedSource<Answer, Item>, writer: FeedWriter<Item>) {
    this.#cluster = cluster;
    this.#source = source;
    this.#writer = writer;
  }

  /** Runs until the reader has gone. */
  async run(): Promise<void> {
    const readers: Promise<void>[] = [];
    while (this.#writer.isOpen) {
      for (const node of await this.#nodes()) {
        if (this.#reading.has(node.nodeId)) continue;
        this.#reading.add(node.nodeId);
        readers.push(this.#read(node));
      }
      await Promise.race([delay(LOOK_MS, undefined, { ref: false }), this.#writer.ended]);
    }
    await Promise.all(readers);
  }

  async #nodes(): Promise<readonly WireNode[]> {
    try {
      return await this.#cluster.inquire().nodes();
    } catch {
      return [];
    }
  }

  async #read(node: WireNode): Promise<void> {
    const { nodeId } = node;
    while (this.#writer.isOpen) {
      const question = this.#source.question(nodeId, this.#cluster.timeoutMs / 2);
      const { answered } = (await this.#cluster
        .inquire()
        .askAll([node], question)) as Answers<unknown>;
      const [found] = answered;
      if (found === undefined) {
        await this.#tell(nodeId, false);
        if (!(await this.#isThere(nodeId))) break;
        await Promise.race([delay(RETRY_MS, undefined, { ref: false }), this.#writer.ended]);
        continue;
      }
      await this.#tell(nodeId, true);
      await this.#writer.send(this.#source.events(nodeId, found.answer as Answer));
    }
    this.#reading.delete(nodeId);
  }

  /** Whether a node that is silent still has a lease; one that comes back is read anew. */
  async #isThere(nodeId: string): Promise<boolean> {
    const nodes = await this.#nodes();
    if (nodes.length === 0 || nodes.some((node) => node.nodeId === nodeId)) return true;
    await this.#tell(nodeId, true);
    return false;
  }

  /** The reader hears when a node falls silent, and when it answers again. */
  async #tell(nodeId: string, answers: boolean): Promise<void> {
    if (answers === !this.#silent.has(nodeId)) return;
    if (answers) this.#silent.delete(nodeId);
    else this.#silent.add(nodeId);
    await this.#writer.send(this.#source.silent([...this.#silent]));
  }
}
