// What values.yaml of the chart says of itself: the schema of the values and the table of the README, both made from its comments.
import { parseDocument, isMap, isScalar } from 'yaml';
import { definitions } from './value-definitions.mjs';

const NOTE = ' -- ';
const SCHEMA = ' @schema ';

/** The lines of a comment block that belong to a value: from the last line that begins with `--` on. */
function commentOf(text) {
  const lines = (text ?? '').split('\n');
  const note = lines.findLastIndex((line) => line.startsWith(NOTE));
  const schema = lines.findLast((line) => line.startsWith(SCHEMA));
  return {
    note: note === -1 ? undefined : lines[note].slice(NOTE.length).trim(),
    schema: schema === undefined ? {} : JSON.parse(schema.slice(SCHEMA.length)),
  };
}

/** Whether what is below a map is values of its own, or its whole is one value that users replace. */
const isOpen = ({ schema, note }) =>
  schema.additionalProperties !== undefined || note !== undefined;

/** Every value, as `{path, note, schema, value, inner}`; of one that is a section, `inner` has what is in it. */
export function readValues(text) {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw document.errors[0];
  return entriesOf(document.contents, []);
}

function entriesOf(map, path) {
  return map.items.map(({ key, value }, index) => {
    const comment = commentOf(key.commentBefore ?? (index === 0 ? map.commentBefore : undefined));
    const here = [...path, key.value];
    const plain = isScalar(value) ? value.value : value.toJSON();
    const isSection = isMap(value) && value.items.length > 0 && !isOpen(comment);
    const inner = isSection ? entriesOf(value, here) : undefined;
    return { path: here, ...comment, value: plain, inner };
  });
}

const typeOf = (value) => {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  if (Number.isInteger(value)) return 'integer';
  return typeof value;
};

function schemaOf(entry) {
  if (entry.inner !== undefined) return sectionOf(entry.inner);
  if (entry.note === undefined) throw new Error(`${entry.path.join('.')} has no description`);
  const guess = entry.schema.enum === undefined ? { type: typeOf(entry.value) } : {};
  return { description: entry.note, ...guess, ...entry.schema };
}

const sectionOf = (entries) => ({
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(entries.map((entry) => [entry.path.at(-1), schemaOf(entry)])),
});

/** values.schema.json. */
export function valuesSchema(text) {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of Skein',
    ...sectionOf(readValues(text)),
    definitions,
  };
}

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** The tables of the README, one for each section at the top. */
export function valuesTables(text) {
  const rows = (entries) =>
    entries.flatMap((entry) =>
      entry.inner === undefined
        ? [
            `| \`${entry.path.join('.')}\` | \`${cell(JSON.stringify(entry.value))}\` | ${cell(entry.note)} |`,
          ]
        : rows(entry.inner),
    );
  const table = (entries) => [
    '| value | default | meaning |',
    '| --- | --- | --- |',
    ...rows(entries),
  ];
  const entries = readValues(text);
  const alone = entries.filter(({ inner }) => inner === undefined);
  const sections = entries.filter(({ inner }) => inner !== undefined);
  return [
    ...table(alone),
    ...sections.flatMap((entry) => ['', `### ${entry.path[0]}`, '', ...table([entry])]),
    '',
    ...definitionTables(),
  ].join('\n');
}

function definitionTables() {
  return Object.values(definitions).flatMap(({ title, properties }) => [
    `### ${title}`,
    '',
    '| key | meaning |',
    '| --- | --- |',
    ...Object.entries(properties).map(
      ([name, { description }]) => `| \`${name}\` | ${cell(description)} |`,
    ),
    '',
  ]);
}
