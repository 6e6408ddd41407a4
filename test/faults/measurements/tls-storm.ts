import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { TestAuthority, freePort, until } from '#libs/testkit';
import type { Broker } from '../../e2e/harness/broker.ts';
import type { Scope } from '../../e2e/harness/scope.ts';
import { FaultCluster } from '../fault-cluster.ts';
import { expectThat, percentile, rounded, type Measurement } from './measurement.ts';
import { Peer } from './peer.ts';
import type { TlsFleetPlan, TlsFleetState } from './tls-fleet.ts';

const NODES = 3;
const CLIENTS = 5_000;
const BEGIN_DEADLINE_MS = 300_000;
const BACK_MS_MAX = 60_000;
const GROWTH_MAX = 2;
/** How long others are watched before the storm, and at least during it. */
const WATCH_MS = 20_000;
const PUBLISH_EVERY_MS = 10;
/** Clients come back between these, by chance, as docs/tls.md tells to let them. */
const PAUSE_MS = { least: 500, most: 20_000 };

/** Delivery times between clients of nodes that are well: on one, and from one to the other. */
class Watch {
  #here: number[] = [];
  #across: number[] = [];

  static async open(scope: Scope, ports: readonly number[]): Promise<Watch> {
    const [first = 0, second = 0] = ports;
    const watch = new Watch();
    const publisher = await Peer.open(scope, first, { clientId: 'watch-publisher' });
    for (const [port, add] of [
      [first, (timeMs: number) => watch.#here.push(timeMs)],
      [second, (timeMs: number) => watch.#across.push(timeMs)],
    ] as const) {
      const subscriber = await Peer.open(scope, port, { clientId: `watch-${String(port)}` });
      subscriber.onMessage = ({ payload }) => {
        add(performance.now() - Number(Buffer.from(payload).toString()));
      };
      await subscriber.subscribe(['watch']);
    }
    const ticking = setInterval(() => {
      const payload = Buffer.from(String(performance.now()));
      publisher.publish({ topic: 'watch', payload }).catch(() => undefined);
    }, PUBLISH_EVERY_MS);
    scope.add(() => clearInterval(ticking));
    return watch;
  }

  /** The 99th percentiles since the last look, in milliseconds. */
  look(): { readonly here: number; readonly across: number } {
    const [here, across] = [this.#here, this.#across];
    [this.#here, this.#across] = [[], []];
    return { here: percentile(here, 0.99), across: percentile(across, 0.99) };
  }
}

/** The processor time that nodes have taken so far, in seconds. */
async function cpuOf(nodes: readonly Broker[]): Promise<number> {
  const each = nodes.map(({ ops }) => ops.metric('process_cpu_seconds_total'));
  return (await Promise.all(each)).reduce((sum, seconds) => sum + seconds, 0);
}

/** A fleet in a thread; `now` is what it has told last. */
function startFleet(scope: Scope, plan: TlsFleetPlan): { now: TlsFleetState } {
  const told = { now: { connected: 0, subscribed: 0, ends: 0, resumed: 0 } };
  const worker = new Worker(new URL('tls-fleet.ts', import.meta.url), { workerData: plan });
  worker.on('message', (state: TlsFleetState) => (told.now = state));
  scope.add(() => worker.terminate());
  return told;
}

async function startCluster(scope: Scope) {
  const authority = await TestAuthority.create();
  scope.add(() => authority.remove());
  const { certFile, keyFile } = await authority.issue({ commonName: 'localhost' });
  const ports = await Promise.all(Array.from({ length: NODES }, freePort));
  const cluster = await FaultCluster.start(scope, {
    nodes: NODES,
    settings: {
      LISTENERS_TLS_ENABLED: 'true',
      LISTENERS_TLS_TLS_CERT_FILE: certFile,
      LISTENERS_TLS_TLS_KEY_FILE: keyFile,
      // Any file that all of them have.
      TLS_TICKET_SECRET_FILE: keyFile,
    },
    ownSettings: (index) => ({ LISTENERS_TLS_PORT: ports[index] ?? 0 }),
  });
  return { cluster, ports, ca: await readFile(authority.caFile, 'utf8') };
}

/** Kills one of three nodes that have 5,000 clients over TLS, and watches how those come back and what others feel. */
export const tlsStorm: Measurement = {
  name: 'tls-storm',
  title: `SIGKILL of one of three nodes that have 5,000 clients over TLS`,
  measure: async (scope, findings) => {
    const { cluster, ports, ca } = await startCluster(scope);
    const fleet = startFleet(scope, { count: CLIENTS, ports, ca, pauseMs: PAUSE_MS });
    await until(() => fleet.now.subscribed === CLIENTS, BEGIN_DEADLINE_MS);
    const watch = await Watch.open(scope, cluster.ports.slice(1));
    await delay(PUBLISH_EVERY_MS * 100);
    watch.look();
    const survivors = cluster.nodes.slice(1);
    const cpuAtFirst = await cpuOf(survivors);
    await delay(WATCH_MS);
    const cpuBefore = await cpuOf(survivors);
    const calm = watch.look();
    const before = fleet.now;

    const beganAtMs = performance.now();
    const sinceMs = (): number => performance.now() - beganAtMs;
    await cluster.kill(cluster.node(0));
    await until(() => fleet.now.ends > before.ends, BACK_MS_MAX);
    await until(() => fleet.now.connected === CLIENTS, 2 * BACK_MS_MAX).catch(() => undefined);
    const connectedMs = sinceMs();
    await until(() => fleet.now.subscribed === CLIENTS, BACK_MS_MAX).catch(() => undefined);
    const backMs = sinceMs();
    await delay(Math.max(0, WATCH_MS - backMs));
    const watchedMs = sinceMs();
    const storm = watch.look();
    const cpuAfter = await cpuOf(survivors);
    const { now } = fleet;
    cluster.release();

    Object.assign(findings.figures, {
      clients: CLIENTS,
      connectionsEnded: now.ends - before.ends,
      handshakesResumed: now.resumed - before.resumed,
      connectedAgainS: rounded(connectedMs / 1_000),
      subscribedAgainS: rounded(backMs / 1_000),
      p99BeforeMs: rounded(calm.here),
      p99StormMs: rounded(storm.here),
      acrossP99BeforeMs: rounded(calm.across),
      acrossP99StormMs: rounded(storm.across),
      // Of both nodes that are left, in percent of a core.
      cpuBeforePercent: rounded((100_000 * (cpuBefore - cpuAtFirst)) / WATCH_MS),
      cpuStormPercent: rounded((100_000 * (cpuAfter - cpuBefore)) / watchedMs),
      loadOfTheMachine: rounded(loadavg()[0] ?? 0),
    });
    const isBack = now.subscribed === CLIENTS && backMs <= BACK_MS_MAX;
    expectThat(findings, isBack, `${String(CLIENTS - now.subscribed)} were not back in 60 s`);
    const ends = cluster.unexpectedEnds.length + cluster.leasesLost;
    expectThat(findings, ends === 0, `nodes have ended: ${cluster.unexpectedEnds.join('\n')}`);
    for (const path of ['here', 'across'] as const) {
      const growth = storm[path] / calm[path];
      const words = `p99 of others (${path}) grew ${growth.toFixed(1)} times`;
      expectThat(findings, growth <= GROWTH_MAX, words);
    }
  },
};
