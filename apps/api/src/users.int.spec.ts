import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const PASSWORD = 'planted-secret-of-a-user';
const RULE = { effect: 'allow', topics: ['a/#'] };
const USER = { name: 'a/+ é', password: PASSWORD, groups: ['crew'], acl: [RULE] };
const PATH = `/api/v1/users/${encodeURIComponent(USER.name)}`;
const SHOWN = {
  name: USER.name,
  groups: ['crew'],
  acl: [{ ...RULE, actions: ['publish', 'subscribe'] }],
  scram: false,
  password_set_at: '1970-01-01T00:00:00.000Z',
};

describe('stored users over REST', () => {
  let api: ApiProcess;
  let node: FakeNode;

  beforeAll(async () => {
    const own = { SKEIN_AUTH_HASH_COST: '10', SKEIN_AUTH_ITERATIONS: '4096' };
    const config = await configOf({
      ...{ SKEIN_API_KEY: KEY, SKEIN_API_NODE_TIMEOUT_MS: '7000' },
      ...own,
    });
    node = new FakeNode('n1', config, ['n1']);
    await node.server.open();
    api = await open(config);
  });

  beforeEach(() => {
    node.users.clear();
    node.received.length = 0;
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  const put = (headers: Record<string, string>, json: object) =>
    operate(api, 'replaceUser', { path: PATH, headers, json });
  const patch = (headers: Record<string, string>, json: object) =>
    operate(api, 'patchUser', { path: PATH, headers, json });
  /** What was made of passwords, by command. */
  const credentials = () =>
    node.received.flatMap((command) => (command.kind === 'put-user' ? [command.credentials] : []));

  it('are made, shown, listed and deleted', async () => {
    const made = await operate(api, 'createUser', { json: USER });
    expect(made).toMatchObject({ status: 201, body: SHOWN });
    expect(made.headers.get('location')).toBe(PATH);
    const etag = made.headers.get('etag') ?? '';
    expect((await operate(api, 'createUser', { json: USER })).status).toBe(409);
    expect((await operate(api, 'getUser', { path: PATH })).body).toEqual(SHOWN);
    const known = { path: PATH, headers: { 'if-none-match': etag } };
    expect((await operate(api, 'getUser', known)).status).toBe(304);
    expect((await operate(api, 'listUsers')).body).toMatchObject({ items: [SHOWN] });
    const remove = (headers: Record<string, string>) =>
      operate(api, 'deleteUser', { path: PATH, headers });
    expect((await remove({})).status).toBe(428);
    expect((await remove({ 'if-match': '"77"' })).status).toBe(412);
    expect((await remove({ 'if-match': etag })).status).toBe(204);
    expect((await operate(api, 'getUser', { path: PATH })).status).toBe(404);
    expect((await remove({ 'if-match': etag })).status).toBe(404);
  });

  it('go on to nodes without their passwords', async () => {
    await operate(api, 'createUser', { json: USER });
    const more = { ...USER, name: 'b', scram: true };
    expect((await operate(api, 'createUser', { json: more })).body).toMatchObject({ scram: true });
    expect(JSON.stringify(node.received)).not.toContain(PASSWORD);
    expect(credentials()).toEqual([
      [expect.stringMatching(/^\$scrypt\$ln=10,/)],
      [
        expect.stringMatching(/^\$scrypt\$ln=10,/),
        expect.stringMatching(/^SCRAM-SHA-256\$4096:/),
        expect.stringMatching(/^SCRAM-SHA-512\$4096:/),
      ],
    ]);
  });

  it('are replaced, and created by PUT, as their author has seen them', async () => {
    expect((await put({ 'if-none-match': '*' }, { groups: [] })).status).toBe(422);
    const created = await put({ 'if-none-match': '*' }, { password: PASSWORD });
    expect(created).toMatchObject({ status: 201, body: { name: USER.name, groups: [], acl: [] } });
    expect((await put({ 'if-none-match': '*' }, { password: PASSWORD })).status).toBe(412);
    expect((await put({}, { groups: [] })).status).toBe(428);
    const etag = created.headers.get('etag') ?? '';
    const replaced = await put({ 'if-match': etag }, { groups: ['crew'], acl: [RULE] });
    expect(replaced).toMatchObject({ status: 200, body: SHOWN });
    expect(credentials().at(-1)).toBeUndefined();
    expect((await put({ 'if-match': etag }, { groups: [] })).status).toBe(412);
  });

  it('are changed in part, and get another password', async () => {
    const etag = (await operate(api, 'createUser', { json: USER })).headers.get('etag') ?? '';
    const changed = await patch({ 'if-match': etag }, { groups: [] });
    expect(changed).toMatchObject({ status: 200, body: { ...SHOWN, groups: [] } });
    expect(credentials().at(-1)).toBeUndefined();
    const secret = { password: 'low water', scram: true };
    const set = await patch({ 'if-match': changed.headers.get('etag') ?? '' }, secret);
    expect(set).toMatchObject({ status: 200, body: { groups: [], scram: true } });
    expect(credentials().at(-1)).toHaveLength(3);
    // What a merge patch does not name stays.
    const next = await patch(
      { 'if-match': set.headers.get('etag') ?? '' },
      { password: 'neap tide' },
    );
    expect(next).toMatchObject({ status: 200, body: { scram: true } });
    expect(credentials().at(-1)).toHaveLength(3);
    const without = { password: 'neap tide', scram: false };
    const last = await patch({ 'if-match': next.headers.get('etag') ?? '' }, without);
    expect(last).toMatchObject({ status: 200, body: { scram: false } });
  });

  it.each([
    [{ ...USER, name: '' }, 400, '/name'],
    [{ ...USER, name: '..' }, 400, '/name'],
    [{ ...USER, name: 'a\u0007' }, 422, '/name'],
    [{ ...USER, name: '\u00ad' }, 422, '/name'],
    [{ ...USER, password: 'a\u0007' }, 422, '/password'],
    [{ ...USER, password: '' }, 400, '/password'],
    [{ ...USER, acl: [{ ...RULE, who: {} }] }, 400, '/acl/0/who'],
    [{ ...USER, credentials: [] }, 400, '/credentials'],
  ])('are refused when they are %j', async (json, status, pointer) => {
    const errors = [expect.objectContaining({ pointer })];
    expect(await operate(api, 'createUser', { json })).toMatchObject({ status, body: { errors } });
    expect(credentials()).toEqual([]);
  });

  it('are refused with rules that cannot be, and with SCRAM but no password', async () => {
    const retained = { ...USER, acl: [{ ...RULE, retain: true }] };
    expect((await operate(api, 'createUser', { json: retained })).status).toBe(422);
    const other = await operate(api, 'createUser', { json: { ...USER, groups: ['nobody'] } });
    expect(other).toMatchObject({ status: 422, body: { detail: 'not that' } });
    const errors = [expect.objectContaining({ pointer: '/scram' })];
    const lonely = await patch({ 'if-match': '*' }, { scram: true });
    expect(lonely).toMatchObject({ status: 400, body: { errors } });
  });
});
