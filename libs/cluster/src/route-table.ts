import type { NodeRef, RouteChange } from '#libs/broker-ports';
import { TopicTrie } from '#libs/topic-index';
import { nodeKey } from './node-key.ts';

/** A node in the table. `matchedBy` is the last match that found it: it drops duplicates without a set per match. */
interface Destination {
  readonly node: NodeRef;
  readonly filters: Set<string>;
  matchedBy: number;
}

/**
 * Which nodes want a topic.
 *
 * @remarks Filters are valid and without `$share` prefix. Each incarnation of a node is a destination of its own: a dead
 * one stays, beside its successor, until dropNode(). The cost of match() is that of TopicTrie.match() and does not
 * grow with the number of filters.
 *
 * @example
 * ```ts
 * const table = new RouteTable();
 * table.apply({ nodeId: 'n2', incarnation: 1 }, [{ kind: 'add', filter: 'devices/+' }]);
 * const nodes: NodeRef[] = [];
 * table.match('devices/7', nodes); // n2
 * ```
 */
export class RouteTable {
  readonly #trie = new TopicTrie<Destination>();
  readonly #destinations = new Map<string, Destination>();
  /** Kept between calls to spare an allocation; empty outside match(). */
  readonly #found: Destination[] = [];
  #matches = 0;

  /** How many distinct filters are wanted by some node. */
  get size(): number {
    return this.#trie.size;
  }

  /** Grows with every change: what was matched at the same version is still right. */
  get version(): number {
    return this.#trie.version;
  }

  /** Applies changes of a node in the order given; an unknown node begins without filters. Repeats change nothing. */
  apply(node: NodeRef, changes: readonly RouteChange[]): void {
    const destination = this.#open(node);
    for (const { kind, filter } of changes) {
      if (kind === 'add') this.#add(destination, filter);
      else this.#remove(destination, filter);
    }
  }

  /** Makes a node's filters exactly these. Filters that stay are not touched. */
  replace(node: NodeRef, filters: Iterable<string>): void {
    const destination = this.#open(node);
    const wanted = new Set(filters);
    for (const filter of destination.filters) {
      if (!wanted.has(filter)) this.#remove(destination, filter);
    }
    for (const filter of wanted) this.#add(destination, filter);
  }

  /** Forgets a node and all its filters. */
  dropNode(node: NodeRef): void {
    const key = nodeKey(node);
    const destination = this.#destinations.get(key);
    if (destination === undefined) return;
    for (const filter of destination.filters) this.#trie.remove(filter, destination);
    this.#destinations.delete(key);
  }

  /** Appends every node that wants a topic, once each; a node is the same object in every match. */
  match(topic: string, into: NodeRef[]): void {
    const found = this.#found;
    this.#trie.match(topic, found);
    this.#matches += 1;
    for (const destination of found) {
      if (destination.matchedBy === this.#matches) continue;
      destination.matchedBy = this.#matches;
      into.push(destination.node);
    }
    found.length = 0;
  }

  #open(node: NodeRef): Destination {
    const key = nodeKey(node);
    const known = this.#destinations.get(key);
    if (known !== undefined) return known;
    const { nodeId, incarnation } = node;
    const opened = { node: { nodeId, incarnation }, filters: new Set<string>(), matchedBy: 0 };
    this.#destinations.set(key, opened);
    return opened;
  }

  #add(destination: Destination, filter: string): void {
    if (destination.filters.has(filter)) return;
    destination.filters.add(filter);
    this.#trie.add(filter, destination);
  }

  #remove(destination: Destination, filter: string): void {
    if (destination.filters.delete(filter)) this.#trie.remove(filter, destination);
  }
}
