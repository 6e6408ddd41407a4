import {
  STATS_FIGURES,
  STATS_TOTALS,
  type NodeAnswers,
  type StatsFigure,
  type StatsHistoryView,
  type StatsTotal,
  type StatsView,
  type WireFigures,
  type WireSample,
} from '#libs/api-contracts';
import type { NodeAnswer } from './cluster/inquiry.ts';

type Own = StatsView['cluster'];

/** The figures of the nodes that have answered, and of all of them together. */
export function presentStats(
  answered: readonly NodeAnswer<NodeAnswers['stats']>[],
): Pick<StatsView, 'cluster' | 'nodes'> {
  const totals = (Object.keys(STATS_TOTALS) as StatsTotal[]).map((name) => [
    name,
    answered.reduce((sum, { answer }) => sum + answer.totals[name], 0),
  ]);
  const figures = together(answered.map(({ answer }) => answer.figures));
  return {
    cluster: { ...figures, ...Object.fromEntries(totals) } as Own,
    nodes: answered.map(({ node, answer }) => ({
      node: node.nodeId,
      started_at: new Date(answer.startedAtMs).toISOString(),
      ...answer.figures,
      ...answer.totals,
    })),
  };
}

/** How the figures have changed, moment by moment. */
export function presentHistory(
  answered: readonly NodeAnswer<NodeAnswers['stats-history']>[],
): Pick<StatsHistoryView, 'cluster' | 'nodes'> {
  const moments = new Map<number, WireFigures[]>();
  for (const { atMs, figures } of answered.flatMap(({ answer }) => answer.samples)) {
    const others = moments.get(atMs);
    if (others === undefined) moments.set(atMs, [figures]);
    else others.push(figures);
  }
  const cluster = [...moments]
    .toSorted(([a], [b]) => a - b)
    .map(([atMs, figures]) => ({
      ...sampleOf({ atMs, figures: together(figures) }),
      nodes: figures.length,
    }));
  const nodes = answered.map(({ node, answer }) => ({
    node: node.nodeId,
    samples: answer.samples.map((sample) => sampleOf(sample)),
  }));
  return { cluster, nodes };
}

function sampleOf({ atMs, figures }: WireSample) {
  return { time: new Date(atMs).toISOString(), ...figures };
}

function together(all: readonly WireFigures[]): WireFigures {
  const entries = Object.entries(STATS_FIGURES).map(([name, [how]]) => {
    const values = all.map((figures) => figures[name as StatsFigure]);
    if (how === 'max') return [name, Math.max(0, ...values)];
    const sum = values.reduce((total, value) => total + value, 0);
    return [name, Math.round(sum * 1_000) / 1_000];
  });
  return Object.fromEntries(entries) as WireFigures;
}
