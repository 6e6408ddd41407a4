/** Values as JSON has them. */
export type Row = Readonly<Record<string, unknown>>;

const SEPARATOR = '  ';
const CELL_CHARACTERS_MAX = 80;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A text without characters that a terminal would obey: ids and topics come from devices. */
export function printable(text: string): string {
  return text.replaceAll(
    // oxlint-disable-next-line no-control-regex -- exactly these are meant
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

/** A number of bytes as people read it. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A value as people read it. */
export function valueText(name: string, value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return name.endsWith('_bytes') ? bytesText(value) : String(value);
  if (typeof value === 'string') return printable(value);
  const isFlat = Array.isArray(value) && value.every((each) => typeof each !== 'object');
  return printable(isFlat ? value.join(', ') : JSON.stringify(value));
}

/** The columns of rows that nobody has chosen columns for: what is no object, the first eight of them. */
export function columnsOf(rows: readonly Row[]): readonly string[] {
  const [first = {}] = rows;
  return Object.keys(first)
    .filter((name) => rows.every((row) => typeof row[name] !== 'object' || row[name] === null))
    .slice(0, 8);
}

/** Rows under a line of heads, in columns. */
export function table(rows: readonly Row[], columns: readonly string[]): string {
  const heads = columns.map((name) => name.replaceAll('_', ' ').toUpperCase());
  const cells = rows.map((row) => columns.map((name) => clipped(valueText(name, row[name]))));
  const widths = heads.map((head, index) =>
    Math.max(width(head), ...cells.map((line) => width(line[index] ?? ''))),
  );
  return [heads, ...cells]
    .map((line) =>
      line
        .map((cell, index) => cell + ' '.repeat((widths[index] ?? 0) - width(cell)))
        .join(SEPARATOR)
        .trimEnd(),
    )
    .join('\n');
}

/** One thing: a line for each field, objects indented below theirs. */
export function details(value: Row, indent = ''): string {
  const names = Object.keys(value);
  const longest = Math.max(0, ...names.map((name) => name.length));
  return names
    .map((name) => {
      const field = value[name];
      const head = `${indent}${name.replaceAll('_', ' ').padEnd(longest)}`;
      if (isRow(field) && Object.keys(field).length > 0) {
        return `${head.trimEnd()}\n${details(field, `${indent}  `)}`;
      }
      if (Array.isArray(field) && field.length > 0 && field.every(isRow)) {
        const items = field.map((each) =>
          details(each, `${indent}    `).replace(/^ {2}( *) {2}/, '  $1- '),
        );
        return `${head.trimEnd()}\n${items.join('\n')}`;
      }
      return `${head}  ${valueText(name, field)}`;
    })
    .join('\n');
}

/** Whether a value is an object of JSON. */
export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function clipped(text: string): string {
  return text.length > CELL_CHARACTERS_MAX ? `${text.slice(0, CELL_CHARACTERS_MAX - 1)}…` : text;
}

/** Columns that a text takes: wide characters take two. */
function width(text: string): number {
  let columns = 0;
  for (const character of text) {
    columns +=
      /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return columns;
}
