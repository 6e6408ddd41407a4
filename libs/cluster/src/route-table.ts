import type { NodeRef, RouteChange } from '#libs/broker-ports';
import { TopicTrie, parseShare } from '#libs/topic-index';
import { nodeKey } from './node-key.ts';
import { parseShareRoute } from './share-route.ts';

/** A node that has members of a shared subscription. */
export interface SharePlace {
  readonly node: NodeRef;
  /** About how many of its members are connected; 0 when all of them are away. */
  readonly weight: number;
}

/** The nodes that have members of one shared subscription, in the order of their keys. The object lives as long as it has any. */
export interface SharePlaces {
  /** The whole filter, `$share/group/` included. */
  readonly filter: string;
  readonly places: readonly SharePlace[];
}

/** A node in the table. `matchedBy` is the last match that found it: it drops duplicates without a set per match. */
interface Destination {
  readonly node: NodeRef;
  readonly filters: Set<string>;
  matchedBy: number;
  isDropped: boolean;
}

interface Group extends SharePlaces {
  /** What topics are matched against. */
  readonly matched: string;
  places: readonly SharePlace[];
}

/**
 * Which nodes want a topic.
 *
 * @remarks Routes are valid filters, or shareRoute() for shared subscriptions. Each incarnation of a node is a destination of its own: a dead
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
  /** By whole filter. */
  readonly #groups = new Map<string, Group>();
  readonly #shared = new TopicTrie<Group>();
  /** Kept between calls to spare an allocation; empty outside match(). */
  readonly #found: Destination[] = [];
  #matches = 0;
  #drops = 0;

  /** How many distinct filters are wanted by some node. */
  get size(): number {
    return this.#trie.size + this.#groups.size;
  }

  /** Grows with every change but that of a group's places: what was matched at the same version is still right. */
  get version(): number {
    return this.#trie.version + this.#shared.version + this.#drops;
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

  /**
   * Forgets a node: from now on it is in no match and no group.
   *
   * @returns the steps that remove its filters, which may be very many; the caller has to go through them, in pieces if it likes.
   */
  dropNode(node: NodeRef): Generator<void, void, undefined> {
    const key = nodeKey(node);
    const destination = this.#destinations.get(key);
    if (destination !== undefined) {
      this.#destinations.delete(key);
      this.#drops += 1;
      destination.isDropped = true;
      for (const filter of destination.filters) {
        if (parseShareRoute(filter) !== undefined) this.#remove(destination, filter);
      }
    }
    return this.#removeAll(destination);
  }

  /** Appends every node that wants a topic, once each; a node is the same object in every match. */
  match(topic: string, into: NodeRef[]): void {
    const found = this.#found;
    this.#trie.match(topic, found);
    this.#matches += 1;
    for (const destination of found) {
      if (destination.isDropped || destination.matchedBy === this.#matches) continue;
      destination.matchedBy = this.#matches;
      into.push(destination.node);
    }
    found.length = 0;
  }

  /** The nodes with members of a shared subscription, by its whole filter. */
  places(filter: string): SharePlaces | undefined {
    return this.#groups.get(filter);
  }

  /** Appends the shared subscriptions to a topic. */
  matchShared(topic: string, into: SharePlaces[]): void {
    if (this.#groups.size > 0) this.#shared.match(topic, into as Group[]);
  }

  /** What topics are matched against, shared or not, in no particular order; the table must not change meanwhile. */
  *filters(): Generator<string, void, undefined> {
    yield* this.#trie.filters();
    yield* this.#shared.filters();
  }

  #open(node: NodeRef): Destination {
    const key = nodeKey(node);
    const known = this.#destinations.get(key);
    if (known !== undefined) return known;
    const { nodeId, incarnation } = node;
    const filters = new Set<string>();
    const opened = { node: { nodeId, incarnation }, filters, matchedBy: 0, isDropped: false };
    this.#destinations.set(key, opened);
    return opened;
  }

  #add(destination: Destination, filter: string): void {
    if (destination.filters.has(filter)) return;
    destination.filters.add(filter);
    const share = parseShareRoute(filter);
    if (share === undefined) this.#trie.add(filter, destination);
    else this.#place(destination.node, share.filter, share.weight);
  }

  *#removeAll(destination: Destination | undefined): Generator<void, void, undefined> {
    if (destination === undefined) return;
    for (const filter of destination.filters) {
      this.#remove(destination, filter);
      yield;
    }
  }

  #remove(destination: Destination, filter: string): void {
    if (!destination.filters.delete(filter)) return;
    const share = parseShareRoute(filter);
    if (share === undefined) this.#trie.remove(filter, destination);
    else this.#unplace(destination.node, share.filter, share.weight);
  }

  /** A node's new weight replaces its old one, which is removed afterwards. */
  #place(node: NodeRef, filter: string, weight: number): void {
    const group = this.#groups.get(filter) ?? this.#openGroup(filter);
    if (group === undefined) return;
    const others = group.places.filter((place) => place.node !== node);
    group.places = [...others, { node, weight }].toSorted(byNode);
  }

  #unplace(node: NodeRef, filter: string, weight: number): void {
    const group = this.#groups.get(filter);
    if (group === undefined) return;
    group.places = group.places.filter((place) => place.node !== node || place.weight !== weight);
    if (group.places.length > 0) return;
    this.#groups.delete(filter);
    this.#shared.remove(group.matched, group);
  }

  #openGroup(filter: string): Group | undefined {
    const parts = parseShare(filter);
    if (parts === undefined) return undefined;
    const group: Group = { filter, matched: parts.filter, places: [] };
    this.#groups.set(filter, group);
    this.#shared.add(parts.filter, group);
    return group;
  }
}

function byNode(a: SharePlace, b: SharePlace): number {
  return nodeKey(a.node) < nodeKey(b.node) ? -1 : 1;
}
