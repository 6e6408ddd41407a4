import { until } from '#libs/testkit';
import { Api } from '../../e2e/harness/api.ts';
import { Balancer } from '../../e2e/harness/balancer.ts';
import type { Broker } from '../../e2e/harness/broker.ts';
import type { FleetPlan } from '../fleet.ts';
import type { Row, RowOptions, RowRun } from '../row.ts';

const CLIENTS = 3_000;
const RATE = 100;
/** Longer than a balancer takes to notice: it asks every second, twice. */
const WAIT_SECONDS = 4;
/** What it may take besides shedding and its waits. */
const SLACK_SECONDS = 30;
const IMBALANCE_MAX = 1.1;
const DEADLINE_MS = 60_000;
const KEEP_ALIVE_MS = 60_000;

/** Everybody connects through the balancer. */
function plan({ clients = CLIENTS }: RowOptions): FleetPlan {
  const pairs = Math.floor(clients / 2);
  return {
    publishers: pairs,
    publisherHomes: [0],
    receivers: Array.from({ length: pairs }, (_, index) => ({
      ...{ name: `receiver-${String(index)}`, home: 0, publishers: [index] },
    })),
    keepAliveMs: KEEP_ALIVE_MS,
  };
}

interface Plan {
  readonly id: string;
  readonly plan: readonly { readonly to_shed: number }[];
}

async function countsOf(nodes: readonly Broker[]): Promise<readonly number[]> {
  return await Promise.all(nodes.map(({ ops }) => ops.metric('skein_broker_connections')));
}

function imbalanceOf(counts: readonly number[]): number {
  const sum = counts.reduce((total, count) => total + count, 0);
  return Math.max(...counts) / (sum / counts.length);
}

async function rebalance(run: RowRun): Promise<void> {
  const { cluster, fleet, scope, notes, failures } = run;
  const { nodes } = cluster;
  const api = await Api.start(scope, cluster.node(0).settings);
  await run.moment(0.1, 0.15);
  await cluster.start(cluster.node(2));
  const before = await countsOf(nodes);
  fleet.fault();
  const begunAtMs = performance.now();
  const { status, body } = await api.call('startRebalance', {
    body: {
      ...{ connections_per_second: RATE, absolute_threshold: 10 },
      ...{ wait_health_check_seconds: WAIT_SECONDS, wait_takeover_seconds: WAIT_SECONDS },
    },
  });
  if (status !== 202) throw new Error(`the rebalance was answered ${String(status)}`);
  const { id, plan: donors } = body as Plan;
  const toShed = donors.map(({ to_shed: count }) => count);
  const total = toShed.reduce((sum, count) => sum + count, 0);
  const limitSeconds = Math.max(...toShed) / RATE + 2 * WAIT_SECONDS + SLACK_SECONDS;
  let state = 'running';
  await until(async () => {
    const { body: now } = await api.call('getRebalance', { path: { rebalance_id: id } });
    ({ state } = now as { readonly state: string });
    return state !== 'running';
  }, DEADLINE_MS);
  const seconds = (performance.now() - begunAtMs) / 1_000;
  await until(() => fleet.devices.every(({ isConnected }) => isConnected), DEADLINE_MS);
  const after = await countsOf(nodes);
  const ratio = imbalanceOf(after);
  const kicks = fleet.devices.map(({ departures }) => {
    return departures.filter(({ wasConnected }) => wasConnected).length;
  });
  const moved = kicks.filter((count) => count > 0).length;
  const twice = kicks.filter((count) => count > 1).length;
  Object.assign(notes, {
    before: before.join('/'),
    after: after.join('/'),
    maxToAvg: ratio.toFixed(3),
    planned: total,
    ...{
      moved,
      movedTwice: twice,
      seconds: seconds.toFixed(1),
      limitSeconds: limitSeconds.toFixed(1),
    },
  });
  if (state !== 'completed') failures.push(`the rebalance ended as ${state}`);
  if (ratio > IMBALANCE_MAX) failures.push(`max/avg is ${ratio.toFixed(3)}`);
  if (twice > 0) failures.push(`${String(twice)} clients lost two connections`);
  if (moved > total) failures.push(`${String(moved)} clients moved where ${String(total)} had to`);
  if (seconds > limitSeconds) failures.push(`it took ${seconds.toFixed(1)} s`);
  if (fleet.sessionsLost > 0) failures.push(`${String(fleet.sessionsLost)} sessions lost`);
}

/** A third node comes to two. */
export const REBALANCE_ROW: Row = {
  name: 'rebalance',
  title: '3,000 clients of two nodes behind HAProxy are balanced over three',
  plan,
  late: 1,
  settings: { LISTENERS_TCP_PROXY_PROTOCOL: 'required', LISTENERS_TCP_PROXY_FROM: '127.0.0.1/32' },
  ports: async (cluster, scope) => [(await Balancer.start(scope, cluster.nodes)).port],
  inject: rebalance,
};
