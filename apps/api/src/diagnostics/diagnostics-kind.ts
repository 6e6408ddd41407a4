import { getHeapStatistics } from 'node:v8';
import type { NodeAnswers, NodeCommand, WireHeapSnapshot, WireNode } from '#libs/api-contracts';
import { settingsInForce, type Config } from '#libs/config';
import type { Inquiry } from '../cluster/inquiry.ts';
import { ProblemError } from '../http/problem-error.ts';
import type { OperationKind, OperationParts, OperationRun } from '../operations/operation-kind.ts';
import { patiently } from '../operations/pace.ts';
import { snakeKeys } from './snake-keys.ts';

/** What to gather. */
export interface DiagnosticsInput {
  readonly nodes?: readonly string[] | undefined;
  readonly withHeap: boolean;
}

/** By node: a snapshot is not made twice when another worker goes on. */
type Snapshots = Readonly<Record<string, WireHeapSnapshot | { readonly kind: 'unknown' }>>;

const SOON_MS = 30 * 86_400_000;
const HOUR_MS = 3_600_000;

/** What each node is asked for, by its name in the bundle. */
const PARTS = {
  features: { kind: 'node-features' },
  figures: { kind: 'node-stats' },
  health: { kind: 'node-health', certificatesWithinMs: SOON_MS },
  alarms: { kind: 'alarms' },
  listeners: { kind: 'listeners' },
  certificates: { kind: 'certificates' },
  rule_states: { kind: 'rule-states' },
  configuration: { kind: 'node-config' },
  diagnosis: { kind: 'diagnose' },
  history: { kind: 'stats-history', windowMs: HOUR_MS },
  metrics: { kind: 'node-metrics' },
} as const satisfies Readonly<Record<string, NodeCommand>>;

type Part = keyof typeof PARTS;

/** In this order a bundle that would be too large does without them. */
const LARGE: readonly Part[] = ['metrics', 'history', 'diagnosis', 'configuration'];

/** All of a bundle in characters; the store of results takes 16 Mi. */
const CHARACTERS_MAX = 12 * 1024 * 1024;
/** How long a node may stand still for a snapshot. */
const SNAPSHOT_MS = 60_000;

/** Gathers what helps to find a cause. */
export const DIAGNOSTICS: OperationKind<DiagnosticsInput> = {
  ...{ kind: 'diagnostics', resultScope: 'diagnostics:execute' },
  run: gather,
};

async function gather({ nodes: wanted, withHeap }: DiagnosticsInput, ...rest: GatherRest) {
  const [run, { cluster, config }] = rest;
  const all = await patiently(run, () => cluster.inquire().nodes());
  const nodes = all.filter(({ nodeId }) => wanted?.includes(nodeId) ?? true);
  const absent = (wanted ?? []).filter((id) => !all.some(({ nodeId }) => nodeId === id));
  if (nodes.length === 0) throw new ProblemError('not-found', 'No node with a lease has these ids');
  const bundles: unknown[] = [];
  // Each gets its share, so that the last one is not cut for the first.
  const share = CHARACTERS_MAX / nodes.length;
  for (const node of nodes) {
    bundles.push(await gatherOf(node, cluster.inquire(), share));
    await run.report({ progress: { done: bundles.length, total: nodes.length } });
  }
  return {
    made_at: new Date().toISOString(),
    cluster: config.node.clusterName,
    api: apiOf(config),
    nodes: bundles,
    absent_nodes: absent,
    ...(withHeap && { heap_snapshots: snakeKeys(await snapshots(nodes, ...rest)) }),
  };
}

type GatherRest = [OperationRun, OperationParts];

/** What one node says; it waits for no part that does not come. */
async function gatherOf(node: WireNode, inquiry: Inquiry, charactersMax: number) {
  const missing: { readonly part: string; readonly problem: string }[] = [];
  const found = new Map<string, unknown>();
  const asked = Object.entries(PARTS).map(async ([part, command]) => {
    try {
      const answer: NodeAnswers[NodeCommand['kind']] = await inquiry.askNode(node.nodeId, command);
      found.set(part, snakeKeys(answer));
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      missing.push({ part, problem: error.code });
    }
  });
  await Promise.all(asked);
  const leftOut: Part[] = [];
  for (const part of LARGE) {
    if (JSON.stringify([...found]).length <= charactersMax) break;
    if (found.delete(part)) leftOut.push(part);
  }
  const { nodeId, version, startedAtMs, state } = node;
  const began = new Date(startedAtMs).toISOString();
  return {
    ...{ node: nodeId, version, state, started_at: began, ...Object.fromEntries(found) },
    missing: missing.toSorted((a, b) => (a.part < b.part ? -1 : 1)),
    left_out: leftOut,
  };
}

/** One node after the other, so that the others serve meanwhile. */
async function snapshots(nodes: readonly WireNode[], ...[run, { cluster }]: GatherRest) {
  let made = (run.checkpoint as { readonly snapshots: Snapshots } | undefined)?.snapshots ?? {};
  for (const node of nodes) {
    if (node.nodeId in made) continue;
    // A worker that dies meanwhile leaves it at that.
    await run.report({
      checkpoint: { snapshots: { ...made, [node.nodeId]: { kind: 'unknown' } } },
    });
    made = { ...made, [node.nodeId]: await snapshotOf(node, cluster.inquire()) };
    await run.report({ checkpoint: { snapshots: made } });
  }
  return Object.entries(made).map(([id, snapshot]) => ({ node: id, ...snapshot }));
}

async function snapshotOf(node: WireNode, inquiry: Inquiry): Promise<Snapshots[string]> {
  try {
    return await inquiry.change({ kind: 'write-heap-snapshot' }, { node, waitsMs: SNAPSHOT_MS });
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return { kind: 'refused', reason: error.message };
  }
}

function apiOf(config: Config) {
  const { used_heap_size: heapUsed, heap_size_limit: heapLimit } = getHeapStatistics();
  return {
    ...{ version: config.node.version, commit: config.node.commit },
    ...{ node_version: process.version, uptime_seconds: Math.round(process.uptime()) },
    ...{ resident_bytes: process.memoryUsage.rss() },
    ...{ heap_used_bytes: heapUsed, heap_limit_bytes: heapLimit },
    configuration: settingsInForce(config).map(({ path: key, value = null, source }) => ({
      ...{ key, value, source },
    })),
  };
}
