import { isNode, nodesOf, type ExpressionNode } from './expression-node.ts';
import { ExpressionError } from './faults.ts';
import { isFunctionName } from './functions.ts';
import { linear } from './linear-reg-exp.ts';
import type { DocumentKind } from './expression-document.ts';

/** What is known of an expression before it is evaluated. */
export interface ExpressionTraits {
  /** Whether an evaluation may change the arrays that it reads: constructors of objects do with empty ones. */
  readonly changesInput: boolean;
}

/**
 * Finds what would only go wrong, or silently give nothing, once messages come.
 *
 * @throws ExpressionError that names the position and what to write instead.
 */
export function checkExpression(
  ast: ExpressionNode,
  field: string,
  kind: DocumentKind,
): ExpressionTraits {
  const place = { field, kind };
  const nodes = [...nodesOf(ast)];
  const bound = new Set<string>();
  for (const node of nodes) {
    for (const name of namesBoundBy(node)) {
      // The evaluator looks its hooks up among the variables.
      if (name.startsWith('__')) {
        throw new ExpressionError(
          field,
          `rename $${name}: names may not begin with __`,
          node.position,
        );
      }
      bound.add(name);
    }
  }
  for (const node of nodes) checkNode(place, node, bound);
  checkFields(place, ast);
  return { changesInput: nodes.some((node) => 'group' in node || isObjectConstructor(node)) };
}

/** Where an expression stands, and what it is to read. */
interface Place {
  readonly field: string;
  readonly kind: DocumentKind;
}

function checkNode({ field, kind }: Place, node: ExpressionNode, bound: ReadonlySet<string>): void {
  const fail = (problem: string): never => {
    throw new ExpressionError(field, problem, node.position);
  };
  if (node.type === 'transform') fail('instead of | | | build the object with { } or $merge');
  if (node.type === 'partial') fail('instead of ? write function($x){ }');
  if (node.type === 'regex') checkPattern(field, node);
  if (node.type === 'function') {
    const name = nameOf(node['procedure']);
    if (name !== undefined && isFunctionName(name)) fail(`functions begin with $: write $${name}(`);
  }
  if (node.type !== 'variable' || typeof node.value !== 'string') return;
  const name = node.value;
  if (name === '' || name === '$' || bound.has(name) || isFunctionName(name)) return;
  if (kind.fields.includes(name)) fail(`fields have no $: write ${name}`);
  fail(`there is no function or variable $${name} here`);
}

function checkPattern(field: string, node: ExpressionNode): void {
  if (!(node.value instanceof RegExp)) return;
  try {
    linear(node.value);
  } catch {
    throw new ExpressionError(
      field,
      'the regular expression may not look ahead or behind, refer back, or repeat more than 1,000 times',
      node.position,
    );
  }
}

/** Checks the first names of paths that begin at the message: others depend on what the path has led to. */
function checkFields(place: Place, node: unknown): void {
  if (!isNode(node)) return;
  const { field, kind } = place;
  if (node.type === 'path') {
    const [first, second] = Array.isArray(node['steps']) ? node['steps'].filter(isNode) : [];
    if (first?.type !== 'name' && !isRoot(first)) return checkFields(place, first);
    const start = first.type === 'name' ? first : second;
    if (start?.type !== 'name' || kind.fields.includes(String(start.value))) return;
    throw new ExpressionError(
      field,
      `${kind.plural} have no ${String(start.value)}; write ${kind.insteadOf(String(start.value))}, or one of ${kind.fields.join(', ')}`,
      start.position,
    );
  }
  for (const member of ['lhs', 'rhs', 'expression', 'condition', 'then', 'else', 'body']) {
    checkFields(place, node[member]);
  }
  for (const member of ['lhs', 'expressions', 'arguments']) {
    const list = node[member];
    if (Array.isArray(list)) for (const item of list.flat()) checkFields(place, item);
  }
}

function namesBoundBy(node: ExpressionNode): readonly string[] {
  const names: string[] = [];
  if (node.type === 'bind' && isNode(node['lhs'])) names.push(String(node['lhs'].value));
  if (node.type === 'lambda' && Array.isArray(node['arguments'])) {
    for (const argument of node['arguments']) {
      if (isNode(argument)) names.push(String(argument.value));
    }
  }
  for (const name of [node['focus'], node['index']]) {
    if (typeof name === 'string') names.push(name);
  }
  return names;
}

const isRoot = (node: ExpressionNode | undefined): node is ExpressionNode =>
  node?.type === 'variable' && node.value === '$';

const isObjectConstructor = (node: ExpressionNode): boolean =>
  node.type === 'unary' && node.value === '{';

/** The name that is called where the `$` was forgotten. */
function nameOf(procedure: unknown): string | undefined {
  if (!isNode(procedure) || procedure.type !== 'path' || !Array.isArray(procedure['steps'])) {
    return undefined;
  }
  const [step]: readonly unknown[] = procedure['steps'];
  return isNode(step) && typeof step.value === 'string' ? step.value : undefined;
}
