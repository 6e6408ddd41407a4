import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BUILT_IN_ROLES, SCOPES } from '#libs/api-contracts';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { anonymous, bearer, codeOf, makeKey, whoami } from '../../../test/api/callers.ts';
import type { ApiProcess } from './api-process.ts';

const JSON_HEADERS = { 'content-type': 'application/json' };

describe('roles', () => {
  let api: ApiProcess;

  beforeAll(async () => {
    api = await open(await configOf({ SKEIN_API_KEY: KEY }));
  });

  afterAll(() => api.stop());

  const at = (id: string) => ({ path: `/api/v1/roles/${id}` });

  it('are made, shown, replaced and deleted', async () => {
    const json = { id: 'watch_1', description: 'é', scopes: ['stats:read'] };
    const made = await operate(api, 'createRole', { json });
    expect(made).toMatchObject({ status: 201, body: { ...json, built_in: false } });
    expect(made.headers.get('location')).toBe('/api/v1/roles/watch_1');
    expect((await operate(api, 'createRole', { json })).status).toBe(409);
    const shown = await operate(api, 'getRole', at('watch_1'));
    expect(shown).toMatchObject({ status: 200, body: made.body as object });
    const etag = shown.headers.get('etag') ?? '';
    const known = { ...at('watch_1'), headers: { 'if-none-match': etag } };
    expect((await operate(api, 'getRole', known)).status).toBe(304);
    const replace = (headers: Record<string, string>) =>
      operate(api, 'replaceRole', { ...at('watch_1'), headers, json: { scopes: ['alarms:read'] } });
    expect((await replace({})).status).toBe(428);
    expect((await replace({ 'if-match': '"77777"' })).status).toBe(412);
    expect((await replace({ 'if-none-match': '*' })).status).toBe(412);
    expect(await replace({ 'if-match': etag })).toMatchObject({
      status: 200,
      body: { scopes: ['alarms:read'], description: '' },
    });
    const { id, secret } = await makeKey(api, { role: 'watch_1' });
    expect((await whoami(api, bearer(secret))).body).toMatchObject({ scopes: ['alarms:read'] });
    const remove = () =>
      operate(api, 'deleteRole', { ...at('watch_1'), headers: { 'if-match': '*' } });
    expect(codeOf(await remove())).toBe('conflict');
    await operate(api, 'deleteApiKey', { path: `/api/v1/api-keys/${id}` });
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
    const created = await operate(api, 'replaceRole', {
      ...{ ...at('by-put'), headers: { 'if-none-match': '*' }, json: { scopes: [] } },
    });
    expect(created.status).toBe(201);
  });

  it('that are built in are listed with the others in pages, and never change', async () => {
    const ids: string[] = [];
    let path = '?limit=2';
    for (;;) {
      const { body } = await operate(api, 'listRoles', { path });
      const { items, page } = body as {
        items: { id: string; scopes: string[] }[];
        page: { next_cursor?: string };
      };
      ids.push(...items.map(({ id }) => id));
      if (page.next_cursor === undefined) break;
      path = `?limit=2&cursor=${page.next_cursor}`;
    }
    expect(ids).toEqual(ids.toSorted());
    expect(ids).toEqual(expect.arrayContaining(Object.keys(BUILT_IN_ROLES)));
    for (const id of Object.keys(BUILT_IN_ROLES)) {
      const change = { ...at(id), headers: { 'if-match': '*' } };
      const json = { scopes: ['stats:read'] };
      expect(codeOf(await operate(api, 'replaceRole', { ...change, json }))).toBe('conflict');
      expect(codeOf(await operate(api, 'deleteRole', change))).toBe('conflict');
      const again = { id, scopes: [] };
      expect((await operate(api, 'createRole', { json: again })).status).toBe(409);
    }
    expect((await operate(api, 'getRole', at('admin'))).body).toMatchObject({
      scopes: [...SCOPES],
      built_in: true,
    });
  });

  it('are listed by what is asked of them', async () => {
    for (const id of ['crew_1', 'crew_2']) {
      await operate(api, 'createRole', { json: { id, scopes: ['stats:read'] } });
    }
    const idsOf = async (path: string) =>
      ((await operate(api, 'listRoles', { path })).body as { items: { id: string }[] }).items.map(
        ({ id }) => id,
      );
    expect(await idsOf('?id[like]=crew_')).toEqual(['crew_1', 'crew_2']);
    expect(await idsOf('?id[in]=crew_2,admin&built_in=false')).toEqual(['crew_2']);
    expect(await idsOf('?built_in=true')).toEqual(Object.keys(BUILT_IN_ROLES).toSorted());
    expect(await idsOf('?scope=messages:publish')).toEqual(['admin', 'publisher']);
    expect(await idsOf('?scope=stats:read&id[like]=crew_2')).toEqual(['crew_2']);
    for (const [name, role] of [
      ['crew-1', 'viewer'],
      ['crew-2', 'publisher'],
    ] as const) {
      const json = { role, subject: { kind: 'group', name } };
      await operate(api, 'createRoleBinding', { json });
    }
    const bound = async (path: string) =>
      (
        (await operate(api, 'listRoleBindings', { path })).body as {
          items: { subject: { name: string } }[];
        }
      ).items.map(({ subject }) => subject.name);
    expect(await bound('?subject_name[like]=crew-&role=viewer')).toEqual(['crew-1']);
    expect(await bound('?subject_kind=group&role[in]=publisher,admin')).toEqual(['crew-2']);
    expect(await bound('?subject_kind=subject')).toEqual([]);
    const { body } = await operate(api, 'listRoleBindings');
    for (const { id } of (body as { items: { id: string }[] }).items) {
      const path = `/api/v1/role-bindings/${id}`;
      await operate(api, 'deleteRoleBinding', { path, headers: { 'if-match': '*' } });
    }
  });

  it.each([
    [{ id: 'A', scopes: [] }, '/id'],
    [{ id: 'a'.repeat(65), scopes: [] }, '/id'],
    [{ id: 'a/b', scopes: [] }, '/id'],
    [{ id: 'a', scopes: ['all'] }, '/scopes/0'],
    [{ id: 'a', scopes: ['messages:read'] }, '/scopes/0'],
    [{ id: 'a' }, '/scopes'],
  ])('are refused when they are %j', async (json, pointer) => {
    const errors = expect.arrayContaining([expect.objectContaining({ pointer })]);
    expect(await operate(api, 'createRole', { json })).toMatchObject({
      status: 400,
      body: { errors },
    });
  });

  it('are given by bindings, which are changed as their author has seen them', async () => {
    const { id, secret } = await makeKey(api, { scopes: ['stats:read'] });
    const json = { role: 'viewer', subject: { kind: 'api_key', name: id } };
    const made = await operate(api, 'createRoleBinding', { json });
    expect(made).toMatchObject({ status: 201, body: json });
    const path = made.headers.get('location') ?? '';
    const rolesOf = async () =>
      ((await whoami(api, bearer(secret))).body as { roles: string[] }).roles;
    expect(await rolesOf()).toEqual(['viewer']);
    expect((await operate(api, 'getRoleBinding', { path })).body).toEqual(made.body);
    expect((await operate(api, 'listRoleBindings')).body).toMatchObject({ items: [made.body] });
    const next = { ...json, role: 'publisher' };
    const replace = (headers: Record<string, string>) =>
      operate(api, 'replaceRoleBinding', { path, headers, json: next });
    expect((await replace({})).status).toBe(428);
    const etag = made.headers.get('etag') ?? '';
    expect(await replace({ 'if-match': etag })).toMatchObject({ status: 200, body: next });
    expect((await replace({ 'if-match': etag })).status).toBe(412);
    expect(await rolesOf()).toEqual(['publisher']);
    const remove = () => operate(api, 'deleteRoleBinding', { path, headers: { 'if-match': '*' } });
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
    expect(await rolesOf()).toEqual([]);
  });
});

describe('the last who may do everything', () => {
  it('stays, however many admins remove each other at once', async () => {
    const api = await open(await configOf({}));
    const first = await anonymous(api, '/api/v1/api-keys', {
      ...{ method: 'POST', headers: JSON_HEADERS },
      body: JSON.stringify({ name: 'first', role: 'admin' }),
    });
    const own = first.body as { id: string; secret: string };
    const admins = [own];
    for (let index = 0; index < 5; index += 1) {
      admins.push(await makeKey(api, { role: 'admin' }, own.secret));
    }
    const drops = admins.map(({ id }, index) =>
      operate(api, 'deleteApiKey', {
        path: `/api/v1/api-keys/${id}`,
        headers: bearer(admins.at(index - 1)?.secret ?? ''),
      }),
    );
    const gone = (await Promise.all(drops)).filter(({ status }) => status === 204);
    expect(gone.length).toBeLessThan(admins.length);
    const left: unknown[] = [];
    for (const admin of admins) {
      const { status, body } = await whoami(api, bearer(admin.secret));
      if (status === 200) left.push(body);
    }
    expect(left).toHaveLength(admins.length - gone.length);
    expect(left[0]).toMatchObject({ roles: ['admin'] });
    await api.stop();
  });

  it('may be whoever the last binding names', async () => {
    const api = await open(await configOf({}));
    const first = await anonymous(api, '/api/v1/api-keys', {
      ...{ method: 'POST', headers: JSON_HEADERS },
      body: JSON.stringify({ name: 'first', role: 'admin' }),
    });
    const { id, secret } = first.body as { id: string; secret: string };
    await operate(api, 'createRole', {
      ...{ json: { id: 'all', scopes: SCOPES }, headers: bearer(secret) },
    });
    const plain = await makeKey(api, { scopes: ['stats:read'] }, secret);
    const json = { role: 'all', subject: { kind: 'api_key', name: plain.id } };
    const bound = await operate(api, 'createRoleBinding', { json, headers: bearer(secret) });
    const headers = { ...bearer(plain.secret), 'if-match': '*' };
    expect(
      (await operate(api, 'deleteApiKey', { path: `/api/v1/api-keys/${id}`, headers })).status,
    ).toBe(204);
    const path = bound.headers.get('location') ?? '';
    expect(codeOf(await operate(api, 'deleteRoleBinding', { path, headers }))).toBe('conflict');
    const less = { ...json, role: 'viewer' };
    expect(codeOf(await operate(api, 'replaceRoleBinding', { path, headers, json: less }))).toBe(
      'conflict',
    );
    const role = { path: '/api/v1/roles/all', headers, json: { scopes: ['stats:read'] } };
    expect(codeOf(await operate(api, 'replaceRole', role))).toBe('conflict');
    await api.stop();
  });
});
