import type { Example } from './checker.ts';
import { holds, type RowResult } from './row.ts';

/** A title, and the cell of a result; the first column is aligned to the left. */
export type Column<Result> = readonly [string, (result: Result) => string];

const COLUMNS: readonly Column<RowResult>[] = [
  ['row', ({ row }) => row],
  ['acknowledged', ({ acknowledged }) => count(acknowledged)],
  ['delivered', ({ delivered }) => count(delivered)],
  ['lost', ({ lost }) => count(lost)],
  ['QoS 2 dup', ({ qos2Duplicated }) => count(qos2Duplicated)],
  ['QoS 1 dup', ({ qos1Duplicated }) => count(qos1Duplicated)],
  ['unexplained', ({ qos1Unexplained }) => count(qos1Unexplained)],
  ['reordered', ({ reordered }) => count(reordered)],
  ['refused', ({ refused }) => count(refused)],
  ['first s', ({ firstSeconds }) => firstSeconds.toFixed(1)],
  ['steady s', ({ steadySeconds }) => steadySeconds.toFixed(1)],
  ['holds', (result) => (holds(result) ? 'yes' : 'NO')],
];

const count = (value: number): string => value.toLocaleString('en');

/** The results as a Markdown table. */
export const table = (results: readonly RowResult[]): string => markdown(COLUMNS, results);

/** A Markdown table with a row for each result. */
export function markdown<Result>(
  columns: readonly Column<Result>[],
  results: readonly Result[],
): string {
  const cells = [
    columns.map(([title]) => title),
    ...results.map((result) => columns.map(([, cellOf]) => cellOf(result))),
  ];
  const widths = columns.map((_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const lineOf = (row: readonly string[]): string => {
    const padded = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  const [head = [], ...rows] = cells;
  return [lineOf(head), lineOf(rule), ...rows.map(lineOf)].join('\n');
}

/** A result with what a table has no room for: notes, failures and examples. */
export function linesOf(result: RowResult): readonly string[] {
  const { notes, failures, examples } = result;
  const { faults, unanswered, phantoms, refusedDelivered } = result;
  const { reorderedUnexplained, sessionsLost, leasesLost } = result;
  const figures = {
    ...{ faults, unanswered, phantoms, refusedDelivered },
    ...{ reorderedUnexplained, sessionsLost, leasesLost, ...notes },
  };
  const told = Object.entries(figures).map(([name, value]) => `${name} ${String(value)}`);
  return [
    table([result]).split('\n').at(-1) ?? '',
    `  ${told.join(', ')}`,
    `  connections ended: ${result.ends || 'none'}`,
    ...failures.map((failure) => `  failure: ${failure}`),
    ...examples.map((example) => `  ${describe(example)}`),
  ];
}

function describe({ violation, receiver, publication, arrivals }: Example): string {
  const message =
    publication === undefined
      ? 'a message that was not published'
      : `publisher ${String(publication.publisher)} number ${String(publication.number)} QoS ${String(publication.qos)}, ` +
        `due ${publication.dueAtMs.toFixed(0)}, sent ${String(publication.sends)} times, ` +
        `acknowledged ${publication.acknowledgedAtMs?.toFixed(0) ?? 'never'}`;
  const came = arrivals.map(
    ({ number, atMs, connection, packetId, dup }) =>
      `number ${String(number)} ${atMs.toFixed(0)} on connection ${String(connection)} id ${String(packetId)}${dup ? ' DUP' : ''}`,
  );
  const what = violation === 'lost' ? 'never; around it ' : '';
  return `${violation}: ${message}, at ${receiver}: ${what}${came.join('; ')}`;
}
