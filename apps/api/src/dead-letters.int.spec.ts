import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { WireDeadLetter } from '#libs/api-contracts';
import { KEY, configOf, endOf, open, operate } from '../../../test/api/api-harness.ts';
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
    node.unreplayable.clear();
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

  const replayAll = async (json: object) =>
    endOf(api, await operate(api, 'replayDeadLetters', { json }));

  it('are replayed by filter, at a rate, and counted by what became of them', async () => {
    for (let index = 0; index < 150; index += 1)
      node.letters.set(`3-${index}`, letterOf(`3-${index}`));
    const filter = { rule: 'r', at: { gte: '1970-01-01T00:00:00Z' } };
    const dry = await replayAll({ filter, dry_run: true });
    expect(dry.result).toMatchObject({ dry_run: true, matched: 153, replayed: 0 });
    expect(node.letters.size).toBe(153);

    node.unreplayable.add('1-1');
    const operation = await replayAll({ filter, per_second: 150 });
    expect(operation).toMatchObject({
      ...{ kind: 'dead-letter-replays', state: 'succeeded', progress: { done: 153 } },
      result_scope: 'dead_letters:read',
      result: {
        ...{ dry_run: false, matched: 153, replayed: 152, failed: 1, absent: 0 },
        problems: [{ id: '1-1', detail: 'refused' }],
      },
    });
    expect([...node.letters.keys()]).toEqual(['1-1']);
    const took = Date.parse(operation.ended_at ?? '') - Date.parse(operation.created_at);
    expect(took).toBeGreaterThan(600);
    const asked = node.received.filter(({ kind }) => kind === 'dead-letters');
    const begun = Date.parse(operation.created_at);
    expect(asked.at(-1)).toMatchObject({ query: { rule: 'r', fromMs: 0 } });
    // Those that the replays make come later, and are left alone.
    const { query } = asked.at(-1) as { query: { toMs: number } };
    expect(Math.abs(query.toMs - begun)).toBeLessThan(2_000);
  });

  it.each([
    {},
    { ids: ['1-0'], filter: { rule: 'r' } },
    { filter: {} },
    { filter: { at: {} } },
    { filter: { at: '2026-01-01T00:00:00Z' } },
    { filter: { colour: 'red' } },
    { filter: { rule: 'r' }, per_second: 0 },
    { ids: ['1-0'], per_second: 1 },
    { ids: ['1-0'], dry_run: true },
  ])('are not replayed by %j', async (json) => {
    expect((await operate(api, 'replayDeadLetters', { json })).status).toBe(400);
  });
});
