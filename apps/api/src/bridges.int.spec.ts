import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { WireBridge } from '#libs/api-contracts';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const FIXED: WireBridge = {
  connector: { id: 'fixed', kind: 'kafka', brokers: ['k:1'], clientId: 's', compression: 'lz4' },
  ...{ source: 'config', revision: 0, state: 'connected' },
};

const WANTED = {
  id: 'shop',
  kind: 'kafka',
  brokers: ['k1:9093', 'k2:9093'],
  client_id: 'skein-shop',
  tls: { ca_file: '/run/secrets/ca.pem' },
  sasl: { mechanism: 'plain', username: 'u', password: { env: 'BRIDGE_SECRET_KAFKA' } },
};

describe('bridges', () => {
  let api: ApiProcess;
  let node: FakeNode;

  beforeAll(async () => {
    const config = await configOf({
      SKEIN_API_KEY: KEY,
      SKEIN_BRIDGE_SECRETS_DIR: '/run/secrets',
    });
    node = new FakeNode('n1', config, ['n1']);
    await node.server.open();
    api = await open(config);
  });

  beforeEach(() => {
    node.bridges = [FIXED];
    node.rules.clear();
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  const path = '/api/v1/bridges/shop';
  const create = (json: object) => operate(api, 'createBridge', { json });
  const replace = (json: object, headers: Record<string, string>) =>
    operate(api, 'replaceBridge', { path, json, headers });
  const remove = (headers: Record<string, string>) =>
    operate(api, 'deleteBridge', { path, headers });

  it('are created, shown, replaced and deleted, each change on what its author saw', async () => {
    const made = await create(WANTED);
    const etag = made.headers.get('etag') ?? '';
    const shown = { ...WANTED, source: 'api', compression: 'lz4', states: [] };
    expect(made).toMatchObject({ status: 201, body: shown });
    expect(made.headers.get('location')).toBe(path);
    expect((await create(WANTED)).status).toBe(409);
    expect((await operate(api, 'getBridge', { path })).body).toMatchObject({
      ...{ ...shown, states: [{ node: 'n1', state: 'unused', last_error: null }] },
    });
    const known = await operate(api, 'getBridge', { path, headers: { 'if-none-match': etag } });
    expect(known.status).toBe(304);
    expect(known.headers.get('etag')).toBe(etag);

    expect((await replace(WANTED, {})).status).toBe(428);
    expect((await replace(WANTED, { 'if-match': '"99"' })).status).toBe(412);
    expect((await replace(WANTED, { 'if-none-match': '*' })).status).toBe(412);
    expect((await replace({ ...WANTED, id: 'other' }, { 'if-match': etag })).status).toBe(400);
    const { id: _, ...rest } = WANTED;
    const replaced = await replace({ ...rest, compression: 'gzip' }, { 'if-match': etag });
    expect(replaced).toMatchObject({ status: 200, body: { compression: 'gzip' } });
    expect((await replace(WANTED, { 'if-match': etag })).status).toBe(412);

    const list = await operate(api, 'listBridges', { path: '?limit=1' });
    expect(list.body).toMatchObject({ items: [{ id: 'fixed' }], page: { has_more: true } });
    expect((await remove({})).status).toBe(428);
    expect((await remove({ 'if-match': etag })).status).toBe(412);
    expect((await remove({ 'if-match': replaced.headers.get('etag') ?? '' })).status).toBe(204);
    expect((await remove({ 'if-match': '*' })).status).toBe(404);
    expect((await replace(WANTED, { 'if-none-match': '*' })).status).toBe(201);
  });

  it('of all kinds come back as they were given', async () => {
    const others = [
      {
        ...{ id: 'hook', kind: 'webhook', url: 'https://h/x', timeout_ms: 5_000, format: 'json' },
        ...{ concurrency: 2, headers: { Authorization: { file: '/run/secrets/a' }, 'X-A_b': 't' } },
      },
      {
        ...{ id: 'mq', kind: 'rabbitmq', url: { file: '/run/secrets/mq' }, timeout_ms: 5_000 },
        ...{ concurrency: 2, ca_file: '/run/secrets/ca.pem' },
      },
    ];
    for (const json of others) {
      expect(await create(json)).toMatchObject({ status: 201, body: json });
    }
  });

  it('have a schema registry', async () => {
    const schema_registry = {
      ...{ url: 'http://r:8081', username: 'u', password: { file: '/run/secrets/r' } },
      ...{ ca_file: '/run/secrets/ca.pem', timeout_ms: 1_000, refresh_ms: 2_000 },
    };
    const json = { ...WANTED, schema_registry };
    expect(await create(json)).toMatchObject({ status: 201, body: json });
  });

  it('of the configuration are left alone', async () => {
    const fixed = { path: '/api/v1/bridges/fixed', headers: { 'if-match': '*' } };
    const { id: _, ...json } = WANTED;
    expect((await operate(api, 'deleteBridge', fixed)).status).toBe(409);
    expect((await operate(api, 'replaceBridge', { ...fixed, json })).status).toBe(409);
    expect((await create({ ...WANTED, id: 'fixed' })).status).toBe(409);
    expect((await operate(api, 'getBridge', fixed)).body).toMatchObject({ source: 'config' });
  });

  it('stay while rules use them', async () => {
    await create(WANTED);
    const rule = { id: 'r', bridge: 'shop', direction: 'mqtt-to-kafka', filter: 'a', topic: 't' };
    await operate(api, 'createBridgeRule', { json: rule });
    const refused = await remove({ 'if-match': '*' });
    expect(refused).toMatchObject({ status: 409, body: { detail: 'Rules use the bridge: r' } });
  });

  it.each([
    ['/brokers/1', { brokers: ['k:1', 'no port'] }],
    ['/tls/ca_file', { tls: { ca_file: '/etc/passwd' } }],
    ['/tls/ca_file', { tls: { ca_file: '/run/secrets/../../etc/passwd' } }],
    ['/tls/key_file', { tls: { cert_file: '/run/secrets/cert.pem' } }],
    ['/sasl/password/file', { sasl: { ...WANTED.sasl, password: { file: '/proc/1/environ' } } }],
    ['/sasl/password/env', { sasl: { ...WANTED.sasl, password: { env: 'HOME' } } }],
  ])('that are wrong at %s are refused', async (pointer, changes) => {
    const refused = await create({ ...WANTED, ...changes });
    expect(refused).toMatchObject({
      status: 422,
      body: { code: 'unprocessable', errors: [{ pointer }] },
    });
    expect(node.bridges).toHaveLength(1);
  });

  it.each([
    ['/sasl/password', { sasl: { ...WANTED.sasl, password: 'in the clear' } }],
    ['/client_idd', { client_idd: 'x' }],
  ])('are not taken with a fault at %s', async (pointer, changes) => {
    const refused = await create({ ...WANTED, ...changes });
    expect(refused).toMatchObject({
      status: 400,
      body: { errors: [expect.objectContaining({ pointer: expect.stringContaining(pointer) })] },
    });
    expect(JSON.stringify(refused.body)).not.toContain('in the clear');
  });

  it('are tested before they are made', async () => {
    node.steps.set('shop', [{ step: 'dns', ok: true, ms: 1, detail: 'found' }]);
    const test = (bridge: object) =>
      operate(api, 'testUnsavedBridge', { json: { bridge, target: 't' } });
    expect(await test(WANTED)).toMatchObject({
      status: 200,
      body: { ok: true, results: [{ node: 'n1', steps: [{ step: 'dns', ok: true }] }] },
    });
    expect(node.bridges).toHaveLength(1);
    expect(await test({ ...WANTED, tls: { ca_file: '/etc/passwd' } })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/bridge/tls/ca_file' }] },
    });
  });
});
