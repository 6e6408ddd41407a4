import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NodeCommand } from '#libs/api-contracts';
import { startRedis, until, type RedisServer } from '#libs/testkit';
import { FakeNode, clientOf } from '../../../test/api/fake-node.ts';
import { DEADLINE_MS, KEY, call, configOf, open, operate } from '../../../test/api/api-harness.ts';
import type { ApiProcess } from './api-process.ts';

describe('with two nodes behind Redis', () => {
  let redis: RedisServer;
  let api: ApiProcess;
  let nodes: FakeNode[];

  beforeAll(async () => {
    redis = await startRedis();
    const config = await configOf({ SKEIN_REDIS_URL: redis.url, SKEIN_API_KEY: KEY });
    nodes = ['n1', 'n2'].map((id) => new FakeNode(id, config, ['n1', 'n2']));
    for (let i = 0; i < 10; i += 1) nodes[i % 2]?.clients.set(`c${i}`, clientOf(`c${i}`));
    // A take-over under way: both nodes know the session.
    for (const each of nodes) each.clients.set('c5', clientOf('c5'));
    for (const each of nodes) await each.server.open();
    api = await open(config);
    await until(async () => {
      const { body } = await call(api, '/api/v1/status');
      return (body as { meta?: { partial: boolean } }).meta?.partial === false;
    }, DEADLINE_MS);
  });

  afterAll(async () => {
    await api.stop();
    for (const each of nodes) await each.server.close();
    await redis.stop();
  });

  async function idsOf(limit: number): Promise<{ ids: string[]; partial: boolean }> {
    const ids: string[] = [];
    let partial = false;
    let path: string | undefined = `/api/v1/clients?limit=${limit}`;
    while (path !== undefined) {
      const { body, headers } = await operate(api, 'listClients', { path });
      const list = body as { items: { client_id: string }[]; meta: { partial: boolean } };
      ids.push(...list.items.map(({ client_id: id }) => id));
      partial ||= list.meta.partial;
      path = /<([^>]+)>/.exec(headers.get('link') ?? '')?.[1];
    }
    return { ids, partial };
  }

  it.each([1, 3, 100])('merges the lists of both, %i a page', async (limit) => {
    const { ids, partial } = await idsOf(limit);

    expect(ids).toEqual(Array.from({ length: 10 }, (_, i) => `c${i}`));
    expect(partial).toBe(false);
  });

  it('shows each bridge once, with how it fares on both', async () => {
    const connector = {
      kind: 'kafka',
      brokers: ['k:9092'],
      clientId: 's',
      compression: 'lz4',
    } as const;
    const [first, second] = nodes;
    const bridgeOf = (id: string) =>
      ({
        connector: { ...connector, id },
        source: 'config',
        revision: 0,
        state: 'connected',
      }) as const;
    if (first !== undefined) first.bridges = [bridgeOf('main'), bridgeOf('extra')];
    if (second !== undefined) {
      second.bridges = [{ ...bridgeOf('main'), state: 'disconnected', lastError: 'refused' }];
    }
    const extra = { id: 'extra', states: [{ node: 'n1', state: 'connected', last_error: null }] };
    const main = {
      id: 'main',
      kind: 'kafka',
      source: 'config',
      brokers: ['k:9092'],
      client_id: 's',
      enabled: true,
      compression: 'lz4',
      states: [
        { node: 'n1', state: 'connected', last_error: null },
        { node: 'n2', state: 'disconnected', last_error: 'refused' },
      ],
    };

    const page = await operate(api, 'listBridges', { path: '?limit=1' });
    expect(page.body).toMatchObject({ items: [extra], page: { has_more: true } });
    const next = (page.body as { page: { next_cursor?: string } }).page.next_cursor ?? '';
    const last = await operate(api, 'listBridges', { path: `?limit=1&cursor=${next}` });
    expect(last.body).toMatchObject({ items: [main], page: { has_more: false } });
    const shown = await operate(api, 'getBridge', { path: '/api/v1/bridges/main' });
    expect(shown.body).toEqual(main);
    const none = await operate(api, 'getBridge', { path: '/api/v1/bridges/none' });
    expect(none.status).toBe(404);
  });

  it('tests a bridge from every node that has it', async () => {
    const [first, second] = nodes;
    const found = { step: 'dns', ok: true, ms: 1, detail: 'found' } as const;
    const refused = { step: 'tcp', ok: false, ms: 2, detail: 'refused' } as const;
    first?.steps.set('main', [found]);
    second?.steps.set('main', [found, refused]);
    const json = { target: 't' };

    const tested = await operate(api, 'testBridge', {
      path: '/api/v1/bridges/main/connectivity-tests',
      json,
    });
    expect(tested).toMatchObject({ status: 200, body: { ok: false, meta: { partial: false } } });
    expect(tested.body).toMatchObject({
      results: [
        { node: 'n1', ok: true, steps: [{ step: 'dns', ok: true, latency_ms: 1 }] },
        { node: 'n2', ok: false, steps: [{ step: 'dns' }, { step: 'tcp', detail: 'refused' }] },
      ],
    });
    expect(first?.received.at(-1)).toMatchObject({ kind: 'test-bridge', id: 'main', target: 't' });
    const none = await operate(api, 'testBridge', {
      path: '/api/v1/bridges/none/connectivity-tests',
      json: {},
    });
    expect(none.status).toBe(404);
  });

  it('asks one node when a filter names it', async () => {
    const { body } = await operate(api, 'listClients', { path: '?node=n2&client_id%5Blike%5D=c' });
    const { items } = body as { items: { node: string }[] };

    expect(new Set(items.map(({ node }) => node))).toEqual(new Set(['n2']));
    expect((await operate(api, 'listClients', { path: '?node=none' })).body).toMatchObject({
      items: [],
    });
  });

  it('publishes through exactly one node', async () => {
    const before = nodes.flatMap(({ received }) => received).filter(isPublish).length;
    await operate(api, 'publishMessage', { json: { topic: 'once' } });

    expect(nodes.flatMap(({ received }) => received).filter(isPublish)).toHaveLength(before + 1);
  });

  it('says what is missing while one node is frozen', async () => {
    const [frozen] = nodes;
    if (frozen !== undefined) frozen.frozen = true;

    const list = await operate(api, 'listClients');
    const shown = await operate(api, 'getNode', { path: '/api/v1/nodes/n1' });
    const held = await operate(api, 'disconnectClient', { path: '/api/v1/clients/c1' });
    const unknown = await operate(api, 'disconnectClient', { path: '/api/v1/clients/c2' });
    const retained = await operate(api, 'listRetainedMessages');
    const publish = await operate(api, 'publishMessage', { json: { topic: 't' } });

    expect(list.body).toMatchObject({ meta: { partial: true, unavailable_nodes: ['n1'] } });
    expect((list.body as { items: unknown[] }).items).toHaveLength(5);
    expect(shown.body).toMatchObject({ reachable: false, statistics: null });
    expect(held.status).toBe(204);
    expect(unknown).toMatchObject({ status: 503, body: { code: 'node-unavailable' } });
    expect(unknown.body).toMatchObject({ detail: expect.stringContaining('unknown') });
    expect(retained.status).toBe(200);
    expect(publish.status).toBe(200);
    if (frozen !== undefined) frozen.frozen = false;
  });

  it('answers 503 when no node answers, and when Redis is away; then recovers', async () => {
    for (const each of nodes) each.frozen = true;
    const silent = await operate(api, 'listClients');
    for (const each of nodes) each.frozen = false;
    await redis.kill();
    const away = await operate(api, 'listClients');

    expect(silent).toMatchObject({ status: 503, body: { code: 'node-unavailable' } });
    expect(away).toMatchObject({ status: 503, body: { code: 'node-unavailable' } });
    await redis.restart();
    await until(async () => (await call(api, '/api/v1/status')).status === 200, DEADLINE_MS);
    expect((await idsOf(3)).ids).toContain('c9');
  });
});

function isPublish({ kind }: NodeCommand): boolean {
  return kind === 'publish';
}
