import { LevelNode } from './level-node.ts';

class TopicNode extends LevelNode<TopicNode> {
  /** The whole name, when a topic ends with this level. */
  topic: string | undefined;
}

/** Nodes still to be seen, and the filter level that stands for them; undefined below a `#`. */
interface Frame {
  readonly nodes: Iterator<TopicNode>;
  readonly depth: number | undefined;
  /** True for the first level, where wildcards leave `$` topics out [MQTT-4.7.2-1]. */
  readonly skipDollar: boolean;
}

/** Which topics to list. */
export interface TopicQuery {
  /** A valid filter. */
  readonly filter: string;
  /** Continue after this topic; undefined from the first. */
  readonly after: string | undefined;
  readonly limit: number;
}

/**
 * A set of topic names, which finds the topics that a filter matches: the look-up of retained messages.
 *
 * @remarks Topics and filters must be valid (topicNameFault, filterFault). A filter walks only the branches it matches.
 * Nothing is recursive, so the number of levels is bounded only by the caller.
 */
export class TopicSet {
  readonly #root = new TopicNode('');
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns false when the topic was there already. */
  add(topic: string): boolean {
    let node = this.#root;
    for (const level of topic.split('/')) {
      let child = node.child(level);
      if (child === undefined) {
        child = new TopicNode(level);
        node.addChild(child);
      }
      node = child;
    }
    if (node.topic !== undefined) return false;
    node.topic = topic;
    this.#size += 1;
    return true;
  }

  /** @returns false when the topic was not there. */
  delete(topic: string): boolean {
    const path = [this.#root];
    let node: TopicNode | undefined = this.#root;
    for (const level of topic.split('/')) {
      node = node.child(level);
      if (node === undefined) return false;
      path.push(node);
    }
    if (node.topic === undefined) return false;
    node.topic = undefined;
    this.#size -= 1;
    prune(path);
    return true;
  }

  /** Whether the topic itself is in the set; `+` and `#` have no meaning here. */
  has(topic: string): boolean {
    let node: TopicNode | undefined = this.#root;
    for (const level of topic.split('/')) {
      node = node.child(level);
      if (node === undefined) return false;
    }
    return node.topic !== undefined;
  }

  /** The first levels that begin with `$`: what is below them is matched by no filter that begins with a wildcard [MQTT-4.7.2-1]. */
  dollarLevels(): string[] {
    const levels: string[] = [];
    const children = this.#root.children();
    for (let child = children.next(); child.done !== true; child = children.next()) {
      if (child.value.level.startsWith('$')) levels.push(child.value.level);
    }
    return levels;
  }

  /** At most `limit` topics that a filter matches, in no particular order; stops walking at the limit. */
  match(filter: string, limit: number): string[] {
    const found: string[] = [];
    if (limit <= 0) return found;
    for (const topic of this.#walk(filter)) {
      if (found.push(topic) >= limit) break;
    }
    return found;
  }

  /**
   * The first `limit` topics after a given one that a filter matches, in the order of their UTF-16 code units.
   *
   * @remarks Walks all that the filter matches, but never holds or sorts more than twice the limit.
   */
  list(query: TopicQuery): string[] {
    const { filter, after, limit } = query;
    if (limit <= 0) return [];
    let found: string[] = [];
    let last: string | undefined;
    for (const topic of this.#walk(filter)) {
      if (after !== undefined && topic <= after) continue;
      if (last !== undefined && topic >= last) continue;
      if (found.push(topic) < limit * 2) continue;
      found = found.sort().slice(0, limit);
      last = found[limit - 1];
    }
    return found.sort().slice(0, limit);
  }

  *#walk(filter: string): Generator<string, void, undefined> {
    const levels = filter.split('/');
    const open: Frame[] = [{ nodes: [this.#root].values(), depth: 0, skipDollar: false }];
    for (let frame = open.at(-1); frame !== undefined; frame = open.at(-1)) {
      const { value: node, done } = frame.nodes.next();
      if (done === true) {
        open.pop();
        continue;
      }
      if (frame.skipDollar && node.level.startsWith('$')) continue;
      const level = frame.depth === undefined ? '#' : levels[frame.depth];
      if ((level === undefined || level === '#') && node.topic !== undefined) yield node.topic;
      const next = framesBelow(node, level, frame.depth);
      if (next !== undefined) open.push(next);
    }
  }
}

/** What of a node's children is to be seen when `level` is the filter's next level. */
function framesBelow(
  node: TopicNode,
  level: string | undefined,
  depth: number | undefined,
): Frame | undefined {
  const skipDollar = depth === 0;
  if (level === undefined) return undefined;
  if (level === '#') return { nodes: node.children(), depth: undefined, skipDollar };
  const nextDepth = (depth ?? 0) + 1;
  if (level === '+') return { nodes: node.children(), depth: nextDepth, skipDollar };
  const child = node.child(level);
  if (child === undefined) return undefined;
  return { nodes: [child].values(), depth: nextDepth, skipDollar: false };
}

/** Removes the nodes at the end of a path that hold nothing any more. */
function prune(path: readonly TopicNode[]): void {
  for (let depth = path.length - 1; depth > 0; depth -= 1) {
    const node = path[depth];
    if (node === undefined || node.topic !== undefined || node.hasChildren) return;
    path[depth - 1]?.removeChild(node.level);
  }
}
