import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const BAN = { kind: 'client_id', value: 'a/+ é', reason: 'noise' };
const PATH = pathOf('client_id:a/+ é');

function pathOf(id: string): string {
  return `/api/v1/bans/${encodeURIComponent(id)}`;
}

function tagOf({ headers }: { readonly headers: Headers }): string {
  return headers.get('etag') ?? '';
}

describe('bans over REST', () => {
  let api: ApiProcess;
  let node: FakeNode;

  beforeAll(async () => {
    const config = await configOf({ SKEIN_API_KEY: KEY, SKEIN_API_NODE_TIMEOUT_MS: '7000' });
    node = new FakeNode('n1', config, ['n1']);
    await node.server.open();
    api = await open(config);
  });

  beforeEach(() => {
    node.bans.clear();
    node.received.length = 0;
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  const create = (json: object) => operate(api, 'createBan', { json });
  const put = (id: string, headers: Record<string, string>, json: object = {}) =>
    operate(api, 'replaceBan', { path: pathOf(id), headers, json });
  const change = (json: readonly unknown[], query = '') =>
    operate(api, 'changeBans', { path: `/api/v1/bans/bulk${query}`, json });
  const idsOf = async (query = '') => {
    const { body } = await operate(api, 'listBans', { path: query });
    return (body as { items: { id: string }[] }).items.map(({ id }) => id);
  };

  it('are made, shown, listed and lifted', async () => {
    const made = await create(BAN);
    const shown = { id: 'client_id:a/+ é', ...BAN, by: 'admin', until: null };
    expect(made).toMatchObject({ status: 201, body: shown });
    expect(made.headers.get('location')).toBe(PATH);
    expect((await create(BAN)).status).toBe(409);
    const got = await operate(api, 'getBan', { path: PATH });
    expect(got.body).toMatchObject(shown);
    expect(tagOf(got)).toBe(tagOf(made));
    const headers = { 'if-none-match': tagOf(made) };
    expect((await operate(api, 'getBan', { path: PATH, headers })).status).toBe(304);
    expect((await operate(api, 'listBans')).body).toMatchObject({ items: [shown] });
    expect((await operate(api, 'deleteBan', { path: PATH })).status).toBe(204);
    expect((await operate(api, 'getBan', { path: PATH })).status).toBe(404);
    expect((await operate(api, 'deleteBan', { path: PATH })).status).toBe(404);
  });

  it.each([
    [{ kind: 'client_id', value: 'imports' }, 'client_id:imports'],
    [{ kind: 'client_id_regex', value: '^probe-\\d+$' }, 'client_id_regex:^probe-\\d+$'],
    [{ kind: 'username', value: 'é😀' }, 'username:é😀'],
    [{ kind: 'ip', value: '::FFFF:10.0.0.1' }, 'address:10.0.0.1'],
    [{ kind: 'cidr', value: '10.1.2.3/8' }, 'address:10.0.0.0/8'],
  ])('know %j as %s', async (ban, id) => {
    expect(await create(ban)).toMatchObject({ status: 201, body: { id, kind: ban.kind } });
    expect(await idsOf(`?kind=${ban.kind}`)).toEqual([id]);
    expect(await idsOf('?kind[in]=ip,cidr')).toEqual(id.startsWith('address:') ? [id] : []);
    expect((await operate(api, 'getBan', { path: pathOf(id) })).status).toBe(200);
  });

  it.each([
    [{ kind: 'ip', value: '10.0.0.0/8' }, 422, '/value'],
    [{ kind: 'cidr', value: '10.0.0.1' }, 422, '/value'],
    [{ kind: 'username', value: '\u0000' }, 422, '/value'],
    [{ kind: 'client_id_regex', value: '(' }, 422, '/value'],
    [{ kind: 'client_id_regex', value: '(?=a)' }, 422, '/value'],
    [{ kind: 'client_id_regex', value: 'a'.repeat(257) }, 422, '/value'],
    [{ ...BAN, until: '2001-01-01T00:00:00Z' }, 422, '/until'],
    [{ ...BAN, until: 'soon' }, 400, '/until'],
    [{ ...BAN, kind: 'planet' }, 400, '/kind'],
    [{ ...BAN, other: 1 }, 400, '/other'],
  ])('are refused when they are %j', async (json, status, pointer) => {
    const errors = [expect.objectContaining({ pointer })];
    expect(await create(json)).toMatchObject({ status, body: { errors } });
  });

  it('are bounded in number, and patterns in what they cost', async () => {
    const patterns = ['a{900}', 'b{900}', 'c{900}'].map((value) =>
      create({ kind: 'client_id_regex', value }),
    );
    const statuses = (await Promise.all(patterns)).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([201, 201, 409]);
    expect((await create(BAN)).status).toBe(201);
    const refused = await create({ ...BAN, value: 'b' });
    expect(refused).toMatchObject({ status: 409, body: { code: 'limit-reached' } });
  });

  it('are filtered by what is known of them', async () => {
    await create({ ...BAN, value: 'a', until: '2031-01-01T00:00:00Z' });
    await create({ ...BAN, value: 'ab', reason: 'scans' });
    await create({ kind: 'username', value: 'a' });
    expect(await idsOf('?value=a')).toEqual(['client_id:a', 'username:a']);
    expect(await idsOf('?value[like]=a&kind=client_id')).toEqual(['client_id:a', 'client_id:ab']);
    expect(await idsOf('?reason[like]=scan')).toEqual(['client_id:ab']);
    expect(await idsOf('?until[gte]=2030-01-01T00:00:00Z')).toEqual(['client_id:a']);
    expect(await idsOf('?until[lte]=2030-01-01T00:00:00Z')).toEqual([]);
    expect(await idsOf('?by=flapping')).toEqual([]);
    expect((await operate(api, 'listBans', { path: '?kind=planet' })).status).toBe(400);
    expect((await operate(api, 'listBans', { path: '?reasons=x' })).status).toBe(400);
    const first = await operate(api, 'listBans', { path: '?limit=1&value=a' });
    const { page } = first.body as { page: { next_cursor: string } };
    expect(await idsOf(`?limit=1&value=a&cursor=${page.next_cursor}`)).toEqual(['username:a']);
  });

  it('are replaced, and made by PUT, as their author has seen them', async () => {
    const id = 'client_id:a';
    expect((await put(id, {})).status).toBe(404);
    const made = await put(id, { 'if-none-match': '*' }, { reason: 'first' });
    expect(made).toMatchObject({ status: 201, body: { id, value: 'a', reason: 'first' } });
    expect((await put(id, { 'if-none-match': '*' })).status).toBe(412);
    expect((await put(id, {})).status).toBe(428);
    expect((await put(id, { 'if-match': '"77"' })).status).toBe(412);
    const body = { reason: 'second', until: '2031-01-01T00:00:00.000Z' };
    const replaced = await put(id, { 'if-match': tagOf(made) }, body);
    expect(replaced).toMatchObject({ status: 200, body });
    const { created_at } = made.body as { created_at: string };
    expect(replaced.body).toMatchObject({ created_at });
    const lift = (etag: string) =>
      operate(api, 'deleteBan', { path: pathOf(id), headers: { 'if-match': etag } });
    expect((await lift(tagOf(made))).status).toBe(412);
    expect((await lift(tagOf(replaced))).status).toBe(204);
    const odd = await put('address:10.1.2.3/8', { 'if-none-match': '*' });
    expect(odd).toMatchObject({ status: 422, body: { errors: [{ pointer: '/path/ban_id' }] } });
  });

  it('are changed many at a time, each with its own result', async () => {
    await create({ ...BAN, value: 'old' });
    const wishes = [
      { ...BAN, value: 'new' },
      { ...BAN, value: 'old' },
      { op: 'delete', id: 'client_id:old' },
      { op: 'delete', id: 'client_id:none' },
      { kind: 'ip', value: '10.0.0.0/8' },
      { kind: 'planet', value: 'x' },
      'nonsense',
    ];
    const statuses = (answer: { readonly body: unknown }) =>
      (answer.body as { items: { status: number }[] }).items.map(({ status }) => status);
    const tried = await change(wishes, '?dry_run=true');
    expect(statuses(tried)).toEqual([201, 409, 204, 404, 422, 400, 400]);
    expect(await idsOf()).toEqual(['client_id:old']);
    const changed = await change(wishes);
    expect(statuses(changed)).toEqual([201, 409, 204, 404, 422, 400, 400]);
    expect(changed.body).toMatchObject({
      items: [
        { index: 0, id: 'client_id:new' },
        { index: 1, problem: { code: 'already-exists' } },
        { index: 2, id: 'client_id:old' },
        { index: 3, problem: { code: 'not-found' } },
        { index: 4, problem: { errors: [{ pointer: '/value' }] } },
        { index: 5 },
        { index: 6 },
      ],
    });
    expect(await idsOf()).toEqual(['client_id:new']);
    expect((await change([])).status).toBe(400);
    expect((await change(Array.from({ length: 1_001 }, () => BAN))).status).toBe(400);
  });

  it('are made by nodes as they are told', async () => {
    const read = () => operate(api, 'getAutoBanConfig');
    const before = await read();
    const wanted = {
      ...{ connections_max: 5, connections_per_address_max: 7 },
      ...{ window_seconds: 10, ban_seconds: 20 },
    };
    expect(before.body).toMatchObject({ connections_max: 100, source: 'config' });
    const replace = (headers: Record<string, string>, json: object = wanted) =>
      operate(api, 'replaceAutoBanConfig', { headers, json });
    expect((await replace({})).status).toBe(428);
    const replaced = await replace({ 'if-match': tagOf(before) });
    expect(replaced).toMatchObject({ status: 200, body: { ...wanted, source: 'api' } });
    expect((await replace({ 'if-match': tagOf(before) })).status).toBe(412);
    expect((await read()).body).toEqual(replaced.body);
    expect((await replace({ 'if-match': '*' }, { ...wanted, window_seconds: 0 })).status).toBe(400);
  });
});
