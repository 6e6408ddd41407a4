import type { Broker } from '../../e2e/harness/broker.ts';
import type { Scope } from '../../e2e/harness/scope.ts';
import { FaultCluster } from '../fault-cluster.ts';
import { expectThat, rounded, timed, type Measurement } from './measurement.ts';
import { Peer } from './peer.ts';

const SESSIONS = 20_000;
const AT_ONCE = 200;
const STARTS = 4;
const EXPIRY_S = 3_600;
/** Starts of a node differ by more than this only if sessions matter. */
const TOLERANCE_MS = 500;

/** Times the start of a node beside few and many persistent sessions of others, and after all nodes were down. */
export const sessionsMeasurement: Measurement = {
  name: 'sessions',
  title: '20,000 persistent sessions: time until a node is ready',
  measure: async (scope, findings) => {
    const cluster = await FaultCluster.start(scope);
    const [first, second, joiner] = [cluster.node(0), cluster.node(1), cluster.node(2)];
    const withNone = await startsMs(cluster, joiner);
    const madeMs = await timed(() => makeSessions(scope, [first.port, second.port]));
    const withMany = await startsMs(cluster, joiner);
    const isSame = withMany.joins - withNone.joins < TOLERANCE_MS;
    expectThat(findings, isSame, 'a node starts later when there are many sessions');
    for (const kind of ['joins', 'ownerReturns', 'firstAfterAllWereKilled'] as const) {
      findings.figures[`${kind}At0Ms`] = withNone[kind];
      findings.figures[`${kind}At20000Ms`] = withMany[kind];
    }
    findings.figures['sessionsMadePerS'] = Math.round((SESSIONS * 1_000) / madeMs);
  },
};

/** Times until a node is ready, in milliseconds. */
interface StartsMs {
  /** One that owns nothing. */
  readonly joins: number;
  /** One that was stopped by SIGTERM and owned half of the sessions. */
  readonly ownerReturns: number;
  /** The first after SIGKILL of all: the leases of the dead have to end. */
  readonly firstAfterAllWereKilled: number;
}

async function startsMs(cluster: FaultCluster, joiner: Broker): Promise<StartsMs> {
  const joins = await joinMs(cluster, joiner);
  const first = cluster.node(0);
  await cluster.stop(first);
  const ownerReturns = rounded(await timed(() => cluster.start(first)));
  await Promise.all(cluster.nodes.map((node) => cluster.kill(node)));
  const firstAfterAllWereKilled = rounded(await timed(() => cluster.start(first)));
  for (const node of cluster.nodes) if (node !== first) await cluster.start(node);
  return { joins, ownerReturns, firstAfterAllWereKilled };
}

/** The least time of some starts: whatever else the machine does only adds to it. */
async function joinMs(cluster: FaultCluster, node: Broker): Promise<number> {
  const times: number[] = [];
  for (let start = 0; start < STARTS; start += 1) {
    await cluster.stop(node);
    times.push(await timed(() => cluster.start(node)));
  }
  return rounded(Math.min(...times));
}

/** Makes offline sessions with a filter each. */
async function makeSessions(scope: Scope, ports: readonly number[]): Promise<void> {
  const make = async (index: number): Promise<void> => {
    const clientId = `session-${String(index)}`;
    const port = ports[index % ports.length] ?? 0;
    const peer = await Peer.open(scope, port, { clientId, sessionExpiryS: EXPIRY_S });
    await peer.subscribe([`sessions/${String(index)}`]);
    await peer.leave();
  };
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < SESSIONS) {
      next += 1;
      await make(next);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
