import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startRedis, until, type RedisServer } from '#libs/testkit';
import { FakeListeners, listenerStore } from '../../../test/api/fake-listeners.ts';
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
import type { Config } from '#libs/config';
import type { ApiProcess } from './api-process.ts';

describe('listeners that are made, changed and removed behind two nodes', () => {
  let redis: RedisServer;
  let api: ApiProcess;
  let config: Config;
  let nodes: readonly [FakeNode, FakeNode];

  beforeAll(async () => {
    redis = await startRedis();
    config = await configOf({ SKEIN_REDIS_URL: redis.url, SKEIN_API_KEY: KEY });
    const node = (id: string): FakeNode => new FakeNode(id, config, ['n1', 'n2']);
    nodes = [node('n1'), node('n2')];
    for (const each of nodes) await each.server.open();
    api = await open(config);
    await until(async () => {
      const { body } = await call(api, '/api/v1/status');
      return (body as { meta?: { partial: boolean } }).meta?.partial === false;
    }, DEADLINE_MS);
  });

  beforeEach(() => {
    const store = listenerStore();
    for (const each of nodes) {
      const { system, settings } = each;
      system.listeners = system.listeners.filter(({ name }) => name !== 'plant');
      each.listeners = new FakeListeners(config, { live: settings.live, system }, store);
    }
  });

  afterEach(() => {
    for (const each of nodes) each.mute = new Set();
  });

  afterAll(async () => {
    await api.stop();
    for (const each of nodes) await each.server.close();
    await redis.stop();
  });

  const SETTINGS = { transport: 'tcp', host: '127.0.0.1', port: 1_999 };
  const make = (settings: object = SETTINGS, id = 'plant') =>
    operate(api, 'createListener', { json: { id, settings } });
  const path = '/api/v1/listeners/plant';
  const patch = (settings: object, etag: string, at = path) =>
    operate(api, 'patchListener', {
      ...{ path: at, json: { settings }, headers: { 'if-match': etag } },
    });

  it('makes one on all nodes, and shows how it stands there', async () => {
    const made = await make();
    expect(made).toMatchObject({
      status: 201,
      body: {
        ...{ id: 'plant', configured: false, settings: SETTINGS, refused: [] },
        nodes: [
          { node: 'n1', state: 'listening', address: 'mqtt://h:1999' },
          { node: 'n2', state: 'listening' },
        ],
        meta: { partial: false },
      },
    });
    expect(made.headers.get('location')).toBe(path);
    const shown = await operate(api, 'getListener', { path });
    expect(shown.headers.get('etag')).toBe(made.headers.get('etag'));
    const etag = made.headers.get('etag') ?? '';
    const known = await operate(api, 'getListener', { path, headers: { 'if-none-match': etag } });
    expect(known.status).toBe(304);
    expect((await make()).body).toMatchObject({ status: 409, code: 'already-exists' });
    expect((await make(SETTINGS, 'tcp')).body).toMatchObject({ code: 'already-exists' });
  });

  it('changes one for who has seen it last, and says which node is silent', async () => {
    const etag = (await make()).headers.get('etag') ?? '';
    nodes[1].mute = new Set(['refresh-listeners'] as const);
    const changed = await patch({ connectionsMax: 5 }, etag);
    expect(changed.body).toMatchObject({
      settings: { ...SETTINGS, connectionsMax: 5 },
      meta: { partial: true, unavailable_nodes: ['n2'] },
    });
    expect((await patch({ port: 1 }, etag)).body).toMatchObject({ status: 412 });
    const bare = await operate(api, 'patchListener', { path, json: { settings: {} } });
    expect(bare.body).toMatchObject({ status: 428 });
  });

  it('sets what is above the configuration as a whole, and takes it back', async () => {
    const tcp = '/api/v1/listeners/tcp';
    const first = await operate(api, 'getListener', { path: tcp });
    expect(first.body).toMatchObject({ configured: true, settings: {} });
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toBe('"0"');
    const own = await operate(api, 'deleteListener', {
      ...{ path: tcp, headers: { 'if-match': etag } },
    });
    expect(own.body).toMatchObject({ status: 409, code: 'conflict' });
    const set = await operate(api, 'replaceListener', {
      ...{ path: tcp, json: { settings: { connectBurst: 7 } }, headers: { 'if-match': etag } },
    });
    expect(set.body).toMatchObject({ configured: true, settings: { connectBurst: 7 } });
    for (const { settings } of nodes) {
      expect(settings.live.shown.listeners.tcp.connectBurst).toBe(7);
    }
    const known = set.headers.get('etag') ?? '';
    const gone = await operate(api, 'deleteListener', {
      ...{ path: tcp, headers: { 'if-match': known } },
    });
    expect(gone.status).toBe(204);
    for (const { settings } of nodes) {
      expect(settings.live.shown.listeners.tcp).toEqual(config.listeners.tcp);
    }
  });

  it('makes one by PUT only where there is none', async () => {
    const create = () =>
      operate(api, 'replaceListener', {
        ...{ path, json: { settings: SETTINGS }, headers: { 'if-none-match': '*' } },
      });
    expect((await create()).status).toBe(201);
    expect((await create()).body).toMatchObject({ status: 412 });
    const none = await operate(api, 'replaceListener', {
      path: '/api/v1/listeners/none',
      ...{ json: { settings: SETTINGS }, headers: { 'if-match': '"0"' } },
    });
    expect(none.body).toMatchObject({ status: 404 });
  });

  it.each([
    [{ port: 1 }, '/settings/transport'],
    [{ ...SETTINGS, port: 70_000 }, '/settings/port'],
    [{ ...SETTINGS, prt: 1 }, '/settings/prt'],
    [{ ...SETTINGS, proxyProtocol: 'required' }, '/settings/proxyFrom'],
    [{ ...SETTINGS, tls: { certFile: '/etc/ssl/a.pem', keyFile: '/x' } }, '/settings/tls/certFile'],
    [{ ...SETTINGS, tls: { certFile: '../a.pem' } }, '/settings/tls/keyFile'],
  ])('refuses %j, and says where it is wrong', async (settings, pointer) => {
    const refused = await make(settings);
    expectProblem(refused);
    expect(refused.body).toMatchObject({
      ...{ status: 422, code: 'unprocessable' },
      errors: expect.arrayContaining([expect.objectContaining({ pointer })]),
    });
    const none = await operate(api, 'getListener', { path });
    expect(none.body).toMatchObject({ status: 404 });
  });
});
