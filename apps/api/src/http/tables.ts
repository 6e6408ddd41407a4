import { ProblemError } from './problem-error.ts';

/** A line of a table that is none: what is wrong stands in for its values. */
interface FaultyRow {
  readonly line: number;
  readonly fault: string;
}

interface Record {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

/**
 * The lines of a CSV text (RFC 4180) below its header, by the names there; an empty cell is no value.
 *
 * @throws ProblemError when there is no header, or a quotation does not end.
 */
export function parseCsv(text: string): readonly unknown[] {
  const [header, ...records] = recordsOf(text.replace(/^\uFEFF/, ''));
  const names = header?.cells.map((cell) => cell.trim()) ?? [];
  if (names.some((name) => name === '') || new Set(names).size !== names.length) {
    throw unreadable('The first line must name each column, and no two of them alike');
  }
  return records.map(({ line, cells }): object => {
    if (cells.length !== names.length) {
      const fault = `It has ${cells.length} cells, and the header ${names.length}`;
      return { line, fault } satisfies FaultyRow;
    }
    const values = names.map((name, index): [string, unknown] => [name, cells[index]]);
    // `line` is what this reader says.
    return { ...Object.fromEntries(values.filter(([, value]) => value !== '')), line };
  });
}

/** The users of a file as Apache's htpasswd and mosquitto_passwd write it; what follows `#` at the begin of a line is left out. */
export function parseHtpasswd(text: string): readonly unknown[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  return lines.flatMap((content, index): object[] => {
    const line = index + 1;
    if (content.trim() === '' || content.startsWith('#')) return [];
    const colon = content.indexOf(':');
    if (colon < 1) return [{ line, fault: 'It is not NAME:HASH' } satisfies FaultyRow];
    const credential = content.slice(colon + 1).trim();
    return [{ line, name: content.slice(0, colon), credentials: [credential] }];
  });
}

/** A line of a CSV text. */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\r\n`;
}

/** The records of a CSV text; empty lines are none. */
function recordsOf(text: string): readonly Record[] {
  const records: Record[] = [];
  let [line, begun] = [1, 1];
  let cells: string[] = [];
  let at = 0;
  while (at < text.length) {
    const cell = cellAt(text, at, begun);
    cells.push(cell.value);
    line += cell.lines;
    at = cell.end;
    if (text[at] === ',') {
      at += 1;
      // A comma at the very end has one more cell behind it.
      if (at < text.length) continue;
      cells.push('');
    }
    if (text[at] === '\r') at += 1;
    if (text[at] === '\n') at += 1;
    if (cells.length > 1 || cells[0] !== '') records.push({ line: begun, cells });
    cells = [];
    line += 1;
    begun = line;
  }
  return records;
}

interface Cell {
  readonly value: string;
  /** What comes behind it. */
  readonly end: number;
  /** Ends of lines in it. */
  readonly lines: number;
}

/** The cell that begins here. */
function cellAt(text: string, start: number, line: number): Cell {
  if (text[start] !== '"') {
    const rest = /[^,\r\n]*/y;
    rest.lastIndex = start;
    const value = rest.exec(text)?.[0] ?? '';
    return { value, end: start + value.length, lines: 0 };
  }
  let value = '';
  for (let at = start + 1; ;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw unreadable(`The quotation in line ${line} does not end`);
    value += text.slice(at, quote);
    at = quote + 1;
    if (text[at] !== '"') {
      if (at < text.length && !/[,\r\n]/.test(text[at] ?? '')) {
        throw unreadable(`Behind the quotation in line ${line} must be a comma`);
      }
      return { value, end: at, lines: value.split('\n').length - 1 };
    }
    value += '"';
    at += 1;
  }
}

function unreadable(detail: string): ProblemError {
  const errors = [{ pointer: '', code: 'invalid-csv', detail }];
  return new ProblemError('validation-failed', detail, { errors });
}
