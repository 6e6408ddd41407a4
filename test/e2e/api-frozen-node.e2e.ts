import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import type { OperationId } from '#libs/api-contracts';
import { Walk, type WalkCall } from '../api/contract/walk.ts';
import { Api } from './harness/api.ts';
import { Client } from './harness/client.ts';
import { startCluster, type Cluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const KEY = 'open-sesame-open-sesame';
const WAIT_MS = 30_000;
const PROMISED_MS = 2_000;
/** What a busy machine may add to single answers; half of them keep the promise even there. */
const SLACK_MS = 2_000;

jest.setTimeout(120_000);

const scope = new Scope();
let cluster: Cluster;
let walk: Walk;

beforeAll(async () => {
  // Whoever is silent for that long is not taken for gone while the test runs.
  const settings = { REDIS_LEASE_MS: 120_000 };
  cluster = await startCluster(scope, settings);
  const api = await Api.start(scope, { ...cluster.redis, ...settings }, KEY);
  walk = new Walk(api.origin, KEY);
  scope.add(async () => walk.close());
  const [first, , last] = cluster.nodes;
  await Client.connect(scope, first.url, { clientId: 'at-first' });
  const held = await Client.connect(scope, last.url, { clientId: 'at-last' });
  await held.subscribe('a/#');
});
afterAll(() => scope.close());

async function ask(id: OperationId, call: WalkCall = {}) {
  const begunAt = performance.now();
  const { status, text } = await walk.call(id, call);
  const body = JSON.parse(text === '' ? 'null' : text) as {
    readonly meta?: { readonly partial: boolean; readonly unavailable_nodes: readonly string[] };
    readonly code?: string;
    readonly detail?: string;
  } | null;
  return { id, status, ms: performance.now() - begunAt, body };
}

/** Everything that is asked of all nodes. */
const OF_ALL: readonly OperationId[] = [
  ...(['listClients', 'listSessions', 'listSubscriptions', 'listSharedGroups'] as const),
  ...(['listListeners', 'listCertificates', 'listNodes', 'listTopicMetrics'] as const),
  ...(['getStats', 'getStatus', 'listAlarms', 'getLogLevels', 'listTopics'] as const),
];

it('while a node is frozen, lists say in time that it is missing, and changes at it what became of them', async () => {
  const [, , last] = cluster.nodes;
  await until(async () => {
    const { body } = await ask('listClients');
    expect(body).toMatchObject({ items: [{}, {}], meta: { partial: false } });
  }, WAIT_MS);
  process.kill(last.child.pid, 'SIGSTOP');
  try {
    const seen = await Promise.all(OF_ALL.map((id) => ask(id)));
    const told = seen.map(({ id, status, body }) => [id, status, body?.meta]);
    const partial = { partial: true, unavailable_nodes: [last.id] };
    expect(told).toEqual(OF_ALL.map((id) => [id, 200, partial]));
    const { body: page } = await ask('listClients');
    expect(page).toMatchObject({ items: [{ client_id: 'at-first' }] });
    const path = { client_id: 'at-last' };
    const changes = await Promise.all([
      ask('disconnectClient', { path }),
      ask('subscribeClient', { path, body: { filter: 'b', qos: 0 } }),
      ask('clearAuthorizationCache', { path }),
      ask('enterMaintenance', { path: { node_id: last.id } }),
      ask('startDrain', { path: { node_id: last.id }, body: {} }),
    ]);
    for (const { id, status, body } of changes) {
      expect([id, status, body?.code]).toEqual([id, 503, 'node-unavailable']);
      expect([id, body?.detail]).toEqual([
        id,
        expect.stringMatching(/not done|unknown|nothing was changed/i),
      ]);
    }
    const all = [...seen, ...changes].toSorted((a, b) => a.ms - b.ms);
    const [middle, slowest] = [all[Math.floor(all.length / 2)], all.at(-1)].map((each) => each?.ms);
    process.stdout.write(
      `answers beside a frozen node: half within ${Math.round(middle ?? NaN)} ms, all within ${Math.round(slowest ?? NaN)} ms\n`,
    );
    expect(middle).toBeLessThan(PROMISED_MS);
    const late = all.filter(({ ms }) => ms > PROMISED_MS + SLACK_MS);
    expect(late.map(({ id, ms }) => [id, ms])).toEqual([]);
  } finally {
    process.kill(last.child.pid, 'SIGCONT');
  }
  await until(async () => {
    const { body } = await ask('listClients');
    expect(body).toMatchObject({ meta: { partial: false, unavailable_nodes: [] } });
  }, WAIT_MS);
  expect(walk.faults).toEqual([]);
});
