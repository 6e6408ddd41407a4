import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { WireDeadLetter } from '#libs/api-contracts';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const letterOf = (id: string, changes: Partial<WireDeadLetter> = {}): WireDeadLetter => ({
  ...{ id, atMs: 1_000, bridge: 'b', rule: 'r', stage: 'value', reason: 'value_error' },
  ...{ error: 'no JSON', target: 't', key: 'a2V5', value: 'aMOp', valueBytes: 3, isCut: false },
  headers: { one: 'é', many: ['a', 'b'], bytes: { base64: '/w==' } },
  recordAtMs: 2_000,
  ...changes,
});

describe('dead letters', () => {
  let api: ApiProcess;
  let node: FakeNode;

  beforeAll(async () => {
    const config = await configOf({ SKEIN_API_KEY: KEY });
    node = new FakeNode('n1', config, ['n1']);
    await node.server.open();
    api = await open(config);
  });

  beforeEach(() => {
    node.letters.clear();
    for (const id of ['1-0', '1-1', '2-0']) node.letters.set(id, letterOf(id));
    node.received.length = 0;
    node.fault = undefined;
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  const list = (query: string) => operate(api, 'listDeadLetters', { path: `?${query}` });

  it('are listed page by page, without content unless it is asked for', async () => {
    const first = await list('limit=2');
    expect(first.body).toMatchObject({ items: [{ id: '1-0' }, { id: '1-1' }] });
    expect((first.body as { items: object[] }).items[0]).not.toHaveProperty('value');
    const next = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    expect((await operate(api, 'listDeadLetters', { path: next })).body).toMatchObject({
      ...{ items: [{ id: '2-0' }], page: { has_more: false } },
    });
    const headers = { one: ['é'], many: ['a', 'b'], bytes: ['/w=='] };
    expect((await list('payload=text&limit=1')).body).toMatchObject({
      items: [{ key: 'a2V5', value: 'hé', value_encoding: 'plain', headers }],
    });
    node.letters.set('1-0', letterOf('1-0', { value: '/w==' }));
    expect((await list('payload=text&limit=1')).body).toMatchObject({
      items: [{ value: '/w==', value_encoding: 'base64' }],
    });
  });

  it('are asked for by bridge, rule and time', async () => {
    const times = 'at[gte]=2026-01-01T00:00:00Z&at[lte]=2026-01-01T01:00:00%2B01:00';
    await list(`bridge=b&rule=r&${times}`);
    const fromMs = Date.UTC(2026, 0, 1);
    expect(node.received).toContainEqual(
      expect.objectContaining({ query: { bridge: 'b', rule: 'r', fromMs, toMs: fromMs } }),
    );
    expect((await list('at=2026-01-01T00:00:00Z')).status).toBe(400);
    expect((await list('at[gte]=yesterday')).status).toBe(400);
    expect((await list('colour=red')).status).toBe(400);
  });

  it('are deleted, and counted only with dry_run', async () => {
    const remove = (query: string) => operate(api, 'deleteDeadLetters', { path: `?${query}` });
    expect((await remove('rule=r&dry_run=true')).body).toEqual({
      ...{ removed: 3, has_more: false, dry_run: true },
    });
    expect(node.letters.size).toBe(3);
    expect((await remove('rule=r')).body).toMatchObject({ removed: 3, dry_run: false });
    expect(node.received.at(-1)).toMatchObject({ query: { rule: 'r' } });
  });

  it('are replayed by their ids, each with what became of it', async () => {
    const replay = (json: object) => operate(api, 'replayDeadLetters', { json });
    expect(await replay({ ids: ['1-1', '9-9'] })).toMatchObject({
      status: 200,
      body: {
        results: [
          { id: '1-1', outcome: 'replayed' },
          { outcome: 'absent', detail: null },
        ],
      },
    });
    expect((await replay({ ids: [] })).status).toBe(400);
    expect((await replay({ ids: ['../1'] })).status).toBe(400);
    expect((await replay({ ids: Array(101).fill('1-0') })).status).toBe(400);
    node.fault = 'storage-unavailable';
    expect(await replay({ ids: ['1-0'] })).toMatchObject({
      status: 503,
      body: { code: 'storage-unavailable' },
    });
  });
});
