import type { OperationId } from '#libs/api-contracts';
import { numberOption } from './arguments.ts';
import { operationAt, type Invocation, type OptionSpec } from './command.ts';
import type { AnyCall } from './connection.ts';
import { UsageError } from './exit-code.ts';
import { isRow, printable, valueText, type Row } from './format.ts';

/** An option of commands that follow something. */
export const COUNT_OPTION: Readonly<Record<string, OptionSpec>> = {
  count: { type: 'string', short: 'n', value: 'N', description: 'End after so many.' },
};

/** How a stream is shown. */
export interface Follow {
  /** Method and path of the operation, names of parameters left out. */
  readonly operation: string;
  readonly call: AnyCall;
  /** What people read of an item; nothing for items that only programs get. */
  readonly line: (event: string, item: Row) => string | undefined;
  /** The event after which nothing comes. */
  readonly last?: string;
}

/** Shows what a stream has, a line for each item, until the user, its count or its end ends it. */
export async function follow(invocation: Invocation, what: Follow): Promise<void> {
  const { terminal, options, api, json } = invocation;
  const { operation, call, line, last } = what;
  const count = numberOption(options, 'count') ?? Infinity;
  if (count === 0) throw new UsageError('--count: must be 1 or more');
  let shown = 0;
  const events = api.events(streamAt(operation), {
    ...call,
    signal: terminal.stop,
    reconnecting: () => terminal.note('the stream has ended; connecting again'),
  });
  for await (const { event, data } of events) {
    const item = itemOf(data);
    if (noted(invocation, event, item)) continue;
    const text = json ? JSON.stringify(item) : line(event, item);
    if (text !== undefined) {
      await terminal.write(`${text}\n`);
      shown += 1;
    }
    if (shown >= count || event === last) return;
  }
}

function streamAt(operation: string): OperationId {
  const id = operationAt(operation);
  if (id === undefined) throw new UsageError(`this version of the API has no ${operation}`);
  return id;
}

function itemOf(data: string): Row {
  const item: unknown = JSON.parse(data);
  return isRow(item) ? item : { value: item };
}

/** Whether an event is about the stream and not of it: then it goes where remarks go. */
function noted({ terminal }: Invocation, event: string, item: Row): boolean {
  if (event === 'overflow') {
    const why = item['detail'] === undefined ? '' : `: ${valueText('detail', item['detail'])}`;
    const node = valueText('node', item['node']);
    terminal.note(`incomplete: ${valueText('lost', item['lost'])} lost at ${node}${why}`);
    return true;
  }
  if (event === 'partial') {
    const nodes = item['unavailable_nodes'];
    terminal.note(`incomplete: no answer from ${valueText('nodes', nodes)}`);
    return true;
  }
  return false;
}

/** Fields that come first, and then all others with their names. */
export function lineOf(item: Row, first: readonly string[]): string {
  const head = first.flatMap((name) =>
    item[name] === undefined ? [] : [valueText(name, item[name])],
  );
  const rest = Object.entries(item)
    .filter(([name, value]) => !first.includes(name) && value !== undefined && value !== null)
    .map(([name, value]) => `${printable(name)}=${valueText(name, value)}`);
  return [...head, ...rest].join('  ');
}
