import type { NodeRef } from '#libs/broker-ports';
import { nodeKey } from '#libs/cluster';

/** Braces would end a hash tag too early or make an empty one, unless they are one pair around something. */
const PREFIX = /^(?=.{1,64}$)[A-Za-z0-9:._-]*(\{[A-Za-z0-9:._-]+\}[A-Za-z0-9:._-]*)?$/u;

/**
 * The names of everything the bus keeps in Redis.
 *
 * @remarks No name holds a filter or a client id. Commands touch several keys at once: for Redis Cluster choose a
 * prefix with a hash tag, such as `{skein}`.
 *
 * | name | type | holds |
 * | --- | --- | --- |
 * | `P:node:ID` | string, expires | lease: incarnation, version, start, state |
 * | `P:incarnation:ID` | string, expires | the last incarnation given out |
 * | `P:members` | hash | node key to the number of its last route change |
 * | `P:ended` | set | incarnations that were claimed or said goodbye |
 * | `P:routes` | stream | route changes and membership of all nodes |
 * | `P:routes:KEY` | set | the filters of an incarnation |
 * | `P:inbox:KEY` | stream | batches for an incarnation |
 * | `P:claim:KEY` | string, expires | who takes over a dead incarnation |
 * | `P:heir:KEY` | string, expires | who has taken over a forgotten incarnation |
 */
export class ClusterKeys {
  readonly #prefix: string;
  readonly members: string;
  readonly ended: string;
  readonly stream: string;
  /** What the name of every inbox begins with. */
  readonly inboxes: string;
  /** What the name of every heir begins with. */
  readonly heirs: string;

  constructor(prefix: string) {
    if (!PREFIX.test(prefix)) {
      throw new RangeError(
        'a key prefix is 1 to 64 of the characters A-Za-z0-9:._- with at most one part in braces',
      );
    }
    this.#prefix = prefix;
    this.members = `${prefix}:members`;
    this.ended = `${prefix}:ended`;
    this.stream = `${prefix}:routes`;
    this.inboxes = `${prefix}:inbox:`;
    this.heirs = `${prefix}:heir:`;
  }

  lease(nodeId: string): string {
    return `${this.#prefix}:node:${nodeId}`;
  }

  incarnation(nodeId: string): string {
    return `${this.#prefix}:incarnation:${nodeId}`;
  }

  routes(node: NodeRef): string {
    return `${this.#prefix}:routes:${nodeKey(node)}`;
  }

  inbox(node: NodeRef): string {
    return this.inboxes + nodeKey(node);
  }

  claim(node: NodeRef): string {
    return `${this.#prefix}:claim:${nodeKey(node)}`;
  }

  heir(node: NodeRef): string {
    return this.heirs + nodeKey(node);
  }

  /** The one exact channel of a node: a topic of the carrier, without wildcards by the rules for prefix and node id. */
  channel(nodeId: string): string {
    return `${this.#prefix}/live/${nodeId}`;
  }
}
