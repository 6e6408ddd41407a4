import type { LongOperation, OperationId } from '#libs/api-contracts';
import { numberOption, textOption } from './arguments.ts';
import {
  isList,
  operationAt,
  operationOf,
  queryOptions,
  wantsMatch,
  type Invocation,
} from './command.ts';
import type { AnyCall, AnyPage } from './connection.ts';
import { UsageError } from './exit-code.ts';
import { awaitEnd, isBegun } from './long-operation.ts';
import { columnsOf, details, isRow, table, type Row } from './format.ts';

const LIMIT = 100;
const PAGE_MAX = 1000;

/** Runs a command that is an operation of the API. */
export async function runOperation(invocation: Invocation): Promise<void> {
  const { command } = invocation;
  const operation = operationOf(command);
  const id = operationAt(command.operation ?? '');
  if (operation === undefined || id === undefined) {
    throw new UsageError(`this version of the API has nothing for 'skein ${command.words}'`);
  }
  const body = await command.body?.(invocation);
  const call: AnyCall = {
    path: pathOf(invocation, operation.path),
    query: queryOf(invocation),
    ...(body === undefined ? {} : { body }),
  };
  if (isList(operation)) await printList(invocation, id, call);
  else await act(invocation, id, { ...call, headers: await matchOf(invocation, call) });
}

function pathOf({ values }: Invocation, path: string): Readonly<Record<string, string>> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  return Object.fromEntries(names.map((name) => [name, values[name] ?? '']));
}

function queryOf({ command, options, values }: Invocation): NonNullable<AnyCall['query']> {
  const query: Record<string, string | boolean> = {};
  for (const [name, { parameter }] of queryOptions(command)) {
    const value = options[name];
    if (typeof value === 'string' || typeof value === 'boolean') query[parameter] = value;
  }
  const shape = operationOf(command)?.query?.shape ?? {};
  for (const [name, value] of Object.entries(values)) {
    if (name in shape && value !== undefined) query[name] = value;
  }
  return query;
}

/** The revision that is changed: the one given, or the one that is there now. */
async function matchOf(
  { command, options, api }: Invocation,
  call: AnyCall,
): Promise<Readonly<Record<string, string>>> {
  if (!wantsMatch(operationOf(command))) return {};
  const given = textOption(options, 'if-match');
  if (given !== undefined) return { 'if-match': given };
  // The order of a list is a state of the list.
  const place = (command.operation ?? '').replace(/^\w+/, 'GET').replace(/\/order$/, '');
  const shown = operationAt(place);
  if (shown === undefined) return { 'if-match': '*' };
  const { headers } = await api.call(shown, { path: call.path ?? {} });
  return { 'if-match': headers.get('etag') ?? '*' };
}

async function printList(invocation: Invocation, id: OperationId, call: AnyCall): Promise<void> {
  const { options, terminal, json, command } = invocation;
  const limit = options['all'] === true ? Infinity : (numberOption(options, 'limit') ?? LIMIT);
  const query = { ...call.query, limit: Math.max(1, Math.min(limit, PAGE_MAX)) };
  const rows: Row[] = [];
  const silent = new Set<string>();
  let more = false;
  for await (const page of invocation.api.pages(id, { ...call, query })) {
    noteSilent(page, silent);
    rows.push(...page.items.slice(0, limit - rows.length));
    if (rows.length < limit) continue;
    more = page.items.length > limit || hasMore(page);
    break;
  }
  if (json) {
    const meta = { partial: silent.size > 0, unavailable_nodes: [...silent] };
    terminal.print(JSON.stringify({ items: rows, has_more: more, meta }));
  } else if (rows.length === 0) terminal.note('none');
  else terminal.print(table(rows, chosen(command.columns, rows)));
  if (!json && more) terminal.note(`the first ${rows.length}; --all shows all, --limit N more`);
  warnOf(invocation, silent);
}

const hasMore = (page: AnyPage): boolean =>
  (page as { readonly page?: { readonly has_more?: boolean } }).page?.has_more === true;

function noteSilent({ meta }: AnyPage, silent: Set<string>): void {
  for (const node of meta?.unavailable_nodes ?? []) silent.add(node);
}

function warnOf({ terminal }: Invocation, silent: ReadonlySet<string>): void {
  if (silent.size === 0) return;
  terminal.note(`incomplete: no answer from ${[...silent].join(', ')}`);
}

/** The columns chosen, of those that there are. */
function chosen(columns: readonly string[] | undefined, rows: readonly Row[]): readonly string[] {
  const there = columns?.filter((name) => rows.some((row) => name in row)) ?? [];
  return there.length === 0 ? columnsOf(rows) : there;
}

async function act(invocation: Invocation, id: OperationId, call: AnyCall): Promise<void> {
  const { terminal, json, command } = invocation;
  const { status, headers, body } = await invocation.api.call(id, call);
  if (isBegun(status, headers)) return printLong(invocation, body as LongOperation);
  printBody(invocation, body);
  if (!json && body === undefined) terminal.note(command.done ?? 'done');
}

/** Prints what a long operation has come to, or with `--no-wait` that it has begun. */
export async function printLong(invocation: Invocation, begun: LongOperation): Promise<void> {
  const { options, json } = invocation;
  if (options['no-wait'] === true) return printBody(invocation, begun);
  const ended = await awaitEnd(invocation, begun);
  if (ended === undefined) return;
  const isShown = !json && isRow(ended.result);
  printBody(invocation, isShown ? { operation: ended.id, ...(ended.result as Row) } : ended);
}

/** Prints what the API has answered: for programs as it is, for people in lines. */
export function printBody(invocation: Invocation, body: unknown): void {
  const { terminal, json } = invocation;
  if (body === undefined) return;
  if (json || (!isRow(body) && typeof body !== 'string')) terminal.print(JSON.stringify(body));
  else if (typeof body === 'string') terminal.print(body.trimEnd());
  else printRow(invocation, body);
}

function printRow(invocation: Invocation, body: Row): void {
  const { terminal, command } = invocation;
  const { meta, ...rest } = body;
  if (isRow(meta)) noteSilentOf(invocation, meta);
  const [list] = Object.values(rest).filter(
    (value): value is readonly Row[] =>
      Array.isArray(value) && value.length > 0 && value.every(isRow),
  );
  const isOnlyList = Object.keys(rest).length === 1 && list !== undefined;
  terminal.print(isOnlyList ? table(list, chosen(command.columns, list)) : details(rest));
}

function noteSilentOf(invocation: Invocation, meta: Row): void {
  const { unavailable_nodes: nodes } = meta;
  if (Array.isArray(nodes)) warnOf(invocation, new Set(nodes as string[]));
}
