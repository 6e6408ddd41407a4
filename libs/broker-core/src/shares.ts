import type { Message, NodeRef, RouteChange } from '#libs/broker-ports';
import {
  nodeKey,
  parseShareRoute,
  shareRoute,
  shareWeight,
  type SharePlace,
  type SharePlaces,
} from '#libs/cluster';
import { TopicTrie, parseShare } from '#libs/topic-index';
import type { Receiver } from './receiver.ts';
import { ShareGroup, hashOf, type ShareStrategy } from './share-group.ts';
import type { Subscription } from './subscription.ts';

/** A shared subscription as this node sees it: its own members, and the nodes that have others. */
export interface Share {
  readonly filter: string;
  readonly local: ShareGroup | undefined;
  readonly remote: SharePlaces | undefined;
}

/** What a Shares needs. */
export interface SharesOptions {
  readonly strategy: ShareStrategy;
  readonly self: () => NodeRef;
  readonly isAlive: (node: NodeRef) => boolean;
  readonly change: (change: RouteChange) => void;
}

/** The shared subscriptions of this node (MQTT 5, section 4.8.2), and the choice of the node that gets a message. */
export class Shares {
  readonly #options: SharesOptions;
  readonly #groups = new Map<string, ShareGroup>();
  readonly #index = new TopicTrie<ShareGroup>();
  /** The route announced for each group. */
  readonly #routes = new Map<string, string>();
  /** Groups of sessions that are about to come here, with how many there are of each. */
  readonly #expected = new Map<string, number>();
  /** By group: what is to be done when one of them has come, or does not come after all. */
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #turns = new WeakMap<SharePlaces, number>();
  #detours = 0;
  #size = 0;

  constructor(options: SharesOptions) {
    this.#options = options;
  }

  /** Subscriptions. */
  get size(): number {
    return this.#size;
  }

  /** Grows when a group begins or ends. */
  get version(): number {
    return this.#index.version;
  }

  /** Every group of this node, also those that wait for their first member. */
  groups(): Iterable<ShareGroup> {
    return this.#groups.values();
  }

  /** What the groups match topics against. */
  filters(): Generator<string, void, undefined> {
    return this.#index.filters();
  }

  add(subscription: Subscription): void {
    const { filter } = subscription;
    const group = this.#groups.get(filter) ?? this.#open(filter);
    const before = group.size;
    group.add(subscription);
    this.#size += group.size - before;
    this.#announce(filter);
  }

  remove(subscription: Subscription): void {
    const { filter } = subscription;
    const group = this.#groups.get(filter);
    if (group === undefined) return;
    const before = group.size;
    group.remove(subscription);
    this.#size += group.size - before;
    this.#close(group);
    this.#announce(filter);
  }

  /** A member has connected or gone away. */
  refresh(filter: string, receiver: Receiver): void {
    this.#groups.get(filter)?.refresh(receiver);
    this.#announce(filter);
  }

  /** Announces a group before its member is here, and matches it; the returned function ends that. */
  expect(filter: string): () => void {
    const group = this.#groups.get(filter) ?? this.#open(filter);
    this.#expected.set(filter, (this.#expected.get(filter) ?? 0) + 1);
    this.#announce(filter);
    return () => {
      const left = (this.#expected.get(filter) ?? 1) - 1;
      if (left > 0) this.#expected.set(filter, left);
      else this.#expected.delete(filter);
      this.#close(group);
      this.#announce(filter);
      const waiting = this.#waiting.get(filter) ?? [];
      this.#waiting.delete(filter);
      for (const run of waiting) run();
    };
  }

  /** Waits for a member that is about to come here, or does not come after all. Returns false when nobody is expected. */
  awaitMember(filter: string, run: () => void): boolean {
    if (!this.#expected.has(filter)) return false;
    const waiting = this.#waiting.get(filter);
    if (waiting === undefined) this.#waiting.set(filter, [run]);
    else waiting.push(run);
    return true;
  }

  get(filter: string): ShareGroup | undefined {
    return this.#groups.get(filter);
  }

  /** Whether a group has this route at this moment: with another weight it is another one. */
  hasRoute(route: string): boolean {
    const filter = parseShareRoute(route)?.filter;
    return filter !== undefined && this.#routes.get(filter) === route;
  }

  /** Appends the groups of this node that want a topic. */
  match(topic: string, into: ShareGroup[]): void {
    if (this.#groups.size > 0) this.#index.match(topic, into);
  }

  /** Chooses the node for a message; undefined for this one. */
  place(message: Message, { local, remote }: Share): NodeRef | undefined {
    if (remote === undefined) return undefined;
    const here = local?.connected ?? 0;
    const { strategy } = this.#options;
    if (strategy === 'local' && here > 0) return undefined;
    const places = this.#candidates(local, remote);
    const total = places.reduce((sum, { weight }) => sum + weight, 0);
    const chosen = placeAt(places, this.#choice(message, remote, total)) ?? places[0];
    return chosen && chosen.node !== SELF ? chosen.node : undefined;
  }

  /** Chooses another node with connected members for a message that those of this node cannot take. */
  placeElsewhere({ remote }: Share): NodeRef | undefined {
    if (remote === undefined) return undefined;
    const { isAlive } = this.#options;
    const places = remote.places.filter(({ node, weight }) => weight > 0 && isAlive(node));
    this.#detours += 1;
    return places[this.#detours % places.length]?.node;
  }

  /** Every node with members, this one among them in the order that all nodes share; those that live and have connected ones, if any do. */
  #candidates(local: ShareGroup | undefined, remote: SharePlaces): readonly SharePlace[] {
    const alive = remote.places.filter(({ node }) => this.#options.isAlive(node));
    const places = alive.length > 0 || local !== undefined ? alive : remote.places;
    if (local === undefined) return places;
    const self = nodeKey(this.#options.self());
    const own = { node: SELF, weight: shareWeight(local.connected) };
    const later = places.findIndex(({ node }) => nodeKey(node) > self);
    return later === -1 ? [...places, own] : places.toSpliced(later, 0, own);
  }

  #choice(message: Message, remote: SharePlaces, total: number): number {
    if (total === 0) return 0;
    switch (this.#options.strategy) {
      case 'hash-client-id':
        return hashOf(message.publisher) % total;
      case 'hash-topic':
        return hashOf(message.topic) % total;
      case 'sticky':
        return hashOf(remote.filter) % total;
      case 'least-inflight':
      case 'round-robin':
      case 'local': {
        const turn = (this.#turns.get(remote) ?? 0) % total;
        this.#turns.set(remote, turn + 1);
        return turn;
      }
    }
  }

  #open(filter: string): ShareGroup {
    const group = new ShareGroup(filter);
    this.#groups.set(filter, group);
    this.#index.add(matchedBy(filter), group);
    return group;
  }

  /** Forgets a group without members, unless one is expected. */
  #close(group: ShareGroup): void {
    const { filter } = group;
    if (group.size > 0 || this.#expected.has(filter)) return;
    if (!this.#groups.delete(filter)) return;
    this.#index.remove(matchedBy(filter), group);
  }

  #announce(filter: string): void {
    const group = this.#groups.get(filter);
    const before = this.#routes.get(filter);
    const after = group && shareRoute(filter, group.connected);
    if (before === after) return;
    if (after === undefined) this.#routes.delete(filter);
    else this.#routes.set(filter, after);
    if (after !== undefined) this.#options.change({ kind: 'add', filter: after });
    if (before !== undefined) this.#options.change({ kind: 'remove', filter: before });
  }
}

/** Stands for this node among the places. */
const SELF: NodeRef = { nodeId: '', incarnation: 0 };

function placeAt(places: readonly SharePlace[], choice: number): SharePlace | undefined {
  let left = choice;
  for (const place of places) {
    if (left < place.weight) return place;
    left -= place.weight;
  }
  return undefined;
}

function matchedBy(filter: string): string {
  return parseShare(filter)?.filter ?? filter;
}
