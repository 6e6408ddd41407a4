import type { ClusterNode, ClusterStatus } from '#libs/api-contracts';
import { numberOption } from '../arguments.ts';
import type { Invocation } from '../command.ts';
import { UsageError } from '../exit-code.ts';
import { printable, table, type Row } from '../format.ts';
import { pause } from '../pause.ts';

const INTERVAL_SECONDS = 2;
/** Cursor home, and everything below it away. */
const REDRAW = '\u001b[H\u001b[J';

/** The cluster at a moment. */
interface View {
  readonly atMs: number;
  readonly status: ClusterStatus;
  readonly nodes: readonly ClusterNode[];
}

/** Watches the cluster until it is stopped or has been drawn often enough. */
export async function top(invocation: Invocation): Promise<void> {
  const { options, terminal, json } = invocation;
  const seconds = numberOption(options, 'interval') ?? INTERVAL_SECONDS;
  const count = numberOption(options, 'count') ?? Infinity;
  if (seconds < 1) throw new UsageError('--interval: must be 1 or more');
  let before: View | undefined;
  for (let drawn = 0; drawn < count && !terminal.stop.aborted; drawn += 1) {
    if (drawn > 0) await pause(seconds * 1_000, terminal.stop);
    if (terminal.stop.aborted) return;
    const now = await look(invocation);
    if (json) terminal.print(JSON.stringify(record(now, before)));
    else await terminal.write((terminal.isInteractive ? REDRAW : '') + screen(now, before));
    before = now;
  }
}

async function look({ api }: Invocation): Promise<View> {
  const client = await api.client();
  const [{ body: status }, { body: list }] = await Promise.all([
    client.call('getStatus'),
    client.call('listNodes', { query: { limit: 1_000 } }),
  ]);
  return { atMs: Date.now(), status, nodes: list.items };
}

/** How often something happened per second since the view before; null at first and after a restart. */
function rate(
  now: View,
  before: View | undefined,
  read: (view: View) => number | undefined,
): number | null {
  const [last, first] = [read(now), before && read(before)];
  if (last === undefined || first === undefined || before === undefined || last < first)
    return null;
  return Math.round(((last - first) * 1_000) / Math.max(1, now.atMs - before.atMs));
}

function record(now: View, before: View | undefined): Row {
  return {
    time: new Date(now.atMs).toISOString(),
    ...now.status,
    received_per_second: rate(now, before, ({ status }) => status.messages_received),
    sent_per_second: rate(now, before, ({ status }) => status.messages_sent),
  };
}

function nodeRow(node: ClusterNode, now: View, before: View | undefined): Row {
  const figure = (name: 'messages_received' | 'messages_sent') => (view: View) =>
    view.nodes.find(({ id }) => id === node.id)?.statistics?.[name];
  const { connections, sessions, subscriptions } = node.statistics ?? {};
  return {
    node: node.id,
    state: node.reachable ? node.state : 'silent',
    connections,
    sessions,
    subscriptions,
    'received/s': rate(now, before, figure('messages_received')),
    'sent/s': rate(now, before, figure('messages_sent')),
    started_at: node.started_at,
  };
}

function screen(now: View, before: View | undefined): string {
  const { status, nodes } = now;
  const rates = record(now, before);
  const rows = nodes.map((node) => nodeRow(node, now, before));
  const head = [
    `${printable(status.cluster_name)}  ${new Date(now.atMs).toISOString()}`,
    `${status.nodes.alive} nodes alive, ${status.nodes.draining} draining`,
    `${status.connections} connections, ${status.sessions} sessions, ${status.subscriptions} subscriptions, ${status.retained_messages} retained`,
    `${text(rates['received_per_second'])} messages/s in, ${text(rates['sent_per_second'])} out`,
  ];
  const silent = status.meta.unavailable_nodes;
  if (silent.length > 0) head.push(`no answer from ${printable(silent.join(', '))}`);
  const columns = Object.keys(rows[0] ?? { node: '' });
  return `${head.join('\n')}\n\n${table(rows, columns)}\n`;
}

const text = (value: unknown): string => (typeof value === 'number' ? String(value) : '-');
