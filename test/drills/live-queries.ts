import type { Board, Panel } from '#libs/monitoring';
import { until } from '#libs/testkit';
import type { Scope } from '../e2e/harness/scope.ts';
import { openStage, type StartPrometheus } from './stage.ts';

/** A query of a panel, as Grafana would send it. */
export interface LiveQuery {
  /** `board / panel`. */
  readonly panel: string;
  readonly query: string;
}

/** What a round of all queries has shown. */
export interface LiveResult {
  readonly queries: number;
  /** Without data, though they must have some. */
  readonly empty: readonly LiveQuery[];
  /** Without data, as they may be. */
  readonly allowed: readonly LiveQuery[];
  /** Names of metrics that may be empty, and are not. */
  readonly stale: readonly string[];
}

/** Series that a cluster without faults, containers and Kubernetes does not have, and why. */
export const MAY_BE_EMPTY: ReadonlyMap<string, string> = new Map([
  ['container_cpu_cfs_throttled_seconds_total', 'comes from the kubelet'],
  ['ALERTS', 'no alert fires in a cluster that is well'],
]);

const WARM_UP_MS = 90_000;
const LOOK_BACK_SECONDS = 60;

/** Every query of every dashboard, the selection filled in as for "All". */
export function liveQueries(boards: readonly Board[]): readonly LiveQuery[] {
  const queriesOf = (panel: Panel): readonly string[] =>
    panel.kind === 'stat' || panel.kind === 'heat'
      ? [panel.query]
      : panel.queries.map(([expression]) => expression);
  return boards.flatMap(({ uid, job, rows }) =>
    rows.flatMap(({ panels }) =>
      panels.flatMap((panel) =>
        queriesOf(panel).map((query) => ({
          panel: `${uid} / ${panel.title}`,
          query: query
            .replaceAll('{~', `{namespace=~".+", job=~"${job}", pod=~".+"`)
            .replaceAll('$namespace', '.+')
            .replaceAll('$__rate_interval', '20s'),
        })),
      ),
    ),
  );
}

/** Runs every query against a cluster under traffic. */
export async function runLiveQueries(
  scope: Scope,
  boards: readonly Board[],
  observe: StartPrometheus,
): Promise<LiveResult> {
  const { prometheus } = await openStage(scope, { observe });
  const beganAtMs = performance.now();
  await until(() => performance.now() - beganAtMs > WARM_UP_MS, 2 * WARM_UP_MS);
  const queries = liveQueries(boards);
  const empty: LiveQuery[] = [];
  for (const query of queries)
    if ((await prometheus.seriesOf(query.query, LOOK_BACK_SECONDS)) === 0) empty.push(query);
  const names = [...MAY_BE_EMPTY.keys()];
  const reasonOf = ({ query }: LiveQuery): string | undefined =>
    names.find((name) => query.includes(name));
  const seen = new Set(empty.map(reasonOf));
  return {
    queries: queries.length,
    empty: empty.filter((query) => reasonOf(query) === undefined),
    allowed: empty.filter((query) => reasonOf(query) !== undefined),
    stale: names.filter((name) => !seen.has(name)),
  };
}
