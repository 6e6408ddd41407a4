/**
 * A node of a tree of topic levels.
 *
 * @remarks Most nodes of a large tree have no child or one, so a Map is made only for the second child: it would cost more
 * than all the rest of the node.
 *
 * @internal
 */
export abstract class LevelNode<Node extends LevelNode<Node>> {
  readonly level: string;
  #children: Node | Map<string, Node> | undefined;

  constructor(level: string) {
    this.level = level;
  }

  child(level: string): Node | undefined {
    const children = this.#children;
    if (children === undefined) return undefined;
    if (children instanceof Map) return children.get(level);
    return children.level === level ? children : undefined;
  }

  addChild(node: Node): void {
    const children = this.#children;
    if (children === undefined) this.#children = node;
    else if (children instanceof Map) children.set(node.level, node);
    else {
      this.#children = new Map([
        [children.level, children],
        [node.level, node],
      ]);
    }
  }

  removeChild(level: string): void {
    const children = this.#children;
    if (!(children instanceof Map)) {
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
    return children instanceof Map ? children.values() : [children][Symbol.iterator]();
  }
}
