import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startRedis, until, type RedisServer } from '#libs/testkit';
import { FakeNode, clientOf } from '../../../test/api/fake-node.ts';
import { DEADLINE_MS, KEY, call, configOf, open, operate } from '../../../test/api/api-harness.ts';
import type { ApiProcess } from './api-process.ts';

describe('drains of two nodes', () => {
  let redis: RedisServer;
  let api: ApiProcess;
  let nodes: readonly [FakeNode, FakeNode];

  beforeAll(async () => {
    redis = await startRedis();
    const config = await configOf({ SKEIN_REDIS_URL: redis.url, SKEIN_API_KEY: KEY });
    const node = (id: string): FakeNode => new FakeNode(id, config, ['n1', 'n2']);
    nodes = [node('n1'), node('n2')];
    for (const each of nodes) await each.server.open();
    for (let at = 0; at < 10; at += 1) nodes[0].clients.set(`c${at}`, clientOf(`c${at}`));
    api = await open(config);
    await until(async () => {
      const { body } = await call(api, '/api/v1/status');
      return (body as { meta?: { partial: boolean } }).meta?.partial === false;
    }, DEADLINE_MS);
  });

  afterEach(() => {
    for (const each of nodes) {
      each.frozen = false;
      each.drains.drains = [];
      each.drains.isLast = false;
      each.drains.skipUntilMs = 0;
    }
  });

  afterAll(async () => {
    await api.stop();
    for (const each of nodes) await each.server.close();
    await redis.stop();
  });

  it('drains a node once, and stops', async () => {
    const path = '/api/v1/nodes/n1/drains';
    expect((await operate(api, 'getDrain', { path })).status).toBe(404);
    const json = { connections_per_second: 50, deadline_seconds: 60 };
    const begun = await operate(api, 'startDrain', { path, json });
    expect(begun.status).toBe(202);
    expect(begun.headers.get('location')).toBe(path);
    expect(begun.body).toMatchObject({ state: 'shedding', connections_per_second: 50 });
    expect((await operate(api, 'startDrain', { path, json })).status).toBe(409);
    expect((await operate(api, 'getDrain', { path })).body).toMatchObject({ remaining: 9 });
    expect((await operate(api, 'stopDrain', { path })).status).toBe(204);
    expect((await operate(api, 'stopDrain', { path })).status).toBe(404);
    expect((await operate(api, 'getDrain', { path })).body).toMatchObject({ state: 'stopped' });
    expect(
      (await operate(api, 'startDrain', { path: '/api/v1/nodes/n9/drains', json })).status,
    ).toBe(404);
    const faulty = await operate(api, 'startDrain', { path, json: { server_reference: ' a' } });
    expect(faulty.body).toMatchObject({ errors: [{ pointer: '/server_reference' }] });
    nodes[0].frozen = true;
    const silent = await operate(api, 'startDrain', { path, json });
    expect(silent.body).toMatchObject({
      code: 'node-unavailable',
      detail: expect.stringContaining('unknown'),
    });
  });

  it('drains the last node that serves clients only if that is meant', async () => {
    const path = '/api/v1/nodes/n1/drains';
    nodes[0].drains.isLast = true;
    const refused = await operate(api, 'startDrain', { path, json: {} });
    expect(refused.body).toMatchObject({
      ...{ status: 409, code: 'conflict' },
      detail: expect.stringContaining('even_if_last'),
    });
    const meant = await operate(api, 'startDrain', { path, json: { even_if_last: true } });
    expect(meant.status).toBe(202);
  });

  it('lets nodes end without a drain for some time, and tells which did not hear it', async () => {
    const none = [
      { node: 'n1', until: null },
      { node: 'n2', until: null },
    ];
    expect((await operate(api, 'getDrainSkip')).body).toMatchObject({ nodes: none });
    const set = await operate(api, 'setDrainSkip', { json: { seconds: 60 } });
    const until = '1970-01-01T00:01:00.000Z';
    expect([set.status, set.body]).toMatchObject([
      200,
      {
        nodes: [
          { node: 'n1', until },
          { node: 'n2', until },
        ],
        meta: { partial: false },
      },
    ]);
    expect((await operate(api, 'clearDrainSkip')).status).toBe(204);
    expect((await operate(api, 'getDrainSkip')).body).toMatchObject({ nodes: none });
    for (const seconds of [0, 3_601, 'long']) {
      const { body } = await operate(api, 'setDrainSkip', { json: { seconds } });
      expect(body).toMatchObject({ errors: [{ pointer: '/seconds' }] });
    }
    nodes[1].frozen = true;
    const partly = await operate(api, 'setDrainSkip', { json: { seconds: 60 } });
    expect(partly.body).toMatchObject({
      nodes: [{ node: 'n1', until }],
      meta: { partial: true, unavailable_nodes: ['n2'] },
    });
    const unclear = await operate(api, 'clearDrainSkip');
    expect(unclear.body).toMatchObject({ status: 503, code: 'node-unavailable' });
  });

  it('keeps a node from new clients', async () => {
    const path = '/api/v1/nodes/n2/maintenance';
    const off = { node: 'n2', enabled: false, since: null };
    expect((await operate(api, 'getMaintenance', { path })).body).toEqual(off);
    const on = { node: 'n2', enabled: true, since: '1970-01-01T00:00:05.000Z' };
    expect((await operate(api, 'enterMaintenance', { path })).body).toEqual(on);
    expect((await operate(api, 'getMaintenance', { path })).body).toEqual(on);
    expect((await operate(api, 'leaveMaintenance', { path })).status).toBe(204);
    expect((await operate(api, 'getMaintenance', { path })).body).toEqual(off);
  });

  it('plans a rebalance, makes it, shows and stops it', async () => {
    const json = { absolute_threshold: 2 };
    const plan = [
      { node: 'n1', role: 'donor', connections: 10, to_shed: 5 },
      { node: 'n2', role: 'recipient', connections: 0, to_shed: 0 },
    ];
    const dry = await operate(api, 'startRebalance', { json: { ...json, dry_run: true } });
    expect([dry.status, dry.body]).toMatchObject([200, { id: null, state: 'planned', plan }]);
    expect(nodes[0].drains.drains).toEqual([]);
    const balanced = await operate(api, 'startRebalance', { json: {} });
    expect([balanced.status, balanced.body]).toMatchObject([200, { state: 'balanced' }]);

    const begun = await operate(api, 'startRebalance', { json });
    expect(begun.status).toBe(202);
    expect(begun.body).toMatchObject({ state: 'running', goal: 5, nodes: [{ total: 5 }] });
    const path = begun.headers.get('location') ?? '';
    expect((await operate(api, 'getRebalance', { path })).body).toMatchObject({ state: 'running' });
    expect((await operate(api, 'startRebalance', { json })).status).toBe(409);
    const { body } = await operate(api, 'listRebalances');
    expect(body).toMatchObject({ items: [{ state: 'running', nodes: [{ node: 'n1' }] }] });
    expect((await operate(api, 'stopRebalance', { path })).status).toBe(204);
    expect((await operate(api, 'stopRebalance', { path })).status).toBe(404);
    expect((await operate(api, 'getRebalance', { path })).body).toMatchObject({ state: 'stopped' });
  });

  it('rebalances among nodes that there are, and only when all answer', async () => {
    const unknown = await operate(api, 'startRebalance', { json: { nodes: ['n1', 'n9'] } });
    expect(unknown.body).toMatchObject({ status: 422, errors: [{ pointer: '/nodes' }] });
    nodes[1].frozen = true;
    const silent = await operate(api, 'startRebalance', { json: { absolute_threshold: 2 } });
    expect(silent.status).toBe(503);
    expect(nodes[0].drains.drains).toEqual([]);
    const absent = await operate(api, 'getRebalance', { path: '/api/v1/rebalances/r9' });
    expect(absent.status).toBe(503);
    nodes[1].frozen = false;
    expect((await operate(api, 'getRebalance', { path: '/api/v1/rebalances/r9' })).status).toBe(
      404,
    );
  });
});
