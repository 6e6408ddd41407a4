import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Config } from '#libs/config';
import { startRedis, until, type RedisServer } from '#libs/testkit';
import { FakeNode } from '../../../test/api/fake-node.ts';
import { FakeSettings, settingsStore } from '../../../test/api/fake-settings.ts';
import { DEADLINE_MS, KEY, call, configOf, open, operate } from '../../../test/api/api-harness.ts';
import type { ApiProcess } from './api-process.ts';

describe('the settings of a cluster of two nodes', () => {
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
    const store = settingsStore();
    for (const each of nodes) each.settings = new FakeSettings(config, store);
  });

  afterEach(() => {
    for (const each of nodes) each.mute = new Set();
  });

  afterAll(async () => {
    await api.stop();
    for (const each of nodes) await each.server.close();
    await redis.stop();
  });

  const shown = () => operate(api, 'getCluster');
  const tagOf = async () => (await shown()).headers.get('etag') ?? '';
  const patch = async (settings: unknown, path = '', ifMatch?: string) =>
    operate(api, 'patchCluster', {
      ...{ path, json: { settings } },
      headers: { 'if-match': ifMatch ?? (await tagOf()) },
    });
  const inflight = (value: number) => ({ limits: { inflightMax: value } });

  it('shows what may be set, and nothing else', async () => {
    const { body, headers } = await shown();
    expect(headers.get('etag')).toBe('"0"');
    expect(body).toMatchObject({
      ...{ settings: inflight(128), differing: [], meta: { partial: false } },
      nodes: [{ id: 'n1' }, { id: 'n2' }],
    });
    const { settings } = body as { settings: object };
    expect(settings).not.toHaveProperty('redis');
    expect(settings).toHaveProperty('drain.serverReference', null);
  });

  it('changes settings on all nodes, takes them back, and keeps the versions', async () => {
    const changed = await patch(inflight(9));
    expect(changed.body).toMatchObject({
      ...{ dry_run: false, version: 1, applied: ['n1', 'n2'], overrides: inflight(9) },
    });
    for (const { settings } of nodes) expect(settings.live.config.limits.inflightMax).toBe(9);
    expect((await shown()).body).toMatchObject({ settings: inflight(9) });
    await patch({ limits: { inflightMax: null } });
    expect((await shown()).body).toMatchObject({ settings: inflight(128) });
  });

  it('says what nodes would make of a change, and changes nothing', async () => {
    nodes[1].mute = new Set(['check-config'] as const);
    const tried = await patch(inflight(9), '?dry_run=true');
    expect(tried.body).toMatchObject({
      ...{ dry_run: true, version: 0, applied: [], refused: [], overrides: inflight(9) },
      meta: { partial: true, unavailable_nodes: ['n2'] },
    });
    expect((await patch(inflight(0), '?dry_run=true')).body).toMatchObject({
      ...{ status: 422, errors: [{ pointer: '/settings/limits/inflightMax', code: 'invalid' }] },
    });
    expect((await shown()).body).toMatchObject({ settings: inflight(128) });
    expect(await tagOf()).toBe('"0"');
  });

  it('refuses keys that want a restart or do not exist, with what to do', async () => {
    for (const path of ['', '?dry_run=true']) {
      const refused = await patch({ redis: { leaseMs: 5_000 }, limits: { inflight: 1 } }, path);
      expect(refused.body).toMatchObject({
        status: 422,
        errors: [
          {
            ...{ pointer: '/settings/redis/leaseMs', code: 'restart' },
            detail: expect.stringContaining('file'),
          },
          {
            ...{ pointer: '/settings/limits/inflight', code: 'unknown' },
            detail: expect.stringContaining('limits.inflightMax'),
          },
        ],
      });
    }
    expect(await tagOf()).toBe('"0"');
  });

  it('holds a change to what its author has seen', async () => {
    const bare = await operate(api, 'patchCluster', { json: { settings: inflight(9) } });
    expect(bare.body).toMatchObject({ status: 428 });
    await patch(inflight(9));
    expect((await patch(inflight(8), '', '"0"')).body).toMatchObject({ status: 412 });
    expect((await patch(inflight(8), '?dry_run=true', '"0"')).body).toMatchObject({ status: 412 });
  });
});
