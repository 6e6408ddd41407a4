import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startRedis, until, type RedisServer } from '#libs/testkit';
import { FakeNode } from '../../../test/api/fake-node.ts';
import { FakeSettings, settingsStore } from '../../../test/api/fake-settings.ts';
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

describe('the configuration behind two nodes', () => {
  let redis: RedisServer;
  let api: ApiProcess;
  let config: Config;
  let nodes: readonly [FakeNode, FakeNode];

  beforeAll(async () => {
    redis = await startRedis();
    config = await configOf({
      ...{ SKEIN_REDIS_URL: redis.url, SKEIN_API_KEY: KEY, SKEIN_LIMITS_INFLIGHT_MAX: '7' },
    });
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
    const store = settingsStore();
    for (const each of nodes) each.settings = new FakeSettings(config, store);
  });

  afterEach(() => {
    for (const each of nodes) {
      each.frozen = false;
      each.mute = new Set();
    }
  });

  afterAll(async () => {
    await api.stop();
    for (const each of nodes) await each.server.close();
    await redis.stop();
  });

  interface Shown {
    readonly version: number;
    readonly settings: readonly { readonly key: string }[];
  }
  const shown = async (path = '') => operate(api, 'getConfig', { path });
  const keyOf = ({ body }: Awaited<ReturnType<typeof shown>>, name: string) =>
    (body as Shown).settings.find(({ key }) => key === name);
  const tagOf = async () => (await shown()).headers.get('etag') ?? '';
  const patch = async (json: unknown, ifMatch?: string) =>
    operate(api, 'patchConfig', { json, headers: { 'if-match': ifMatch ?? (await tagOf()) } });

  it('shows every key with its value, its default and where the value comes from', async () => {
    const all = await shown();
    expect(all.headers.get('etag')).toBe('"0"');
    expect(keyOf(all, 'limits.inflightMax')).toEqual({
      ...{ key: 'limits.inflightMax', value: 7, default: 128, source: 'environment' },
      ...{ change: 'hot', applies_to: 'new-connections', unit: 'messages', nodes: [] },
    });
    expect(keyOf(all, 'api.key')).toMatchObject({ value: '***', change: 'restart' });
    expect(JSON.stringify(all.body)).not.toContain(KEY);
    const section = await operate(api, 'getConfigSection', { path: '/api/v1/config/rates' });
    expect((section.body as Shown).settings.map(({ key }) => key)).toContain('rates.burstSeconds');
    expect((section.body as Shown).settings.every(({ key }) => key.startsWith('rates.'))).toBe(
      true,
    );
    const none = await operate(api, 'getConfigSection', { path: '/api/v1/config/limit' });
    expect(none.body).toMatchObject({ status: 404, code: 'not-found' });
    const known = await operate(api, 'getConfig', { headers: { 'if-none-match': '"0"' } });
    expect(known.status).toBe(304);
  });

  it('changes hot keys on all nodes, and says who goes by them', async () => {
    const changed = await patch({ limits: { inflightMax: 9, receiveMaximum: 5 } });
    expect(changed.body).toMatchObject({
      ...{ version: 1, applied: ['n1', 'n2'], refused: [], meta: { partial: false } },
      overrides: { limits: { inflightMax: 9, receiveMaximum: 5 } },
    });
    expect(changed.headers.get('etag')).toBe('"1"');
    for (const { settings } of nodes) expect(settings.live.config.limits.inflightMax).toBe(9);
    expect(keyOf(await shown(), 'limits.inflightMax')).toMatchObject({ value: 9, source: 'api' });
    const back = await operate(api, 'patchConfigSection', {
      path: '/api/v1/config/limits',
      json: { inflightMax: null },
      headers: { 'if-match': '"1"' },
    });
    expect(back.body).toMatchObject({ version: 2, overrides: { limits: { receiveMaximum: 5 } } });
    expect(keyOf(await shown(), 'limits.inflightMax')).toMatchObject({
      ...{ value: 7, source: 'environment' },
    });
  });

  it('names the node that has not answered', async () => {
    nodes[1].mute = new Set(['refresh-config'] as const);
    const changed = await patch({ log: { level: 'warn' } });
    expect(changed.body).toMatchObject({
      applied: ['n1'],
      meta: { partial: true, unavailable_nodes: ['n2'] },
    });
  });

  it('names the node that goes by an older version still', async () => {
    // It reads another store, as one does whose replica of Redis is behind.
    nodes[1].settings = new FakeSettings(config);
    const changed = await patch({ log: { level: 'warn' } });
    expect(changed.body).toMatchObject({
      applied: [expect.stringMatching(/^n[12]$/)],
      refused: [{ detail: 'It goes by version 0 still' }],
    });
  });

  it('shows what each node says where they differ', async () => {
    nodes[1].settings = new FakeSettings({
      ...config,
      limits: { ...config.limits, inflightMax: 3 },
    });
    expect(keyOf(await shown(), 'limits.inflightMax')).toMatchObject({
      nodes: [
        { node: 'n1', value: 7 },
        { node: 'n2', value: 3 },
      ],
    });
  });

  it('refuses keys that want a restart, do not exist or do not fit, and stores none of them', async () => {
    const refused = await patch({
      redis: { leaseMs: 5_000 },
      limits: { inflightMax: 9, inflight: 1 },
    });
    expectProblem(refused);
    expect(refused.body).toMatchObject({
      ...{ status: 422, code: 'unprocessable' },
      errors: [
        { pointer: '/redis/leaseMs', code: 'restart', detail: expect.stringContaining('file') },
        { pointer: '/limits/inflight', code: 'unknown' },
      ],
    });
    expect((await patch({ limits: { inflightMax: 'x' } })).body).toMatchObject({
      errors: [{ pointer: '/limits/inflightMax', code: 'invalid' }],
    });
    expect(await tagOf()).toBe('"0"');
  });

  it('holds a change to what its author has seen', async () => {
    const bare = await operate(api, 'patchConfig', { json: { log: { level: 'warn' } } });
    expect(bare.body).toMatchObject({ status: 428 });
    await patch({ log: { level: 'warn' } });
    const late = await patch({ log: { level: 'error' } }, '"0"');
    expect(late.body).toMatchObject({ status: 412 });
    expect(late.headers.get('etag')).not.toBe('"0"');
  });

  it('checks settings without changing any', async () => {
    const good = await operate(api, 'validateConfig', {
      json: { settings: { redis: { leaseMs: 5_000 }, limits: { inflightMax: 4 } } },
    });
    expect(good.body).toEqual({ valid: true, errors: [], restart: ['redis.leaseMs'] });
    const bad = await operate(api, 'validateConfig', {
      json: { settings: { redis: { leaseMs: 'planted-secret' }, nothing: 1 } },
    });
    expect(bad.body).toMatchObject({
      valid: false,
      errors: expect.arrayContaining([
        expect.objectContaining({ key: 'redis.leaseMs', code: 'invalid' }),
        expect.objectContaining({ key: 'nothing', code: 'unknown' }),
      ]),
    });
    expect(JSON.stringify(bad.body)).not.toContain('planted');
    expect(await tagOf()).toBe('"0"');
  });

  it('keeps who changed what, and goes back to a version', async () => {
    const versionOf = ({ body }: { body: unknown }) => (body as Shown).version;
    const first = versionOf(await patch({ rates: { client: { messagesPerSecond: 5 } } }));
    const second = versionOf(
      await patch({ rates: { client: { messagesPerSecond: 9 } }, log: { level: 'warn' } }),
    );
    const back = await operate(api, 'rollBackConfig', { json: { version: first } });
    expect(back.body).toMatchObject({
      version: second + 1,
      overrides: { rates: { client: { messagesPerSecond: 5 } } },
      applied: ['n1', 'n2'],
    });
    const latest = await operate(api, 'listConfigHistory', { path: '?limit=2' });
    expect(latest.body).toMatchObject({
      items: [
        {
          ...{ version: second + 1, by: 'bootstrap', kind: 'rollback' },
          changes: [
            { key: 'rates.client.messagesPerSecond', before: 9, after: 5 },
            { key: 'log.level', before: 'warn', after: null },
          ],
        },
        { version: second, kind: 'change' },
      ],
      page: { has_more: true },
    });
    const next = /<([^>]+)>/.exec(latest.headers.get('link') ?? '')?.[1] ?? '';
    const older = await operate(api, 'listConfigHistory', { path: next });
    expect(older.body).toMatchObject({
      items: expect.arrayContaining([
        {
          ...{ version: first, at: expect.any(String), by: 'bootstrap', kind: 'change' },
          changes: [{ key: 'rates.client.messagesPerSecond', before: null, after: 5 }],
        },
      ]),
    });
    const all = await operate(api, 'rollBackConfig', { json: { version: 0 } });
    expect(all.body).toMatchObject({ overrides: {} });
    const none = await operate(api, 'rollBackConfig', { json: { version: 999_999 } });
    expect(none.body).toMatchObject({ status: 422, errors: [{ pointer: '/version' }] });
    const late = await operate(api, 'rollBackConfig', {
      json: { version: first },
      headers: { 'if-match': '"1"' },
    });
    expect(late.body).toMatchObject({ status: 412 });
  });

  it('shows a version that was stored and not noted', async () => {
    await patch({ log: { level: 'warn' } });
    const { version } = (await shown()).body as Shown;
    const command = { kind: 'config' } as const;
    const { revision } = (await nodes[0].settings.answer(command)) as { revision: number };
    await nodes[0].settings.answer({
      ...{ kind: 'put-config', version: version + 1, by: 'key:gone', revision },
      overrides: { log: { level: 'error' } },
    });
    const latest = await operate(api, 'listConfigHistory', { path: '?limit=1' });
    expect(latest.body).toMatchObject({
      items: [
        {
          ...{ version: version + 1, by: 'key:gone' },
          changes: [{ key: 'log.level', before: 'warn', after: 'error' }],
        },
      ],
    });
    const next = /<([^>]+)>/.exec(latest.headers.get('link') ?? '')?.[1] ?? '';
    const older = await operate(api, 'listConfigHistory', { path: next });
    expect(older.body).toMatchObject({ items: [{ version }] });
  });

  it('sets levels of logs on one node or all, for one component or all, for a while', async () => {
    const set = (json: unknown) => operate(api, 'setLogLevel', { json });
    const one = await set({ level: 'debug', component: 'bridge', node: 'n2', ttl_seconds: 60 });
    expect(one.body).toMatchObject({
      nodes: [
        {
          node: 'n2',
          components: [
            {
              ...{ component: 'bridge', level: 'debug', source: 'component' },
              until: expect.stringMatching(/Z$/),
            },
            { component: 'process', level: 'info', source: 'config', until: null },
          ],
        },
      ],
    });
    await set({ level: 'error' });
    expect((await operate(api, 'getLogLevels')).body).toMatchObject({
      nodes: [
        { node: 'n1', components: [{ level: 'error', source: 'node' }, { level: 'error' }] },
        { node: 'n2', components: [{ level: 'debug' }, { level: 'error' }] },
      ],
      meta: { partial: false },
    });
    await set({ level: null });
    await set({ level: null, component: 'bridge' });
    expect(JSON.stringify((await operate(api, 'getLogLevels')).body)).not.toMatch(/debug|error/);
    expect((await set({ level: 'info', component: 'nothing' })).body).toMatchObject({
      ...{ status: 422, errors: [{ pointer: '/component' }] },
      detail: expect.stringContaining('bridge, process'),
    });
    expect((await set({ level: 'info', node: 'n9' })).body).toMatchObject({ status: 404 });
  });
});
