import { WideMap } from './wide-map.ts';

/** From so many children on a Map would stop everything when it grows. */
const WIDE = 8_192;

/**
 * A node of a tree of topic levels.
 *
 * @remarks Most nodes of a large tree have no child or one, so a Map is made only for the second child: it would cost more
 * than all the rest of the node. Very many children are in a WideMap.
 *
 * @internal
 */
export abstract class LevelNode<Node extends LevelNode<Node>> {
  readonly level: string;
  #children: Node | Map<string, Node> | WideMap<Node> | undefined;

  constructor(level: string) {
    this.level = level;
  }

  child(level: string): Node | undefined {
    const children = this.#children;
    if (children === undefined) return undefined;
    if (!(children instanceof LevelNode)) return children.get(level);
    return children.level === level ? children : undefined;
  }

  addChild(node: Node): void {
    const children = this.#children;
    if (children === undefined) this.#children = node;
    else if (children instanceof LevelNode) {
      this.#children = new Map([
        [children.level, children],
        [node.level, node],
      ]);
    } else {
      children.set(node.level, node);
      if (children.size > WIDE && children instanceof Map) this.#children = widened(children);
    }
  }

  removeChild(level: string): void {
    const children = this.#children;
    if (children === undefined || children instanceof LevelNode) {
      this.#children = undefined;
      return;
    }
    children.delete(level);
    if (children.size > 1) return;
    for (const last of children.values()) this.#children = last;
  }

  get hasChildren(): boolean {
    return this.#children !== undefined;
  }

  /** The children, lazily: a caller may stop before the last of a million. */
  children(): Iterator<Node> {
    const children = this.#children;
    if (children === undefined) return [][Symbol.iterator]();
    return children instanceof LevelNode ? [children].values() : children.values();
  }
}

function widened<Node>(children: Map<string, Node>): WideMap<Node> {
  const wide = new WideMap<Node>();
  for (const [level, node] of children) wide.set(level, node);
  return wide;
}
