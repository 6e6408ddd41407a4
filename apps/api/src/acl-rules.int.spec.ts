import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { WireAclRule } from '#libs/api-contracts';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const RULE = { effect: 'allow', topics: ['a/#'], who: { client_ids: ['c'] } };
const BOTH = ['publish', 'subscribe'] as const;
const CONFIGURED: WireAclRule = { effect: 'deny', actions: BOTH, topics: ['fixed'] };

function pathOf(id: string): string {
  return `/api/v1/acl-rules/${encodeURIComponent(id)}`;
}

function tagOf({ headers }: { readonly headers: Headers }): string {
  return headers.get('etag') ?? '';
}

describe('general rules over REST', () => {
  let api: ApiProcess;
  let node: FakeNode;

  beforeAll(async () => {
    const config = await configOf({ SKEIN_API_KEY: KEY, SKEIN_API_NODE_TIMEOUT_MS: '7000' });
    node = new FakeNode('n1', config, ['n1']);
    await node.server.open();
    api = await open(config);
  });

  beforeEach(() => {
    node.acl = { configured: [CONFIGURED], stored: [], revision: 0 };
    node.received.length = 0;
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  const create = (json: object) => operate(api, 'createAclRule', { json });
  const list = (query = '', headers: Record<string, string> = {}) =>
    operate(api, 'listAclRules', { path: query, headers });
  const put = (id: string, headers: Record<string, string>, json: object = RULE) =>
    operate(api, 'replaceAclRule', { path: pathOf(id), headers, json });
  const change = (json: readonly unknown[], query = '') =>
    operate(api, 'changeAclRules', { path: `/api/v1/acl-rules/bulk${query}`, json });
  const order = (ids: readonly string[], headers: Record<string, string>) =>
    operate(api, 'orderAclRules', { json: { ids }, headers });
  const idsOf = async (query = '?source=api') => {
    const { body } = await list(query);
    return (body as { items: { id: string }[] }).items.map(({ id }) => id);
  };

  it('are added behind those that are there, each with an id', async () => {
    const made = await create({ ...RULE, id: 'é/#' });
    const shown = { ...RULE, id: 'é/#', actions: [...BOTH], source: 'api' };
    expect(made).toMatchObject({ status: 201, body: shown });
    expect(made.headers.get('location')).toBe(pathOf('é/#'));
    expect((await create({ ...RULE, id: 'é/#' })).status).toBe(409);
    const first = (await create(RULE)).body as { id: string };
    const second = (await create(RULE)).body as { id: string };
    expect(first.id).not.toBe(second.id);
    expect(await idsOf('')).toEqual(['config:0', 'é/#', first.id, second.id]);
    expect((await list()).body).toMatchObject({ default_effect: 'deny' });
    const { who, ...rest } = RULE;
    expect(node.acl.stored[0]).toEqual({
      ...{ ...rest, id: 'é/#', actions: [...BOTH], who: { clientIds: who.client_ids } },
    });
  });

  it('are shown to whom does not have them', async () => {
    const made = await create({ ...RULE, id: 'r' });
    const got = await operate(api, 'getAclRule', { path: pathOf('r') });
    expect(got).toMatchObject({ status: 200, body: { id: 'r' } });
    expect(tagOf(got)).toBe(tagOf(made));
    const headers = { 'if-none-match': tagOf(got) };
    expect((await operate(api, 'getAclRule', { path: pathOf('r'), headers })).status).toBe(304);
    expect((await operate(api, 'getAclRule', { path: pathOf('s') })).status).toBe(404);
    expect((await list('', { 'if-none-match': tagOf(await list()) })).status).toBe(304);
    const fixed = await operate(api, 'getAclRule', { path: pathOf('config:0') });
    expect(fixed.body).toMatchObject({ source: 'config', topics: ['fixed'] });
  });

  it('are replaced in their place, and created by PUT, as their author has seen them', async () => {
    await create({ ...RULE, id: 'a' });
    await create({ ...RULE, id: 'b' });
    const tag = tagOf(await operate(api, 'getAclRule', { path: pathOf('a') }));
    expect((await put('a', {})).status).toBe(428);
    expect((await put('a', { 'if-match': '"77"' })).status).toBe(412);
    expect((await put('a', { 'if-match': tag }, { ...RULE, id: 'b' })).status).toBe(400);
    const replaced = await put('a', { 'if-match': tag }, { ...RULE, effect: 'deny' });
    expect(replaced).toMatchObject({ status: 200, body: { id: 'a', effect: 'deny' } });
    expect((await put('a', { 'if-match': tag })).status).toBe(412);
    expect((await put('c', { 'if-match': '*' })).status).toBe(404);
    expect((await put('c', { 'if-none-match': '*' })).status).toBe(201);
    expect((await put('c', { 'if-none-match': '*' })).status).toBe(412);
    expect((await put('config:0', { 'if-match': '*' })).status).toBe(409);
    expect(await idsOf()).toEqual(['a', 'b', 'c']);
    const remove = (id: string, headers: Record<string, string>) =>
      operate(api, 'deleteAclRule', { path: pathOf(id), headers });
    expect((await remove('a', {})).status).toBe(428);
    expect((await remove('a', { 'if-match': tag })).status).toBe(412);
    expect((await remove('a', { 'if-match': tagOf(replaced) })).status).toBe(204);
    expect((await remove('a', { 'if-match': '*' })).status).toBe(404);
    expect((await remove('config:0', { 'if-match': '*' })).status).toBe(409);
    expect(await idsOf()).toEqual(['b', 'c']);
  });

  it.each([
    [{ ...RULE, retain: true }, 422, '/retain'],
    [{ ...RULE, topics: ['$share/g/a'] }, 422, '/topics'],
    [{ ...RULE, who: { addresses: ['planet'] } }, 422, '/who/addresses'],
    [{ ...RULE, id: 'order' }, 422, '/id'],
    [{ ...RULE, id: 'config:0' }, 422, '/id'],
    [{ ...RULE, effect: 'maybe' }, 400, '/effect'],
    [{ ...RULE, source: 'config' }, 400, '/source'],
  ])('are refused when they are %j', async (json, status, pointer) => {
    expect(await create(json)).toMatchObject({ status, body: { errors: [{ pointer }] } });
    expect(node.acl.revision).toBe(0);
  });

  it('are filtered, and paged through while others come and go', async () => {
    await create({ ...RULE, id: 'a', actions: ['publish'] });
    await create({ id: 'b', effect: 'deny', topics: ['x/secret'] });
    await create({ ...RULE, id: 'c', who: { users: ['ann'], groups: ['crew'] } });
    expect(await idsOf('?principal=all')).toEqual(['config:0', 'b']);
    expect(await idsOf('?principal=client')).toEqual(['a']);
    expect(await idsOf('?principal=user&group=crew')).toEqual(['c']);
    expect(await idsOf('?user[like]=a')).toEqual(['c']);
    expect(await idsOf('?action=subscribe&source=api')).toEqual(['b', 'c']);
    expect(await idsOf('?topic=a/%23')).toEqual(['a', 'c']);
    expect(await idsOf('?topic[like]=x/&effect=deny')).toEqual(['b']);
    expect((await list('?principal=planet')).status).toBe(400);
    const { page } = (await list('?limit=2')).body as { page: { next_cursor: string } };
    const tag = { 'if-match': '*' };
    await operate(api, 'deleteAclRule', { path: pathOf('a'), headers: tag });
    expect(await idsOf(`?limit=2&cursor=${page.next_cursor}`)).toEqual(['c']);
  });

  it('are put into another order, all of them', async () => {
    for (const id of ['a', 'b', 'c']) await create({ ...RULE, id });
    const tag = tagOf(await list());
    expect((await order(['c', 'b', 'a'], {})).status).toBe(428);
    const matching = { 'if-match': tag };
    for (const ids of [['a', 'b'], ['a', 'b', 'c', 'd'], ['a', 'a', 'b'], []]) {
      expect((await order(ids, matching)).status).toBe(422);
    }
    expect((await order(['c', 'b', 'a'], matching)).status).toBe(200);
    expect(await idsOf()).toEqual(['c', 'b', 'a']);
    expect((await order(['a', 'b', 'c'], matching)).status).toBe(412);
  });

  it('are changed many at a time: what can be, or all or nothing', async () => {
    for (const id of ['a', 'b']) await create({ ...RULE, id });
    const wishes = [
      { op: 'delete', id: 'a' },
      { ...RULE, op: 'replace', id: 'b', effect: 'deny' },
      { ...RULE, id: 'c' },
      { ...RULE, id: 'b' },
      { op: 'delete', id: 'none' },
      { ...RULE, topics: ['#/a'] },
      7,
    ];
    const statuses = async (answer: ReturnType<typeof change>) =>
      ((await answer).body as { items: { status: number }[] }).items.map(({ status }) => status);
    const separate = [204, 200, 201, 409, 404, 422, 400];
    const { revision } = node.acl;
    expect(await statuses(change(wishes, '?dry_run=true'))).toEqual(separate);
    const together = [409, 409, 409, 409, 404, 422, 400];
    expect(await statuses(change(wishes, '?atomic=true'))).toEqual(together);
    expect(node.acl.revision).toBe(revision);
    expect(await statuses(change(wishes))).toEqual(separate);
    expect(await idsOf()).toEqual(['b', 'c']);
    expect(node.acl.revision).toBe(revision + 1);
    const all = [
      { op: 'delete', id: 'b' },
      { op: 'delete', id: 'c' },
      { ...RULE, id: 'only' },
    ];
    expect(await statuses(change(all, '?atomic=true'))).toEqual([204, 204, 201]);
    expect(await idsOf()).toEqual(['only']);
  });

  it('are all there when several are added at a time', async () => {
    const made = await Promise.all(['a', 'b', 'c'].map((id) => create({ ...RULE, id })));
    expect(made.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect((await idsOf()).toSorted()).toEqual(['a', 'b', 'c']);
  });
});
