import { afterEach, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 20_000;

jest.setTimeout(90_000);

const scope = new Scope();
afterEach(() => scope.close());

/** The sum of the series of a metric whose labels hold a text. */
function sumOf(text: string, name: string, labels = ''): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(name) && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

it('a cluster counts its sessions once, and who is banned, kicked, too fast, or how long logins take', async () => {
  const { nodes, redis } = await startCluster(scope, {
    LISTENERS_TCP_CONNECTS_PER_SECOND_PER_ADDRESS: 5,
    LISTENERS_TCP_CONNECT_BURST_PER_ADDRESS: 5,
  });
  const api = await Api.start(scope, redis);
  const metrics = () => Promise.all(nodes.map((node) => node.ops.metrics()));
  for (const [index, node] of nodes.entries()) {
    await Client.connect(scope, node.url, { clientId: `c${String(index)}` });
  }
  const durable = { clientId: 'd', clean: false, properties: { sessionExpiryInterval: 600 } };
  await (await Client.connect(scope, nodes[2].url, durable)).leave();

  // One node has it from the others, and the others say nothing, so that Prometheus may add them up.
  await until(async () => {
    const counts = (await metrics()).map((text) => sumOf(text, 'skein_broker_cluster_sessions{'));
    expect(counts.toSorted((a, b) => a - b)).toEqual([0, 0, 4]);
    const total = (await metrics()).join('\n');
    const away = 'state="disconnected",persistent="true"';
    expect(sumOf(total, 'skein_broker_cluster_sessions{', away)).toBe(1);
  }, WAIT_MS);

  const kicked = await api.call('disconnectClient', { path: { client_id: 'c0' } });
  expect(kicked.status).toBe(204);
  const banned = await api.call('createBan', { body: { kind: 'client_id', value: 'c1' } });
  expect(banned.status).toBe(201);
  await until(async () => {
    const [first, second] = await metrics();
    expect(sumOf(first ?? '', 'skein_broker_evictions_total{reason="admin"}')).toBe(1);
    expect(sumOf(second ?? '', 'skein_broker_ban_hits_total{kind="client_id"}')).toBe(1);
  }, WAIT_MS);

  for (let count = 0; count < 30; count += 1) new Client(scope, nodes[2].url);
  await until(async () => {
    const [, , third = ''] = await metrics();
    expect(sumOf(third, 'skein_broker_connects_throttled_total{', 'limiter="ip"')).toBeGreaterThan(
      0,
    );
  }, WAIT_MS);

  for (const text of await metrics()) {
    const seconds = 'skein_broker_authentication_duration_seconds_count{';
    expect(sumOf(text, seconds, 'backend="anonymous"')).toBeGreaterThan(0);
    expect(sumOf(text, 'skein_broker_redis_pool_waiting')).toBeLessThan(100);
    expect(sumOf(text, 'skein_broker_cluster_backlog_messages{')).toBe(0);
  }
});
