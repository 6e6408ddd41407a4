import type { NodeAnswers, WireNode, WireTracePosition } from '#libs/api-contracts';
import type { Cluster } from '../cluster/cluster.ts';

/** A record as it is shown. */
export type ShownRecord = Readonly<Record<string, unknown>> & { readonly kind: string };

/** A message in a record. */
interface TracedMessage {
  readonly payload?: unknown;
  readonly payload_encoding?: unknown;
  readonly payload_truncated?: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
}

/** A packet in a record. */
interface TracedPacket extends TracedMessage {
  readonly type: string;
  readonly will?: TracedMessage;
}

/** What is read of one node. */
interface NodePart {
  readonly node: WireNode;
  readonly records: ShownRecord[];
  position: WireTracePosition | undefined;
  isDone: boolean;
  isSilent: boolean;
  recorded: number;
  cut: number;
  gone: number;
}

/** A record of a node; what messages hold only for those who may see it: payloads, user properties and correlation data. */
export function recordOf(line: string, showsPayload: boolean): ShownRecord {
  // Written by a node of this release.
  const record = JSON.parse(line) as ShownRecord;
  if (showsPayload) return record;
  const { packet } = record as { readonly packet?: TracedPacket };
  if (packet === undefined) return record;
  const { type, will } = packet;
  const shown = type === 'publish' ? withoutContent(packet) : packet;
  return {
    ...record,
    packet: will === undefined ? shown : { ...shown, will: withoutContent(will) },
  };
}

/** Tells how many records of a node are gone. */
export function goneOf(node: string, records: number): readonly ShownRecord[] {
  return records === 0 ? [] : [{ kind: 'cut', node, reason: 'size', records }];
}

/**
 * What all nodes have recorded so far, in the order of their times, and at the end who has recorded how much.
 *
 * @remarks Of each node a part is held at a time, and the next one is asked for when it is written.
 */
export async function* contentOf(
  cluster: Cluster,
  nodes: readonly WireNode[],
  { id, showsPayload }: { readonly id: string; readonly showsPayload: boolean },
): AsyncGenerator<ShownRecord, void, undefined> {
  const parts = nodes.map((node) => newPart(node));
  for (;;) {
    const dry = parts.filter(({ records, isDone }) => records.length === 0 && !isDone);
    await Promise.all(dry.map((part) => fill(cluster, part, { id, showsPayload })));
    // More than one question may be needed until there is something.
    if (parts.some(({ records, isDone }) => records.length === 0 && !isDone)) continue;
    const next = earliestOf(parts)?.records.shift();
    if (next === undefined) break;
    yield next;
  }
  yield {
    kind: 'end',
    nodes: parts.map(({ node, recorded, cut, gone }) => ({
      ...{ node: node.nodeId, recorded, cut_by_rate: cut, cut_by_size: gone },
    })),
    unavailable_nodes: parts.filter(({ isSilent }) => isSilent).map(({ node }) => node.nodeId),
  };
}

function newPart(node: WireNode): NodePart {
  return {
    ...{ node, records: [], position: undefined, isDone: false, isSilent: false },
    ...{ recorded: 0, cut: 0, gone: 0 },
  };
}

async function fill(
  cluster: Cluster,
  part: NodePart,
  { id, showsPayload }: { readonly id: string; readonly showsPayload: boolean },
): Promise<void> {
  const command = { kind: 'trace-content', id, after: part.position, waitMs: 0 } as const;
  const { answered } = await cluster.inquire().askAll<'trace-content'>([part.node], command);
  const answer: NodeAnswers['trace-content'] | undefined = answered[0]?.answer;
  if (answer?.kind !== 'content') {
    part.isDone = true;
    part.isSilent = answer === undefined;
    return;
  }
  part.position = answer.position;
  part.isDone = !answer.hasMore;
  part.recorded = answer.recorded;
  part.cut = answer.capped;
  part.gone += answer.lost;
  part.records.push(
    ...goneOf(part.node.nodeId, answer.lost),
    ...answer.lines.map((line) => recordOf(line, showsPayload)),
  );
}

/** What tells no time comes first. */
function earliestOf(parts: readonly NodePart[]): NodePart | undefined {
  let earliest: NodePart | undefined;
  for (const part of parts) {
    if (part.records.length === 0) continue;
    if (earliest === undefined || timeOf(part) < timeOf(earliest)) earliest = part;
  }
  return earliest;
}

function timeOf({ records: [record] }: NodePart): string {
  const time = record?.['time'];
  return typeof time === 'string' ? time : '';
}

function withoutContent(part: TracedMessage): TracedMessage {
  const { payload: _, payload_encoding: __, payload_truncated: ___, properties, ...kept } = part;
  if (properties === undefined) return kept;
  const { user_properties: ____, correlation_data: _____, ...others } = properties;
  return Object.keys(others).length === 0 ? kept : { ...kept, properties: others };
}
