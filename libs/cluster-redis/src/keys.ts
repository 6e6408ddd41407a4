import type { NodeRef } from '#libs/broker-ports';
import { nodeKey } from '#libs/cluster';

/** Without braces, which would make another hash tag than ours. */
const PREFIX = /^[A-Za-z0-9:._-]{1,64}$/u;

/**
 * The names of everything the bus keeps in Redis.
 *
 * @remarks No name holds a filter or a client id. Commands touch several keys at once, so all of them have one hash
 * tag: they are in one slot of a Redis Cluster. `B` stands for `prefix:{prefix:bus}`.
 *
 * | name | type | holds |
 * | --- | --- | --- |
 * | `B:node:ID` | string, expires | lease: incarnation, version, start, state |
 * | `B:incarnation:ID` | string, expires | the last incarnation given out |
 * | `B:members` | hash | node key to the number of its last route change |
 * | `B:ended` | set | incarnations that were claimed or said goodbye |
 * | `B:routes` | stream | route changes and membership of all nodes |
 * | `B:routes:KEY` | set | the filters of an incarnation |
 * | `B:inbox:KEY` | stream | batches for an incarnation |
 * | `B:claim:KEY` | string, expires | who takes over a dead incarnation |
 * | `B:heir:KEY` | string, expires | who has taken over a forgotten incarnation |
 */
export class ClusterKeys {
  readonly #prefix: string;
  readonly #base: string;
  readonly members: string;
  readonly ended: string;
  readonly stream: string;
  /** What the name of every inbox begins with. */
  readonly inboxes: string;
  /** What the name of every heir begins with. */
  readonly heirs: string;

  constructor(prefix: string) {
    if (!PREFIX.test(prefix)) {
      throw new RangeError('a key prefix is 1 to 64 of the characters A-Za-z0-9:._-');
    }
    this.#prefix = prefix;
    this.#base = `${prefix}:{${prefix}:bus}`;
    this.members = `${this.#base}:members`;
    this.ended = `${this.#base}:ended`;
    this.stream = `${this.#base}:routes`;
    this.inboxes = `${this.#base}:inbox:`;
    this.heirs = `${this.#base}:heir:`;
  }

  lease(nodeId: string): string {
    return `${this.#base}:node:${nodeId}`;
  }

  incarnation(nodeId: string): string {
    return `${this.#base}:incarnation:${nodeId}`;
  }

  routes(node: NodeRef): string {
    return `${this.#base}:routes:${nodeKey(node)}`;
  }

  inbox(node: NodeRef): string {
    return this.inboxes + nodeKey(node);
  }

  claim(node: NodeRef): string {
    return `${this.#base}:claim:${nodeKey(node)}`;
  }

  heir(node: NodeRef): string {
    return this.heirs + nodeKey(node);
  }

  /** The one exact channel of a node: a topic of the carrier, without wildcards by the rules for prefix and node id. */
  channel(nodeId: string): string {
    return `${this.#prefix}/live/${nodeId}`;
  }
}
