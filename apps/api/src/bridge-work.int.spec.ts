import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { WireBridge, WireRuleMetrics } from '#libs/api-contracts';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const SHOP: WireBridge = {
  connector: {
    ...{ id: 'shop', kind: 'kafka', brokers: ['k:1'], clientId: 's', compression: 'lz4' },
    tls: { serverName: 'kafka' },
  },
  ...{ source: 'api', revision: 7, state: 'connected' },
};

const metricsOf = (id: string, bridge: string): WireRuleMetrics => ({
  ...{ id, bridge, sinceMs: 1_000, matched: 5, delivered: 3, filtered: 0, failed: 2, dropped: 0 },
  ...{ deadLetters: 1, retries: 4, reasons: { too_large: 2 }, lagRecords: 9, heldRecords: 0 },
  spool: { records: 1, bytes: 100 },
});

describe('bridges at work', () => {
  let api: ApiProcess;
  let node: FakeNode;

  beforeAll(async () => {
    const config = await configOf({ SKEIN_API_KEY: KEY });
    node = new FakeNode('n1', config, ['n1']);
    await node.server.open();
    api = await open(config);
  });

  beforeEach(() => {
    node.bridges = [SHOP];
    node.metrics = [metricsOf('a', 'shop'), metricsOf('b', 'shop'), metricsOf('c', 'other')];
    node.mute = new Set();
    node.rules.clear();
    node.received.length = 0;
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  const path = '/api/v1/bridges/shop';
  const patch = (json: object, etag = '"7"') =>
    operate(api, 'patchBridge', { path, json, headers: { 'if-match': etag } });

  it('are changed in part', async () => {
    const changed = await patch({ compression: 'gzip', tls: null, enabled: false });
    expect(changed).toMatchObject({ status: 200, body: { compression: 'gzip', enabled: false } });
    expect(changed.body).not.toHaveProperty('tls');
    expect(changed.headers.get('etag')).toBe('"8"');
    expect(node.bridges).toMatchObject([{ connector: { clientId: 's', compression: 'gzip' } }]);
    expect((await patch({ compression: 'none' })).status).toBe(412);
  });

  it.each([
    [{ brokers: null }, 400, '/brokers'],
    [{ compression: 'zip' }, 400, '/compression'],
    [{ colour: 'red' }, 400, '/colour'],
    [{ id: 'other' }, 400, '/id'],
    [{ kind: 'pigeon' }, 400, '/kind'],
    [{ tls: { ca_file: '/etc/passwd' } }, 422, '/tls/ca_file'],
  ])('are not changed by %j', async (json, status, pointer) => {
    expect(await patch(json)).toMatchObject({ status, body: { errors: [{ pointer }] } });
    expect(node.bridges).toEqual([SHOP]);
  });

  it.each([
    ['listBridges', 'kind=kafka&enabled=true&id[like]=sh', ['shop']],
    ['listBridges', 'kind[in]=webhook,rabbitmq', []],
    ['listBridges', 'state=connected', ['shop']],
    ['listBridges', 'state=stopped', []],
    ['listBridges', 'source=config', []],
    ['listBridgeRules', 'bridge=shop', ['a', 'b']],
    ['listBridgeRules', 'state=degraded', ['a']],
    ['listBridgeRules', 'direction=kafka-to-mqtt', []],
    ['listBridgeRules', 'enabled=false', ['b']],
  ] as const)('are found: %s with %s', async (operation, query, ids) => {
    const json = { bridge: 'shop', direction: 'mqtt-to-kafka', filter: 'a', topic: 't' };
    await operate(api, 'createBridgeRule', { json: { ...json, id: 'a' } });
    await operate(api, 'createBridgeRule', { json: { ...json, id: 'b', enabled: false } });
    node.states = [
      { id: 'a', state: 'degraded' },
      { id: 'b', state: 'stopped' },
    ];
    const { status, body } = await operate(api, operation, { path: `?${query}` });
    const { items } = body as { items: { id: string }[] };
    expect([status, items.map(({ id }) => id)]).toEqual([200, ids]);
    expect((await operate(api, operation, { path: '?colour=red' })).status).toBe(400);
  });

  it('are stopped and started, once each, whatever their revision', async () => {
    const stopped = await operate(api, 'stopBridge', { path: `${path}/stop` });
    expect(stopped).toMatchObject({ status: 202, body: { action: 'stop', enabled: false } });
    expect(stopped.headers.get('location')).toBe(`${path}/status`);
    expect((await operate(api, 'getBridge', { path })).body).toMatchObject({ enabled: false });
    await operate(api, 'stopBridge', { path: `${path}/stop` });
    expect(node.received.filter(({ kind }) => kind === 'put-bridge')).toHaveLength(1);
    expect((await operate(api, 'restartBridge', { path: `${path}/restart` })).status).toBe(409);
    expect((await operate(api, 'startBridge', { path: `${path}/start` })).status).toBe(202);
    expect((await operate(api, 'getBridge', { path })).body).toMatchObject({ enabled: true });
  });

  it('of the configuration are stopped there, but restarted here', async () => {
    node.bridges = [{ ...SHOP, source: 'config', revision: 0 }];
    expect((await operate(api, 'stopBridge', { path: `${path}/stop` })).status).toBe(409);
    const restarted = await operate(api, 'restartBridge', { path: `${path}/restart` });
    expect(restarted).toMatchObject({ status: 202, body: { action: 'restart' } });
    expect(node.received).toContainEqual({ kind: 'restart-bridge', id: 'shop' });
  });

  it('that are not there are not found', async () => {
    const none = '/api/v1/bridges/none';
    const answers = await Promise.all([
      operate(api, 'startBridge', { path: `${none}/start` }),
      operate(api, 'stopBridge', { path: `${none}/stop` }),
      operate(api, 'restartBridge', { path: `${none}/restart` }),
      operate(api, 'getBridgeStatus', { path: `${none}/status` }),
      operate(api, 'getBridgeMetrics', { path: `${none}/metrics` }),
      operate(api, 'resetBridgeMetrics', { path: `${none}/metrics/reset` }),
      operate(api, 'getBridgeRuleMetrics', { path: '/api/v1/bridge-rules/none/metrics' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(Array(7).fill(404));
  });

  it('show how they and their rules fare on each node', async () => {
    const json = { bridge: 'shop', direction: 'mqtt-to-kafka', filter: 'a', topic: 't' };
    await operate(api, 'createBridgeRule', { json: { ...json, id: 'b' } });
    await operate(api, 'createBridgeRule', { json: { ...json, id: 'a' } });
    node.states = [
      { id: 'b', state: 'running' },
      { id: 'a', state: 'degraded', lastError: 'away', spool: { records: 2, bytes: 9 } },
      { id: 'of another bridge', state: 'running' },
    ];
    expect((await operate(api, 'getBridgeStatus', { path: `${path}/status` })).body).toEqual({
      ...{ id: 'shop', enabled: true },
      nodes: [
        {
          ...{ node: 'n1', state: 'connected', last_error: null },
          rules: [
            { id: 'a', state: 'degraded', last_error: 'away', spool: { records: 2, bytes: 9 } },
            { id: 'b', state: 'running', last_error: null, spool: null },
          ],
        },
      ],
      meta: { partial: false, unavailable_nodes: [] },
    });
  });

  it('show what their rules have counted, until it is reset', async () => {
    const shown = await operate(api, 'getBridgeMetrics', { path: `${path}/metrics` });
    const totals = {
      ...{ matched: 10, delivered: 6, failed: 4, dead_letters: 2, retries: 8, lag_records: 9 },
      ...{ reasons: { too_large: 4 }, spool_records: 2, spool_bytes: 200 },
    };
    expect(shown).toMatchObject({
      body: { totals, nodes: [{ node: 'n1', totals, rules: [{ id: 'a' }, { id: 'b' }] }] },
    });
    const json = { id: 'a', bridge: 'shop', direction: 'mqtt-to-kafka', filter: 'a', topic: 't' };
    await operate(api, 'createBridgeRule', { json });
    const ofRule = { path: '/api/v1/bridge-rules/a/metrics' };
    expect((await operate(api, 'getBridgeRuleMetrics', ofRule)).body).toMatchObject({
      ...{ id: 'a', bridge: 'shop', totals: { matched: 5 } },
      nodes: [{ node: 'n1', since: '1970-01-01T00:00:01.000Z', matched: 5 }],
    });
    const reset = await operate(api, 'resetBridgeMetrics', { path: `${path}/metrics/reset` });
    expect(reset.status).toBe(204);
    expect(node.received).toContainEqual({ kind: 'reset-bridge-metrics', id: 'shop' });
    expect(
      (await operate(api, 'getBridgeMetrics', { path: `${path}/metrics` })).body,
    ).toMatchObject({ totals: { matched: 0, reasons: {} } });
  });

  it('say which node may not have set back or begun anew', async () => {
    node.mute = new Set(['reset-bridge-metrics', 'restart-bridge']);
    const reset = await operate(api, 'resetBridgeMetrics', { path: `${path}/metrics/reset` });
    expect(reset).toMatchObject({ status: 503, body: { code: 'node-unavailable' } });
    const restarted = await operate(api, 'restartBridge', { path: `${path}/restart` });
    expect(restarted.status).toBe(503);
  });
});
