import { BOARDS, dashboards } from '#libs/monitoring';
import { until } from '#libs/testkit';
import { z } from 'zod';
import type { Scope } from '../e2e/harness/scope.ts';
import { openExtras } from './extras.ts';
import { openStage, type Observe, type Stage } from './stage.ts';

/** A query of a dashboard, as Grafana would send it with everything selected. */
export interface LiveQuery {
  readonly board: string;
  /** The title of its panel, or the name of its mark or variable. */
  readonly place: string;
  readonly kind: 'panel' | 'mark' | 'variable';
  readonly query: string;
}

/** What a round of all queries has shown. */
export interface LiveResult {
  /** How many there are of each kind. */
  readonly counts: Readonly<Record<LiveQuery['kind'], number>>;
  /** Without data, though they must have some. */
  readonly empty: readonly LiveQuery[];
  /** Without data, as they may be, with the reason. */
  readonly allowed: readonly (LiveQuery & { readonly reason: string })[];
  /** With data that was 0 all the time. */
  readonly still: readonly LiveQuery[];
  /** Names of metrics that may be empty, and are not. */
  readonly stale: readonly string[];
}

/** Series that a cluster outside containers does not have, and why. */
export const MAY_BE_EMPTY: ReadonlyMap<string, string> = new Map([
  ['container_cpu_cfs_throttled_seconds_total', 'comes from the kubelet'],
]);

const WARM_UP_MS = 60_000;
const ALERT_DEADLINE_MS = 120_000;
const DRAIN_MS = 5_000;
/** Grafana's own name for the interval that a rate needs at least: four scrapes, and slack for a busy machine. */
const RATE_INTERVAL = '20s';

const BOARD = z.object({
  panels: z.array(
    z.object({
      title: z.string(),
      targets: z.array(z.object({ expr: z.string() })).optional(),
    }),
  ),
  annotations: z.object({ list: z.array(z.object({ name: z.string(), expr: z.string() })) }),
  templating: z.object({
    list: z.array(z.object({ name: z.string(), type: z.string(), query: z.string() })),
  }),
});

/** Every query that the dashboards hold: of panels, of marks and of variables. */
export function liveQueries(): readonly LiveQuery[] {
  return [...dashboards()].flatMap(([uid, json]) => {
    const job = BOARDS.find((board) => board.uid === uid)?.job ?? '.+';
    const filled = (text: string): string =>
      text
        .replaceAll('$__rate_interval', RATE_INTERVAL)
        .replaceAll('$job', job)
        .replaceAll(/\$(?:namespace|pod)/g, '.+');
    const { panels, annotations, templating } = BOARD.parse(JSON.parse(JSON.stringify(json)));
    const variables = templating.list.filter(({ type }) => type === 'query');
    const of = (kind: LiveQuery['kind'], place: string, text: string): LiveQuery => ({
      ...{ board: uid, kind, place },
      query: filled(text),
    });
    return [
      ...panels.flatMap(({ title, targets = [] }) =>
        targets.map(({ expr }) => of('panel', title, expr)),
      ),
      ...annotations.list.map(({ name, expr }) => of('mark', name, expr)),
      ...variables.map(({ name, query }) => of('variable', name, query)),
    ];
  });
}

/** The selector of `label_values(SELECTOR, LABEL)`. */
const VARIABLE = /^label_values\((.+), \w+\)$/;

/** Runs every query against a cluster under traffic, in which a node is drained and Kafka is killed. */
export async function runLiveQueries(scope: Scope, observe: Observe): Promise<LiveResult> {
  const stage = await openStage(scope, { observe });
  const beganAtMs = performance.now();
  await openExtras(scope, stage);
  await passes(WARM_UP_MS);
  await trouble(stage);
  await passes(WARM_UP_MS / 2);
  return askAll(stage, Math.ceil((performance.now() - beganAtMs) / 1_000) + 10);
}

async function passes(milliseconds: number): Promise<void> {
  const beganAtMs = performance.now();
  await until(() => performance.now() - beganAtMs > milliseconds, 2 * milliseconds);
}

/** What dashboards mark: a drain, and an alert that wakes somebody. */
async function trouble({ api, kafka, prometheus, nodes: [, , last] }: Stage): Promise<void> {
  const path = { node_id: last.id };
  await api.call('startDrain', { path, body: { connections_per_second: 5 } });
  await passes(DRAIN_MS);
  await api.call('stopDrain', { path });
  await kafka.run('kill', '1');
  await until(
    async () => (await prometheus.firing()).some(({ name }) => name === 'SkeinBridgeDown'),
    ALERT_DEADLINE_MS,
  );
  await kafka.run('restart', '1');
}

async function askAll({ prometheus }: Stage, seconds: number): Promise<LiveResult> {
  const queries = liveQueries();
  const empty: LiveQuery[] = [];
  const still: LiveQuery[] = [];
  for (const each of queries) {
    const selector = VARIABLE.exec(each.query)?.[1];
    if (each.kind === 'variable' && selector !== undefined) {
      if ((await prometheus.seriesOf(selector)) === 0) empty.push(each);
      continue;
    }
    const { series, moved } = await prometheus.ask(each.query, seconds);
    if (series === 0) empty.push(each);
    else if (!moved) still.push(each);
  }
  const reasons = [...MAY_BE_EMPTY];
  const reasonOf = ({ query }: LiveQuery) => reasons.find(([name]) => query.includes(name));
  const seen = new Set(empty.map((each) => reasonOf(each)?.[0]));
  const count = (kind: LiveQuery['kind']) => queries.filter((each) => each.kind === kind).length;
  return {
    counts: { panel: count('panel'), mark: count('mark'), variable: count('variable') },
    empty: empty.filter((each) => reasonOf(each) === undefined),
    allowed: empty.flatMap((each) => {
      const [, reason] = reasonOf(each) ?? [];
      return reason === undefined ? [] : [{ ...each, reason }];
    }),
    still,
    stale: reasons.map(([name]) => name).filter((name) => !seen.has(name)),
  };
}
