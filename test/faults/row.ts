import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '#libs/testkit';
import type { Settings } from '../e2e/harness/app.ts';
import type { Scope } from '../e2e/harness/scope.ts';
import { check, type Verdict } from './checker.ts';
import { FaultCluster, type FaultClusterOptions } from './fault-cluster.ts';
import { Fleet, type FleetPlan } from './fleet.ts';

/** How a row is run. */
export interface RowOptions {
  readonly seconds: number;
  readonly rate: number;
  readonly seed: number;
  readonly leaseMs: number;
  /** Clients of a row about moving them. @defaultValue that of the row */
  readonly clients?: number | undefined;
}

/** What a row has at hand while the load runs. */
export interface RowRun {
  /** Holds what the row opens besides. */
  readonly scope: Scope;
  readonly options: RowOptions;
  readonly cluster: FaultCluster;
  readonly fleet: Fleet;
  readonly random: () => number;
  /** What the row adds to the result, by name. */
  readonly notes: Record<string, number | string>;
  /** What went wrong apart from messages. */
  readonly failures: string[];
  /** Waits for a moment that the seed chooses between two shares of the run. */
  readonly moment: (from: number, to: number) => Promise<void>;
}

/** One kind of fault. */
export interface Row {
  readonly name: string;
  readonly title: string;
  readonly plan: FleetPlan | ((options: RowOptions) => FleetPlan);
  readonly settings?: Settings;
  /** Nodes at the end that the row starts itself. @defaultValue 0 */
  readonly late?: number;
  /** Where clients connect. @defaultValue the nodes' own ports */
  readonly ports?: (cluster: FaultCluster, scope: Scope) => Promise<readonly number[]>;
  readonly redis?: FaultClusterOptions['redis'];
  /** Applies the fault while the load runs, which goes on until it is done. */
  readonly inject: (run: RowRun) => Promise<void>;
}

/** What a row has shown. */
export interface RowResult extends Verdict {
  readonly row: string;
  readonly title: string;
  readonly seed: number;
  readonly seconds: number;
  readonly rate: number;
  readonly faults: number;
  readonly sessionsLost: number;
  /** Why connections of clients have ended. */
  readonly ends: string;
  readonly leasesLost: number;
  readonly notes: Readonly<Record<string, number | string>>;
  readonly failures: readonly string[];
}

/** Queues that hold all that a run can leave in them: what is dropped because a queue is full is not lost by a fault. */
export const QUEUES: Settings = {
  LIMITS_QUEUE_MESSAGES_MAX: 1_000_000,
  LIMITS_QUEUE_BYTES_MAX: 1_073_741_824,
};
/** Load before the run counts: connections and caches are warm. */
const WARM_UP_MS = 1_000;
const QUIET_MS = 15_000;

/** Starts a cluster and a fleet, applies the fault under load, and checks the history. The scope holds what it opens. */
export async function runRow(scope: Scope, row: Row, options: RowOptions): Promise<RowResult> {
  const { rate, leaseMs, seconds } = options;
  const random = seededRandom(options.seed);
  const cluster = await FaultCluster.start(scope, {
    ...(row.redis && { redis: row.redis }),
    ...(row.late !== undefined && { late: row.late }),
    settings: { ...QUEUES, REDIS_LEASE_MS: leaseMs, ...row.settings },
  });
  const plan = typeof row.plan === 'function' ? row.plan(options) : row.plan;
  const ports = (await row.ports?.(cluster, scope)) ?? cluster.ports;
  const fleet = new Fleet({ plan, ports, rate, random });
  scope.add(() => fleet.close());
  await fleet.start();
  fleet.load();
  await delay(WARM_UP_MS);
  const run = rowRun({ scope, options, cluster, fleet, random });
  const injected = row.inject(run).catch((error: unknown) => run.failures.push(String(error)));
  await Promise.all([delay(seconds * 1_000), injected]);
  await fleet.drain(QUIET_MS + leaseMs);
  fleet.close();
  cluster.release();
  return resultOf(row, run);
}

/** Whether a row kept the promises. Copies of QoS 1 are told, and are no breach: it is delivered at least once. */
export function holds(result: RowResult): boolean {
  const { lost, qos2Duplicated, phantoms, unanswered, failures } = result;
  return lost + qos2Duplicated + phantoms + unanswered + failures.length === 0;
}

function rowRun(parts: Pick<RowRun, 'scope' | 'options' | 'cluster' | 'fleet' | 'random'>): RowRun {
  const { options, random } = parts;
  return { ...parts, notes: {}, failures: [], moment: momentsOf(options.seconds, random) };
}

/** Chooses moments of a run that begins now. */
export function momentsOf(seconds: number, random: () => number): RowRun['moment'] {
  const beganAtMs = performance.now();
  return async (from, to) => {
    const atMs = beganAtMs + seconds * 1_000 * (from + random() * (to - from));
    await delay(Math.max(0, atMs - performance.now()));
  };
}

function resultOf(row: Row, { options, cluster, fleet, notes, failures }: RowRun): RowResult {
  return {
    row: row.name,
    title: row.title,
    seed: options.seed,
    seconds: options.seconds,
    rate: options.rate,
    faults: fleet.faultsAtMs.length,
    ...check(fleet.history),
    sessionsLost: fleet.sessionsLost,
    ends: fleet.ends,
    leasesLost: cluster.leasesLost,
    notes,
    failures: [...failures, ...cluster.unexpectedEnds],
  };
}
