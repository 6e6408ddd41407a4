import { isNode, nodesOf, type ExpressionNode } from './expression-node.ts';
import { ExpressionError } from './faults.ts';
import { isFunctionName } from './functions.ts';
import { linear } from './linear-reg-exp.ts';
import { FIELD_NAMES } from './message-document.ts';

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
export function checkExpression(field: string, ast: ExpressionNode): ExpressionTraits {
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
  for (const node of nodes) checkNode(field, node, bound);
  checkFields(field, ast);
  return { changesInput: nodes.some((node) => 'group' in node || isObjectConstructor(node)) };
}

function checkNode(field: string, node: ExpressionNode, bound: ReadonlySet<string>): void {
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
  if (FIELD_NAMES.includes(name)) fail(`fields have no $: write ${name}`);
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
function checkFields(field: string, node: unknown): void {
  if (!isNode(node)) return;
  if (node.type === 'path') {
    const [first, second] = Array.isArray(node['steps']) ? node['steps'].filter(isNode) : [];
    if (first?.type !== 'name' && !isRoot(first)) return checkFields(field, first);
    const start = first.type === 'name' ? first : second;
    if (start?.type !== 'name' || FIELD_NAMES.includes(String(start.value))) return;
    throw new ExpressionError(
      field,
      `messages have no ${String(start.value)}; write payload.${String(start.value)}, or one of ${FIELD_NAMES.join(', ')}`,
      start.position,
    );
  }
  for (const member of ['lhs', 'rhs', 'expression', 'condition', 'then', 'else', 'body']) {
    checkFields(field, node[member]);
  }
  for (const member of ['lhs', 'expressions', 'arguments']) {
    const list = node[member];
    if (Array.isArray(list)) for (const item of list.flat()) checkFields(field, item);
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
