/** A node of a parsed expression. Its other members depend on the type, and children may sit in any of them. */
export interface ExpressionNode {
  readonly type: string;
  readonly value?: unknown;
  readonly position?: number;
  readonly [member: string]: unknown;
}

/** Whether a member of a node is a node itself. */
export function isNode(value: unknown): value is ExpressionNode {
  return (
    typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
  );
}

/** All nodes, found wherever they sit: nodes may be shared. */
export function* nodesOf(ast: ExpressionNode): Generator<ExpressionNode> {
  const seen = new Set<object>();
  const waiting: unknown[] = [ast];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (isNode(next)) yield next;
    if (!(next instanceof RegExp)) waiting.push(...Object.values(next));
  }
}
