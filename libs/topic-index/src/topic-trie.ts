import { LevelNode } from './level-node.ts';
import { isWildcard } from './topic-syntax.ts';
import { appendBag, bagWith, takeFromBag, type ValueBag } from './value-bag.ts';
import { WideMap } from './wide-map.ts';

/** A level of the filters that one look-up cannot find. `+` and `#` have fields of their own: no look-up is needed to find them. */
class FilterNode<Value> extends LevelNode<FilterNode<Value>> {
  /** The node of the level `+` below this one. */
  plus: FilterNode<Value> | undefined;
  /** Values of the filter that ends with this level. */
  ending: ValueBag<Value> | undefined;
  /** Values of the filter that goes on with `/#` and ends. */
  below: ValueBag<Value> | undefined;

  get isEmpty(): boolean {
    return (
      this.ending === undefined &&
      this.below === undefined &&
      this.plus === undefined &&
      !this.hasChildren
    );
  }
}

/** Where the values of a filter with wildcards are. */
interface Place<Value> {
  /** From the root to the node that holds the values. */
  readonly path: readonly FilterNode<Value>[];
  readonly node: FilterNode<Value>;
  readonly field: 'ending' | 'below';
}

/**
 * A map from topic filters to sets of values, which finds the values of all filters that match a topic.
 *
 * @remarks Filters must be valid and without `$share` prefix (filterFault, parseShare). Values are compared by identity;
 * for several values of one subscriber use one object per subscription. The cost of match() is that of the
 * matching branches, not of the number of filters: those without wildcards are found by one look-up, and those whose only
 * wildcard is a `#` behind a level by one look-up for each of their depths. Nothing is recursive, so the number of levels is bounded only by the caller.
 *
 * @example
 * ```ts
 * const routes = new TopicTrie<string>();
 * routes.add('devices/+/telemetry', 'node-1');
 * const nodes: string[] = [];
 * routes.match('devices/7/telemetry', nodes); // nodes: ['node-1']
 * ```
 */
export class TopicTrie<Value> {
  /** Filters without wildcards. */
  readonly #exact = new WideMap<ValueBag<Value>>();
  /** Filters that end with `/#`, the only wildcard in them, without this end. */
  readonly #branches = new WideMap<ValueBag<Value>>();
  /** How many of the branches have each number of slashes. */
  readonly #branchesAt: number[] = [];
  /** All other filters. */
  readonly #root = new FilterNode<Value>('');
  #inTree = 0;
  #version = 0;
  /** Kept between calls to spare two allocations; empty outside match(). */
  readonly #nodes: FilterNode<Value>[] = [];
  readonly #depths: number[] = [];

  /** How many filters have a value. */
  get size(): number {
    return this.#exact.size + this.#branches.size + this.#inTree;
  }

  /** Grows with every change: what was matched at the same version is still right. */
  get version(): number {
    return this.#version;
  }

  /**
   * Adds a value to a filter; adding it again changes nothing.
   *
   * @returns true when it is the first value of this filter.
   */
  add(filter: string, value: Value): boolean {
    if (!isWildcard(filter)) return this.#addTo(this.#exact, filter, value);
    if (isBranch(filter)) {
      const branch = branchOf(filter);
      const isFirst = this.#addTo(this.#branches, branch, value);
      if (isFirst) this.#countBranch(branch, 1);
      return isFirst;
    }
    const { node, field } = this.#openPlace(filter);
    const before = node[field];
    const after = bagWith(before, value);
    if (after === undefined) return false;
    node[field] = after;
    this.#version += 1;
    if (before !== undefined) return false;
    this.#inTree += 1;
    return true;
  }

  /**
   * Takes a value from a filter; nothing changes when it is not there.
   *
   * @returns true when no value of this filter is left.
   */
  remove(filter: string, value: Value): boolean {
    if (!isWildcard(filter)) return this.#removeFrom(this.#exact, filter, value);
    if (isBranch(filter)) {
      const branch = branchOf(filter);
      const wasLast = this.#removeFrom(this.#branches, branch, value);
      if (wasLast) this.#countBranch(branch, -1);
      return wasLast;
    }
    const place = this.#findPlace(filter);
    const bag = place?.node[place.field];
    if (place === undefined || bag === undefined || !this.#takeFrom(bag, value)) return false;
    place.node[place.field] = undefined;
    this.#inTree -= 1;
    prune(place.path);
    return true;
  }

  /** Whether a filter has a value. */
  has(filter: string): boolean {
    if (!isWildcard(filter)) return this.#exact.has(filter);
    if (isBranch(filter)) return this.#branches.has(branchOf(filter));
    const place = this.#findPlace(filter);
    return place?.node[place.field] !== undefined;
  }

  /**
   * Appends the values of every filter that matches a topic name to the list given.
   *
   * @remarks A value that was added to several matching filters comes once for each. Filters that begin with a wildcard
   * do not match topics that begin with `$` [MQTT-4.7.2-1].
   */
  match(topic: string, into: Value[]): void {
    const exact = this.#exact.get(topic);
    if (exact !== undefined) appendBag(exact, into);
    if (this.#branches.size > 0) this.#matchBranches(topic, into);
    if (this.#inTree > 0) this.#matchTree(topic, into);
  }

  /** Every filter that has a value, in no particular order; the trie must not change meanwhile. */
  *filters(): Generator<string, void, undefined> {
    yield* this.#exact.keys();
    for (const branch of this.#branches.keys()) yield `${branch}/#`;
    yield* this.#filtersInTree();
  }

  /** Looks for the branch of each level of the topic, the last one included, at those depths that there are branches of. */
  #matchBranches(topic: string, into: Value[]): void {
    let slashes = 0;
    for (let end = topic.indexOf('/'); ; end = topic.indexOf('/', end + 1)) {
      if ((this.#branchesAt[slashes] ?? 0) > 0) {
        const bag = this.#branches.get(end === -1 ? topic : topic.slice(0, end));
        if (bag !== undefined) appendBag(bag, into);
      }
      if (end === -1) return;
      slashes += 1;
    }
  }

  #matchTree(topic: string, into: Value[]): void {
    const levels = topic.split('/');
    const nodes = this.#nodes;
    const depths = this.#depths;
    const root = this.#root;
    if (topic.startsWith('$')) {
      this.#visitLater(root.child(levels[0] ?? ''), 1);
    } else {
      this.#visitLater(root, 0);
    }
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      const depth = depths.pop() ?? 0;
      if (node.below !== undefined) appendBag(node.below, into);
      const level = levels[depth];
      if (level === undefined) {
        if (node.ending !== undefined) appendBag(node.ending, into);
        continue;
      }
      this.#visitLater(node.plus, depth + 1);
      this.#visitLater(node.child(level), depth + 1);
    }
  }

  *#filtersInTree(): Generator<string, void, undefined> {
    const open: { node: FilterNode<Value>; prefix: string }[] = [{ node: this.#root, prefix: '' }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { node, prefix } = next;
      if (node.below !== undefined) yield `${prefix}#`;
      if (node.ending !== undefined) yield prefix.slice(0, -1);
      if (node.plus !== undefined) open.push({ node: node.plus, prefix: `${prefix}+/` });
      const children = node.children();
      for (let child = children.next(); child.done !== true; child = children.next()) {
        open.push({ node: child.value, prefix: `${prefix}${child.value.level}/` });
      }
    }
  }

  #visitLater(node: FilterNode<Value> | undefined, depth: number): void {
    if (node === undefined) return;
    this.#nodes.push(node);
    this.#depths.push(depth);
  }

  #addTo(map: WideMap<ValueBag<Value>>, key: string, value: Value): boolean {
    const before = map.get(key);
    const after = bagWith(before, value);
    if (after === undefined) return false;
    if (after !== before) map.set(key, after);
    this.#version += 1;
    return before === undefined;
  }

  #removeFrom(map: WideMap<ValueBag<Value>>, key: string, value: Value): boolean {
    const bag = map.get(key);
    if (bag === undefined || !this.#takeFrom(bag, value)) return false;
    return map.delete(key);
  }

  /** Takes the value out; true when the bag is empty now. */
  #takeFrom(bag: ValueBag<Value>, value: Value): boolean {
    const outcome = takeFromBag(bag, value);
    if (outcome !== 'absent') this.#version += 1;
    return outcome === 'emptied';
  }

  #countBranch(branch: string, change: 1 | -1): void {
    const slashes = branch.split('/').length - 1;
    this.#branchesAt[slashes] = (this.#branchesAt[slashes] ?? 0) + change;
  }

  /** Finds the place of a filter and makes the nodes that are missing. */
  #openPlace(filter: string): Pick<Place<Value>, 'node' | 'field'> {
    let node = this.#root;
    for (const level of filter.split('/')) {
      if (level === '#') return { node, field: 'below' };
      node = childOf(node, level) ?? addLevel(node, level);
    }
    return { node, field: 'ending' };
  }

  #findPlace(filter: string): Place<Value> | undefined {
    let node = this.#root;
    const path = [node];
    for (const level of filter.split('/')) {
      if (level === '#') return { path, node, field: 'below' };
      const child = childOf(node, level);
      if (child === undefined) return undefined;
      node = child;
      path.push(node);
    }
    return { path, node, field: 'ending' };
  }
}

/** Whether a filter is some levels without wildcards and `/#` behind them: it matches what begins with them. */
function isBranch(filter: string): boolean {
  return filter.endsWith('/#') && !filter.includes('+');
}

function branchOf(filter: string): string {
  return filter.slice(0, -2);
}

function childOf<Value>(node: FilterNode<Value>, level: string): FilterNode<Value> | undefined {
  return level === '+' ? node.plus : node.child(level);
}

function addLevel<Value>(parent: FilterNode<Value>, level: string): FilterNode<Value> {
  const node = new FilterNode<Value>(level);
  if (level === '+') parent.plus = node;
  else parent.addChild(node);
  return node;
}

/** Removes the nodes at the end of a path that hold nothing any more. */
function prune<Value>(path: readonly FilterNode<Value>[]): void {
  for (let depth = path.length - 1; depth > 0; depth -= 1) {
    const node = path[depth];
    const parent = path[depth - 1];
    if (node === undefined || parent === undefined || !node.isEmpty) return;
    if (node.level === '+') parent.plus = undefined;
    else parent.removeChild(node.level);
  }
}
