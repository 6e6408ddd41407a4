import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startRedis, until, type RedisServer } from '#libs/testkit';
import { FakeNode } from '../../../test/api/fake-node.ts';
import {
  DEADLINE_MS,
  KEY,
  call,
  configOf,
  expectProblem,
  open,
  operate,
} from '../../../test/api/api-harness.ts';
import type { ApiProcess } from './api-process.ts';

const certificate = (listener: string, notAfterMs: number) => ({
  ...{ listener, names: [], subject: 'CN=a', issuer: 'CN=b', serialNumber: '01' },
  ...{ fingerprint: listener, notBeforeMs: 0, notAfterMs },
});

describe('the system behind two nodes', () => {
  let redis: RedisServer;
  let api: ApiProcess;
  let nodes: readonly [FakeNode, FakeNode];

  beforeAll(async () => {
    redis = await startRedis();
    const config = await configOf({ SKEIN_REDIS_URL: redis.url, SKEIN_API_KEY: KEY });
    const node = (id: string): FakeNode => new FakeNode(id, config, ['n1', 'n2']);
    nodes = [node('n1'), node('n2')];
    for (const each of nodes) await each.server.open();
    api = await open(config);
    await until(async () => {
      const { body } = await call(api, '/api/v1/status');
      return (body as { meta?: { partial: boolean } }).meta?.partial === false;
    }, DEADLINE_MS);
  });

  afterEach(() => {
    for (const each of nodes) {
      each.frozen = false;
      each.system.faults.clear();
    }
  });

  afterAll(async () => {
    await api.stop();
    for (const each of nodes) await each.server.close();
    await redis.stop();
  });

  it('shows versions, features and members', async () => {
    const version = await operate(api, 'getVersion');
    expect(version.body).toMatchObject({ api: 'v1', nodes: [{ node: 'n1' }, { node: 'n2' }] });
    const { body } = await operate(api, 'listFeatures');
    expect(body).toMatchObject({
      features: [
        { name: 'tls', enabled: true, nodes: ['n1', 'n2'] },
        { name: 'cluster', enabled: false, nodes: [] },
      ],
    });
    const cluster = await operate(api, 'getCluster');
    expect(cluster.body).toMatchObject({ mode: 'cluster', nodes: [{ id: 'n1' }, { id: 'n2' }] });
  });

  it('says who did not answer', async () => {
    nodes[1].frozen = true;
    expect((await operate(api, 'getVersion')).body).toMatchObject({
      nodes: [{ node: 'n1' }],
      meta: { partial: true, unavailable_nodes: ['n2'] },
    });
  });

  it('finds all well, or says what fails and where', async () => {
    expect((await operate(api, 'listHealthChecks')).body).toMatchObject({ status: 'ok' });
    nodes[1].system.faults.set('redis', 'Redis does not answer');
    const all = await operate(api, 'listHealthChecks');
    expect(all.status).toBe(503);
    expect(all.body).toMatchObject({
      code: 'storage-unavailable',
      errors: [{ pointer: '/checks/redis', detail: 'n2: Redis does not answer' }],
    });
    expect(
      (await operate(api, 'getHealthCheck', { path: '/api/v1/health/checks/kafka' })).status,
    ).toBe(200);
  });

  it.each([
    ['listeners', 'node-unavailable'],
    ['redis', 'storage-unavailable'],
    ['kafka', 'bridge-unavailable'],
    ['cluster-quorum', 'node-unavailable'],
    ['certificate-expiration', 'node-unavailable'],
    ['below-connection-limit', 'overloaded'],
  ] as const)('fails %s as %s when one node does', async (name, code) => {
    nodes[0].system.faults.set(name, 'it is not well');
    const answer = await operate(api, 'getHealthCheck', { path: `/api/v1/health/checks/${name}` });
    expectProblem(answer);
    expect(answer.body).toMatchObject({ status: 503, code });
  });

  it('serves clients as long as one node does, and fails every check of a silent node', async () => {
    const path = '/api/v1/health/checks/ready-to-serve-clients';
    nodes[0].system.faults.set('ready-to-serve-clients', 'draining');
    expect((await operate(api, 'getHealthCheck', { path })).status).toBe(200);
    nodes[1].frozen = true;
    expect((await operate(api, 'getHealthCheck', { path })).status).toBe(503);
    const redisCheck = await operate(api, 'getHealthCheck', {
      path: '/api/v1/health/checks/redis',
    });
    expect(redisCheck.status).toBe(503);
  });

  it('passes on how long certificates are to last, and knows no other check', async () => {
    const path = '/api/v1/health/checks/certificate-expiration?within=36h';
    await operate(api, 'getHealthCheck', { path });
    expect(nodes[0].system.withinMs).toBe(36 * 3_600_000);
    const unknown = await operate(api, 'getHealthCheck', { path: '/api/v1/health/checks/no' });
    expect(unknown.status).toBe(404);
    const bad = await operate(api, 'listHealthChecks', { path: '?within=soon' });
    expect(bad.status).toBe(400);
  });

  it('forgets a node that is dead, and no other', async () => {
    const forget = (id: string) =>
      operate(api, 'deleteNode', { path: `/api/v1/nodes/${encodeURIComponent(id)}` });
    for (const each of nodes) each.system.dead.add('n9');
    expect((await forget('n1')).body).toMatchObject({ status: 409, code: 'node-alive' });
    expect((await forget('n9')).status).toBe(204);
    expect((await forget('n/8')).body).toMatchObject({ status: 404, code: 'not-found' });
  });

  it('shows a node in figures, metrics and settings', async () => {
    const stats = await operate(api, 'getNodeStats', { path: '/api/v1/nodes/n2/stats' });
    expect(stats.body).toMatchObject({ node: 'n2', uptime_seconds: 1.5, inflight_sent: 1 });
    const metrics = await operate(api, 'getNodeMetrics', { path: '/api/v1/nodes/n2/metrics' });
    expect(metrics.body).toMatchObject({ metrics: [{ samples: [{ value: null }] }] });
    const config = await operate(api, 'getNodeConfig', { path: '/api/v1/nodes/n2/config' });
    const { settings } = config.body as { settings: { key: string }[] };
    const at = (name: string) => settings.find(({ key }) => key === name);
    expect(at('log.level')).toMatchObject({ value: 'info', source: 'default' });
    expect(at('data.dir')).toMatchObject({ value: null });
    expect(at('api.key')).toMatchObject({ value: '***', source: 'environment' });
    const absent = await operate(api, 'getNodeStats', { path: '/api/v1/nodes/n7/stats' });
    expect(absent.status).toBe(404);
    nodes[1].frozen = true;
    const silent = await operate(api, 'getNodeStats', { path: '/api/v1/nodes/n2/stats' });
    expect(silent.body).toMatchObject({ status: 503, code: 'node-unavailable' });
  });

  it('lists listeners by name, filtered by how they stand on a node', async () => {
    const stopped = await operate(api, 'stopListener', {
      path: '/api/v1/listeners/tls/stop?node=n2',
    });
    expect(stopped.status).toBe(202);
    expect(stopped.headers.get('location')).toBe('/api/v1/listeners/tls');
    const all = await operate(api, 'listListeners');
    expect(all.body).toMatchObject({
      items: [
        { id: 'tcp', nodes: [{ node: 'n1' }, { node: 'n2' }] },
        { id: 'tls', nodes: [{ state: 'listening' }, { node: 'n2', state: 'stopped' }] },
      ],
    });
    const some = await operate(api, 'listListeners', { path: '?state=stopped' });
    expect(some.body).toMatchObject({ items: [{ id: 'tls', nodes: [{ node: 'n2' }] }] });
    const page = await operate(api, 'listListeners', { path: '?limit=1' });
    expect(page.body).toMatchObject({ items: [{ id: 'tcp' }], page: { has_more: true } });
    const one = await operate(api, 'getListener', { path: '/api/v1/listeners/tls' });
    expect(one.body).toMatchObject({ id: 'tls', nodes: [{}, { state: 'stopped' }] });
    await operate(api, 'restartListener', { path: '/api/v1/listeners/tls/restart' });
    await operate(api, 'startListener', { path: '/api/v1/listeners/tls/start' });
    const own = await operate(api, 'listNodeListeners', { path: '/api/v1/nodes/n2/listeners' });
    expect(own.body).toMatchObject({ listeners: [{ id: 'tcp' }, { state: 'listening' }] });
    const ghost = await operate(api, 'stopListener', { path: '/api/v1/listeners/no/stop' });
    expect(ghost.status).toBe(404);
  });

  it('lists certificates, the first to end first, and reads them anew', async () => {
    nodes[0].system.certificates = [certificate('tls', 3_000), certificate('wss', 1_000)];
    nodes[1].system.certificates = [certificate('tls', 2_000)];
    const walk = async (path: string): Promise<unknown[]> => {
      const { body, headers } = await operate(api, 'listCertificates', { path });
      const { items } = body as { items: { node: string; listener: string }[] };
      const next = /<([^>]+)>/.exec(headers.get('link') ?? '')?.[1];
      const own = items.map(({ node, listener }) => `${node} ${listener}`);
      return next === undefined ? own : [...own, ...(await walk(next))];
    };
    expect(await walk('?limit=1')).toEqual(['n1 wss', 'n2 tls', 'n1 tls']);
    expect(await walk('?expires_at[lte]=1970-01-01T00:00:02Z&listener=tls')).toEqual(['n2 tls']);
    nodes[1].system.reloadFault = 'listeners.tls.tls.certFile: cannot be read';
    const { body } = await operate(api, 'reloadCertificates');
    expect(body).toMatchObject({
      results: [
        { node: 'n1', status: 'reloaded', detail: null },
        { node: 'n2', status: 'failed' },
      ],
    });
  });
});
