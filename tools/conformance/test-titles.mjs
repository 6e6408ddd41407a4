// Finds the titles of tests without running them.
import ts from 'typescript';

const BLOCKS = new Set(['describe', 'it', 'test']);
/** Modifiers that make a block run. One with `skip` or `todo` proves nothing. */
const RUNNING = new Set(['each', 'failing', 'concurrent', 'only']);

/**
 * The tests of a file.
 *
 * @returns for each test the titles from the outermost block to its own, as `path`; and the same for each text of its
 * table, which is the `cell`.
 */
export function testTitles(fileName, text) {
  const source = ts.createSourceFile(fileName, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const visit = (node, outer) => {
    const block = ts.isCallExpression(node) ? blockOf(node) : undefined;
    if (block === undefined) return ts.forEachChild(node, (child) => visit(child, outer));
    if (!block.runs) return;
    const path = [...outer, block.title];
    if (block.name !== 'describe') {
      found.push({ path });
      for (const cell of textsIn(block.table, source)) {
        found.push({ path: [...outer, filled(block.title, cell)], cell });
      }
      return;
    }
    for (const argument of node.arguments) visit(argument, path);
  };
  visit(source, []);
  return found;
}

/** What a call is if it is a block of tests: `it('...')`, `describe.each(table)('...')`. */
function blockOf(call) {
  const modifiers = [];
  let callee = call.expression;
  let table;
  if (ts.isCallExpression(callee)) {
    table = callee.arguments[0];
    callee = callee.expression;
  }
  for (; ts.isPropertyAccessExpression(callee); callee = callee.expression) {
    modifiers.push(callee.name.text);
  }
  if (!ts.isIdentifier(callee) || !BLOCKS.has(callee.text)) return undefined;
  const title = textOf(call.arguments[0]);
  if (title === undefined) return undefined;
  return { name: callee.text, title, table, runs: modifiers.every((name) => RUNNING.has(name)) };
}

/** A literal, with an ellipsis for what is only known when it runs. */
function textOf(node) {
  if (node === undefined) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return [node.head, ...node.templateSpans.map(({ literal }) => literal)]
    .map(({ text }) => text)
    .join('…');
}

/** The texts in a table, which may stand somewhere else in the file under a name. */
function textsIn(table, source) {
  if (table === undefined) return [];
  const texts = [];
  const visit = (node) => {
    const text = textOf(node);
    if (text !== undefined) texts.push(text);
    else ts.forEachChild(node, visit);
  };
  visit(ts.isIdentifier(table) ? (constantOf(table.text, source) ?? table) : table);
  return texts;
}

function constantOf(name, source) {
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name: declared, initializer } of statement.declarationList.declarations) {
      if (ts.isIdentifier(declared) && declared.text === name) return initializer;
    }
  }
  return undefined;
}

const HOLES = /%[sjpdif]|\$[\w.]+/g;

/** The title that a test of a table has in a report, if there is one hole for the text; else the text comes after it. */
function filled(title, text) {
  return title.match(HOLES)?.length === 1
    ? title.replace(HOLES, () => text)
    : `${title} (${text.trim()})`;
}
