import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { KEY, call, configOf, open, operate, type Answer } from '../../../test/api/api-harness.ts';
import {
  anonymous,
  basic,
  bearer,
  callAs,
  codeOf,
  makeKey,
  whoami,
} from '../../../test/api/callers.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const DEADLINE_MS = 20_000;
const KEYS = '/api/v1/api-keys';

describe('without a key of the configuration', () => {
  let api: ApiProcess;

  beforeAll(async () => {
    api = await open(await configOf({}));
  });

  afterAll(() => api.stop());

  const post = (json: object, headers = {}) =>
    anonymous(api, KEYS, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(json),
    });

  it('this machine is served until there is a first key, which has to be an admin and stays', async () => {
    expect(await anonymous(api, '/api/v1/whoami')).toMatchObject({
      status: 200,
      body: { kind: 'local', id: 'local', roles: ['admin'] },
    });
    const refused = await post({ name: 'v', role: 'viewer' });
    expect(refused).toMatchObject({ status: 409, body: { code: 'conflict' } });
    const made = await post({ name: 'a', role: 'admin' });
    expect(made).toMatchObject({ status: 201, body: { role: 'admin', created_by: 'local' } });
    const { id, secret } = made.body as { id: string; secret: string };
    expect((await anonymous(api, '/api/v1/whoami')).status).toBe(401);
    expect((await post({ name: 'b', role: 'admin' })).status).toBe(401);
    expect((await anonymous(api, '/api/openapi.json')).status).toBe(200);
    const gone = await callAs(api, secret, { path: `${KEYS}/${id}`, method: 'DELETE' });
    expect(gone).toMatchObject({ status: 409, body: { code: 'conflict' } });
    const lower = await operate(api, 'patchApiKey', {
      path: `${KEYS}/${id}`,
      json: { role: 'viewer' },
      headers: { ...bearer(secret), 'if-match': '*' },
    });
    expect(lower.status).toBe(409);
    const other = await makeKey(api, { role: 'admin' }, secret);
    const kill = (each: string) =>
      callAs(api, secret, { path: `${KEYS}/${each}`, method: 'DELETE' });
    expect((await kill(other.id)).status).toBe(204);
    expect((await kill(id)).status).toBe(409);
  });
});

describe('API keys', () => {
  let api: ApiProcess;
  let node: FakeNode;

  beforeAll(async () => {
    const config = await configOf({
      ...{ SKEIN_API_KEY: KEY, SKEIN_API_NODE_TIMEOUT_MS: '7000' },
      SKEIN_API_RATE_LIMITS_FAILURES_PER_SECOND: '0',
    });
    node = new FakeNode('n1', config, ['n1']);
    await node.server.open();
    api = await open(config);
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  const statusOf = async (headers: Record<string, string>) => (await whoami(api, headers)).status;

  it('show their secret once, and never again', async () => {
    const { secret, ...made } = await makeKey(api, { role: 'viewer', name: 'é 😀' });
    expect(secret).toMatch(/^skn_[a-z0-9]{16}_[\w-]{43}$/);
    expect(secret.startsWith(`${made.prefix}_`)).toBe(true);
    const shown = await operate(api, 'getApiKey', { path: `${KEYS}/${made.id}` });
    expect(shown).toMatchObject({ status: 200, body: made });
    const listed = await operate(api, 'listApiKeys');
    expect(JSON.stringify([shown.body, listed.body])).not.toContain(secret.slice(21));
    expect((listed.body as { items: object[] }).items).toContainEqual(made);
    const etag = shown.headers.get('etag') ?? '';
    const known = { path: `${KEYS}/${made.id}`, headers: { 'if-none-match': etag } };
    expect((await operate(api, 'getApiKey', known)).status).toBe(304);
  });

  it('are shown as Bearer or Basic, and nothing else is taken for one', async () => {
    const { id, prefix, secret } = await makeKey(api, { role: 'viewer' });
    const other = await makeKey(api, { role: 'viewer' });
    const taken = [
      bearer(secret),
      { authorization: `bearer   ${secret}` },
      basic(id, secret),
      basic(prefix, secret),
      basic('bootstrap', KEY),
      bearer(KEY),
    ];
    for (const headers of taken) expect([headers, await statusOf(headers)]).toEqual([headers, 200]);
    const refused = [
      bearer(`${secret}x`),
      bearer(`${secret.slice(0, -1)}${secret.endsWith('A') ? 'B' : 'A'}`),
      bearer(secret.toUpperCase()),
      bearer(prefix),
      bearer(`${other.prefix}${secret.slice(20)}`),
      bearer(`skn_${'2'.repeat(16)}_${'A'.repeat(43)}`),
      bearer(`${KEY} `.repeat(2)),
      bearer(KEY.slice(0, -1)),
      basic(other.id, secret),
      basic('', secret),
      basic(id, `${secret}:`),
      basic(`${id}:${secret}`, ''),
      basic('admin', KEY),
      { authorization: secret },
      { authorization: 'Basic !!!' },
      { authorization: `Digest ${secret}` },
      { authorization: 'Bearer ' },
    ];
    for (const headers of refused) {
      const answer = await whoami(api, headers);
      expect([headers, answer.status, codeOf(answer)]).toEqual([headers, 401, 'unauthenticated']);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="skein"');
    }
    expect((await anonymous(api, '/api/v1/whoami')).status).toBe(401);
    expect((await anonymous(api, '/api/v1/nothing-here')).status).toBe(401);
  });

  it('are not taken by Basic from the pages of others, whose browser may have kept them', async () => {
    const { id, secret } = await makeKey(api, { role: 'viewer' });
    const host = new URL(api.url).host;
    const own = basic(id, secret);
    for (const headers of [
      { ...own, origin: 'https://evil.example' },
      { ...own, origin: 'null' },
    ]) {
      expect(codeOf(await whoami(api, headers))).toBe('forbidden');
    }
    expect(await statusOf({ ...own, origin: `http://${host}` })).toBe(200);
    expect(await statusOf({ ...bearer(secret), origin: 'https://elsewhere.example' })).toBe(200);
  });

  it('expire', async () => {
    const expiresAt = new Date(Date.now() + 400).toISOString();
    const { secret } = await makeKey(api, { role: 'viewer', expires_at: expiresAt });
    expect(await statusOf(bearer(secret))).toBe(200);
    const answers: Answer[] = [];
    await until(async () => {
      answers.push(await whoami(api, bearer(secret)));
      expect(answers.at(-1)).toMatchObject({ status: 401, body: { code: 'expired-credential' } });
    }, DEADLINE_MS);
  });

  it('get another secret, and keep the one before for as long as is said', async () => {
    const { id, secret } = await makeKey(api, { role: 'viewer' });
    const rotate = async (overlap: number) => {
      const path = `${KEYS}/${id}/rotations`;
      const { status, body } = await operate(api, 'rotateApiKey', {
        path,
        json: { overlap_seconds: overlap },
      });
      expect(status).toBe(201);
      return body as { secret: string; previous_secret_expires_at: string | null };
    };
    const second = await rotate(3_600);
    expect(second.previous_secret_expires_at).not.toBeNull();
    expect([await statusOf(bearer(secret)), await statusOf(bearer(second.secret))]).toEqual([
      200, 200,
    ]);
    const third = await rotate(1);
    expect(await statusOf(bearer(secret))).toBe(401);
    expect(await statusOf(bearer(third.secret))).toBe(200);
    await until(async () => expect(await statusOf(bearer(second.secret))).toBe(401), DEADLINE_MS);
    const fourth = await rotate(0);
    expect(fourth.previous_secret_expires_at).toBeNull();
    expect(await statusOf(bearer(third.secret))).toBe(401);
  });

  it('are changed as their author has seen them, and revoked', async () => {
    const { id, secret } = await makeKey(api, { role: 'viewer', topic_prefixes: ['a'] });
    const path = `${KEYS}/${id}`;
    const patch = (json: object, headers: Record<string, string>) =>
      operate(api, 'patchApiKey', { path, json, headers });
    expect((await patch({ name: 'b' }, {})).status).toBe(428);
    expect((await patch({ name: 'b' }, { 'if-match': '"99999"' })).status).toBe(412);
    const changed = await patch(
      { role: null, scopes: ['stats:read'], topic_prefixes: null },
      { 'if-match': '*' },
    );
    const expected = { role: null, scopes: ['stats:read'], topic_prefixes: null };
    expect(changed).toMatchObject({ status: 200, body: expected });
    expect((await whoami(api, bearer(secret))).body).toMatchObject({ scopes: ['stats:read'] });
    expect((await patch({ scopes: [] }, { 'if-match': '*' })).status).toBe(422);
    await until(async () => {
      const { body } = await operate(api, 'getApiKey', { path });
      expect(body).toMatchObject({ last_used_at: expect.any(String) });
    }, DEADLINE_MS);
    const etag = changed.headers.get('etag') ?? '';
    const revoke = (headers: Record<string, string>) =>
      operate(api, 'deleteApiKey', { path, headers });
    expect((await revoke({ 'if-match': '"1"' })).status).toBe(412);
    expect((await revoke({ 'if-match': etag })).status).toBe(204);
    expect(await statusOf(bearer(secret))).toBe(401);
    expect((await revoke({})).status).toBe(404);
    expect((await operate(api, 'getApiKey', { path })).status).toBe(404);
  });

  it.each([
    [{ name: '', role: 'viewer' }, 400, '/name'],
    [{ name: 'a' }, 400, '/role'],
    [{ name: 'a', role: 'nobody' }, 422, '/role'],
    [{ name: 'a', scopes: ['system:fly'] }, 400, '/scopes/0'],
    [{ name: 'a', role: 'viewer', allowed_cidrs: ['10.0.0.0/33'] }, 422, '/allowed_cidrs/0'],
    [{ name: 'a', role: 'viewer', allowed_cidrs: ['all'] }, 422, '/allowed_cidrs/0'],
    [{ name: 'a', role: 'viewer', topic_prefixes: ['a/#'] }, 400, '/topic_prefixes/0'],
    [{ name: 'a', role: 'viewer', expires_at: 'soon' }, 400, '/expires_at'],
    [{ name: 'a', role: 'viewer', secret: 'mine' }, 400, '/secret'],
  ])('are refused when they are %j', async (json, status, pointer) => {
    const errors = [expect.objectContaining({ pointer })];
    expect(await operate(api, 'createApiKey', { json })).toMatchObject({
      status,
      body: { errors },
    });
  });

  it('may be used from their addresses only, which no header changes', async () => {
    const { secret } = await makeKey(api, { role: 'viewer', allowed_cidrs: ['10.0.0.0/8'] });
    const local = await makeKey(api, { role: 'viewer', allowed_cidrs: ['::1', '127.0.0.0/8'] });
    expect(await statusOf(bearer(local.secret))).toBe(200);
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-client-ip']) {
      const answer = await whoami(api, { ...bearer(secret), [name]: '10.1.2.3' });
      expect(answer).toMatchObject({ status: 403, body: { code: 'ip-not-allowed' } });
    }
  });

  it('give nobody more than who makes them has', async () => {
    const scopes = ['api_keys:read', 'api_keys:write', 'roles:read', 'roles:write', 'stats:read'];
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const later = new Date(Date.now() + 7_200_000).toISOString();
    const bound = { topic_prefixes: ['a/b'], allowed_cidrs: ['127.0.0.0/8'], expires_at: soon };
    const { secret } = await makeKey(api, { scopes, ...bound });
    const admin = await makeKey(api, { role: 'admin' });
    const create = (json: object) =>
      operate(api, 'createApiKey', {
        json: { name: 'x', scopes: ['stats:read'], ...bound, ...json },
        headers: bearer(secret),
      });
    expect((await create({})).status).toBe(201);
    expect((await create({ topic_prefixes: ['a/b/c'], allowed_cidrs: ['127.0.0.1'] })).status).toBe(
      201,
    );
    const more = [
      { scopes: ['stats:read', 'system:read'] },
      { role: 'viewer' },
      { role: 'admin' },
      { topic_prefixes: ['a'] },
      { topic_prefixes: ['a/b', 'a/bc'] },
      { topic_prefixes: undefined },
      { allowed_cidrs: [] },
      { allowed_cidrs: ['126.0.0.0/7'] },
      { allowed_cidrs: ['::/0'] },
      { expires_at: later },
      { expires_at: undefined },
    ];
    for (const json of more) {
      expect([json, codeOf(await create(json))]).toEqual([json, 'scope-escalation']);
    }
    const as = { headers: bearer(secret) };
    const rotated = await operate(api, 'rotateApiKey', {
      ...{ ...as, path: `${KEYS}/${admin.id}/rotations`, json: {} },
    });
    expect(codeOf(rotated)).toBe('scope-escalation');
    const patched = await operate(api, 'patchApiKey', {
      ...{ path: `${KEYS}/${admin.id}`, json: { name: 'mine' } },
      headers: { ...bearer(secret), 'if-match': '*' },
    });
    expect(codeOf(patched)).toBe('scope-escalation');
    const role = { id: 'more', scopes: ['stats:read'] };
    expect(codeOf(await operate(api, 'createRole', { ...as, json: role }))).toBe(
      'scope-escalation',
    );
    const binding = { role: 'admin', subject: { kind: 'group', name: 'me' } };
    expect(codeOf(await operate(api, 'createRoleBinding', { ...as, json: binding }))).toBe(
      'scope-escalation',
    );
  });

  it('publish and look below their topics only', async () => {
    const prefixes = { scopes: ['messages:publish', 'retained:read', 'retained:write'] };
    const { secret } = await makeKey(api, { ...prefixes, topic_prefixes: ['plants/7', 'b/'] });
    const headers = bearer(secret);
    const publish = async (topic: string) =>
      codeOf(await operate(api, 'publishMessage', { json: { topic, payload: '' }, headers }));
    for (const topic of ['plants/7', 'plants/7/', 'plants/7/a/b', 'b', 'b/x']) {
      expect([topic, await publish(topic)]).toEqual([topic, undefined]);
    }
    for (const topic of ['plants/70', 'plants', 'c', '/plants/7', '$delayed/1/c', 'plants//7/x']) {
      expect([topic, await publish(topic)]).toEqual([topic, 'topic-not-allowed']);
    }
    const look = async (query: string) =>
      codeOf(await operate(api, 'listRetainedMessages', { path: `?${query}`, headers }));
    expect(await look('filter=plants/7/%23')).toBeUndefined();
    expect(await look('filter=plants/7/%2B/x')).toBeUndefined();
    for (const query of ['', 'filter=%23', 'filter=plants/%2B', 'filter=%2B/7', 'limit=1']) {
      expect([query, await look(query)]).toEqual([query, 'topic-not-allowed']);
    }
  });

  it('subscribe clients below their topics only', async () => {
    const prefixes = { scopes: ['subscriptions:write'], topic_prefixes: ['plants/7'] };
    const { secret } = await makeKey(api, prefixes);
    const path = '/api/v1/clients/c1/subscriptions';
    const ask = async (id: 'subscribeClient' | 'unsubscribeClient', json?: unknown, query = '') =>
      codeOf(await operate(api, id, { path: `${path}${query}`, headers: bearer(secret), json }));
    const ours = { filter: 'plants/7/#' };
    for (const body of [{ filter: '#' }, [ours, { filter: '$share/g/plants/8' }]]) {
      expect(await ask('subscribeClient', body)).toBe('topic-not-allowed');
    }
    expect(await ask('unsubscribeClient', undefined, '?filter=%23')).toBe('topic-not-allowed');
    for (const body of [ours, [ours, { filter: '$share/g/plants/7/x' }]]) {
      expect(await ask('subscribeClient', body)).not.toBe('topic-not-allowed');
    }
  });

  it('are listed by what is asked of them, in pages', async () => {
    const expires_at = '2036-01-01T00:00:00Z';
    for (const name of ['press/1', 'press/2', 'press/3']) {
      await makeKey(api, { name, role: 'viewer', expires_at });
    }
    const paint = await makeKey(api, { name: 'paint', scopes: ['stats:read'] });
    await whoami(api, bearer(paint.secret));
    const namesOf = async (path: string) => {
      const { status, body } = await operate(api, 'listApiKeys', { path });
      const { items, page } = body as {
        items: { name: string }[];
        page: { next_cursor?: string };
      };
      return { status, names: items.map(({ name }) => name).toSorted(), next: page.next_cursor };
    };
    const all = ['press/1', 'press/2', 'press/3'];
    for (const query of [
      ...['name[like]=press/', 'name[like]=press&role[in]=viewer,admin'],
      ...[
        `expires_at[lte]=${expires_at}&name[like]=p`,
        `expires_at[gte]=${expires_at}&role=viewer`,
      ],
    ]) {
      expect(await namesOf(`?${query}`)).toMatchObject({ names: all, next: undefined });
    }
    expect((await namesOf('?name=paint')).names).toEqual(['paint']);
    expect((await namesOf(`?prefix=${paint.prefix}`)).names).toEqual(['paint']);
    expect((await namesOf('?name[like]=p&last_used_at[gte]=2020-01-01T00:00:00Z')).names).toEqual([
      'paint',
    ]);
    expect((await namesOf('?created_by=nobody')).names).toEqual([]);
    expect((await namesOf('?created_at[gte]=2999-01-01T00:00:00Z')).names).toEqual([]);
    const first = await namesOf('?name[like]=press/&limit=2');
    const rest = await namesOf(`?name[like]=press/&limit=2&cursor=${first.next ?? ''}`);
    expect([...first.names, ...rest.names].toSorted()).toEqual(all);
    expect(rest.next).toBeUndefined();
    expect(codeOf(await call(api, '/api/v1/api-keys?secret=x'))).toBe('unknown-parameter');
  });

  it('have cursors of their own', async () => {
    const first = await makeKey(api, { role: 'viewer', scopes: ['api_keys:read'] });
    const second = await makeKey(api, { role: 'viewer', scopes: ['api_keys:read'] });
    const page = await operate(api, 'listApiKeys', {
      ...{ path: '?limit=1', headers: bearer(first.secret) },
    });
    const cursor = (page.body as { page: { next_cursor: string } }).page.next_cursor;
    const next = (secret: string) =>
      operate(api, 'listApiKeys', { path: `?cursor=${cursor}`, headers: bearer(secret) });
    expect((await next(first.secret)).status).toBe(200);
    expect(codeOf(await next(second.secret))).toBe('invalid-cursor');
  });
});

describe('behind a proxy that is trusted', () => {
  it('addresses are those that it tells, and what callers add before counts for nothing', async () => {
    const config = await configOf({
      ...{ SKEIN_API_KEY: KEY, SKEIN_API_TRUSTED_PROXIES: '127.0.0.1,10.9.9.9' },
    });
    const api = await open(config);
    const { secret } = await makeKey(api, { role: 'viewer', allowed_cidrs: ['10.0.0.0/8'] });
    const from = async (chain: string) =>
      (await whoami(api, { ...bearer(secret), 'x-forwarded-for': chain })).status;
    expect(await from('10.1.2.3')).toBe(200);
    expect(await from('192.168.0.1')).toBe(403);
    expect(await from('10.1.2.3, 192.168.0.1')).toBe(403);
    expect(await from('192.168.0.1, 10.1.2.3, 10.9.9.9')).toBe(200);
    expect((await whoami(api, bearer(secret))).status).toBe(403);
    await api.stop();
  });
});
