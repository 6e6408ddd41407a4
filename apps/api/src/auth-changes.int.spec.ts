import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AuthDocument, AuthSource } from '#libs/access';
import { loadConfig } from '#libs/config';
import { LocalDefinitionStore } from '#libs/store-local';
import { startRedis, until, type RedisServer } from '#libs/testkit';
import {
  DEADLINE_MS,
  KEY,
  configOf,
  expectProblem,
  open,
  operate,
} from '../../../test/api/api-harness.ts';
import { fakeAuth } from '../../../test/api/fake-auth.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const PLANTED = 'planted-secret-of-a-backend';
const CHAIN = [{ kind: 'stored' }, { kind: 'certificate' }];
const HOOK = {
  id: 'hook',
  kind: 'webhook',
  settings: {
    ...{ url: 'https://login.example/mqtt', timeout_ms: 500 },
    headers: { authorization: { env: 'AUTH_SECRET_HOOK' } },
  },
};
const AT = (id: string) => `/api/v1/auth/backends/${id}`;
const source: AuthSource = { backend: 'password', login: async () => ({ kind: 'not-mine' }) };

describe('changing who is asked who a client is', () => {
  let redis: RedisServer;
  let api: ApiProcess;
  let nodes: FakeNode[];

  beforeAll(async () => {
    redis = await startRedis();
    const config = await configOf({
      ...{ SKEIN_REDIS_URL: redis.url, SKEIN_API_KEY: KEY, SKEIN_API_NODE_TIMEOUT_MS: '1000' },
    });
    const ids = ['n1', 'n2'];
    nodes = ids.map((id) => new FakeNode(id, config, ids));
    for (const { server } of nodes) await server.open();
    api = await open(config);
    await until(async () => {
      const { body } = await operate(api, 'getStatus');
      return (body as { meta?: { partial: boolean } }).meta?.partial === false;
    }, DEADLINE_MS);
  });

  beforeEach(() => {
    const env = { SKEIN_AUTH_CHAIN: JSON.stringify(CHAIN), SKEIN_AUTH_SALT_SECRET: 'x'.repeat(16) };
    const parts = {
      listeners: ['tcp', 'tls'],
      store: new LocalDefinitionStore<AuthDocument>('settings'),
    };
    for (const node of nodes) {
      node.auth = fakeAuth(loadConfig({ env }), [source, source], parts);
      node.mute = new Set();
    }
  });

  afterAll(async () => {
    await api.stop();
    for (const { server } of nodes) await server.close();
    await redis.stop();
  });

  const chain = async (listener: string) => {
    const path = `/api/v1/auth/chains/${listener}`;
    const { body, headers } = await operate(api, 'getAuthChain', { path });
    return { ...(body as { backends: string[]; own: boolean }), etag: headers.get('etag') ?? '' };
  };
  const putChain = (listener: string, backends: string[] | null, etag?: string) =>
    operate(api, 'replaceAuthChain', {
      path: `/api/v1/auth/chains/${listener}`,
      json: { backends },
      headers: etag === undefined ? {} : { 'if-match': etag },
    });
  const order = (ids: string[], etag: string) =>
    operate(api, 'orderAuthBackends', { json: { ids }, headers: { 'if-match': etag } });

  it('makes, shows, changes and deletes a backend', async () => {
    const made = await operate(api, 'createAuthBackend', { json: HOOK });
    expect(made.status).toBe(201);
    expect(made.headers.get('location')).toBe(AT('hook'));
    expect(made.body).toMatchObject({
      ...{ id: 'hook', kind: 'webhook', source: 'api' },
      settings: { ...HOOK.settings, cache_ms: 60_000 },
    });
    expect(await chain('tcp')).toMatchObject({ backends: ['stored', 'certificate', 'hook'] });
    expectProblem(await operate(api, 'createAuthBackend', { json: HOOK }));
    const path = AT('hook');
    const seen = { 'if-match': made.headers.get('etag') ?? '' };
    const settings = { timeout_ms: null, cache_ms: 0 };
    const patched = await operate(api, 'patchAuthBackend', {
      ...{ path, json: { settings }, headers: seen },
    });
    expect(patched.body).toMatchObject({
      settings: { timeout_ms: 3_000, cache_ms: 0, headers: HOOK.settings.headers },
    });
    const stale = { path, json: { settings }, headers: seen };
    expect((await operate(api, 'patchAuthBackend', stale)).status).toBe(412);
    expect((await operate(api, 'deleteAuthBackend', { path })).status).toBe(428);
    const now = { 'if-match': patched.headers.get('etag') ?? '' };
    const json = { kind: 'jwt', settings: { jwks_url: 'https://login.example/keys' } };
    const replaced = await operate(api, 'replaceAuthBackend', { path, json, headers: now });
    expect(replaced.body).toMatchObject({ kind: 'jwt', settings: json.settings });
    const last = { 'if-match': replaced.headers.get('etag') ?? '' };
    expect((await operate(api, 'deleteAuthBackend', { path, headers: last })).status).toBe(204);
    expect((await operate(api, 'getAuthBackend', { path })).status).toBe(404);
    const anew = { path, json, headers: { 'if-none-match': '*' } };
    expect((await operate(api, 'replaceAuthBackend', anew)).status).toBe(201);
    expect((await operate(api, 'replaceAuthBackend', anew)).status).toBe(412);
  });

  it('sets who is asked at one listener, and takes it back', async () => {
    const { etag } = await chain('tls');
    expect((await putChain('tls', ['certificate'])).status).toBe(428);
    const set = await putChain('tls', ['certificate'], etag);
    expect(set.body).toMatchObject({ backends: ['certificate'], own: true });
    expect(await chain('tcp')).toMatchObject({ backends: ['stored', 'certificate'], own: false });
    expect((await putChain('tls', null, etag)).status).toBe(412);
    const now = set.headers.get('etag') ?? '';
    expect((await putChain('udp', ['stored'], now)).status).toBe(404);
    await putChain('tls', null, now);
    expect(await chain('tls')).toMatchObject({ backends: ['stored', 'certificate'], own: false });
  });

  it('orders all of them, and nothing less', async () => {
    const { etag } = await chain('tcp');
    for (const ids of [['stored'], ['stored', 'certificate', 'none'], ['stored', 'stored']]) {
      const refused = await order(ids, etag);
      expectProblem(refused);
      expect(refused.status).toBe(422);
    }
    expect((await order(['certificate', 'stored'], etag)).status).toBe(200);
    expect(await chain('tcp')).toMatchObject({ backends: ['certificate', 'stored'] });
  });

  it('lets nobody lock everybody out', async () => {
    const { etag } = await chain('tcp');
    const refused = await putChain('tcp', ['certificate'], etag);
    expect(refused).toMatchObject({
      status: 422,
      body: { detail: expect.stringContaining('Nobody could connect') },
    });
    expect((await putChain('tcp', [], etag)).status).toBe(400);
    const made = await operate(api, 'createAuthBackend', { json: HOOK });
    const set = await putChain('tcp', ['hook'], made.headers.get('etag') ?? '');
    const gone = { path: AT('hook'), headers: { 'if-match': set.headers.get('etag') ?? '' } };
    expect(await operate(api, 'deleteAuthBackend', gone)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('The listener tcp would ask nobody') },
    });
  });

  it('changes nothing in a dry run, and says what would be', async () => {
    const { etag } = await chain('tls');
    const tried = await putChain('tls?dry_run=true', ['certificate'], etag);
    expect(tried.body).toMatchObject({ backends: ['certificate'], own: true });
    expect(tried.headers.get('etag')).toBeNull();
    const wished = await operate(api, 'createAuthBackend', { path: '?dry_run=true', json: HOOK });
    expect(wished).toMatchObject({ status: 200, body: { id: 'hook' } });
    expect(await chain('tls')).toMatchObject({ own: false, etag });
    const made = await operate(api, 'createAuthBackend', { json: HOOK });
    const headers = { 'if-match': made.headers.get('etag') ?? '' };
    const path = `${AT('hook')}?dry_run=true`;
    expect(await operate(api, 'deleteAuthBackend', { path, headers })).toMatchObject({
      status: 200,
      body: { chains: [{ listener: 'tcp', backends: ['stored', 'certificate'] }, {}] },
    });
    expect((await operate(api, 'getAuthBackend', { path: AT('hook') })).status).toBe(200);
  });

  it('takes secrets by reference only, and says where one stands', async () => {
    const settings = { ...HOOK.settings, headers: { authorization: PLANTED } };
    const literal = await operate(api, 'createAuthBackend', { json: { ...HOOK, settings } });
    expect(literal.status).toBe(400);
    const url = `https://login.example/?key=${PLANTED}`;
    const query = await operate(api, 'createAuthBackend', {
      json: { ...HOOK, settings: { url } },
    });
    expect(query).toMatchObject({ status: 422, body: { errors: [{ pointer: '/settings/url' }] } });
    const env = { authorization: { env: 'PATH' } };
    const foreign = await operate(api, 'createAuthBackend', {
      json: { ...HOOK, settings: { ...HOOK.settings, headers: env } },
    });
    expect(foreign).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/settings/headers/authorization/env' }] },
    });
    expect(JSON.stringify([literal.body, query.body, foreign.body])).not.toContain(PLANTED);
  });

  it('names words as all of the API does', async () => {
    const settings = { name: 'common_name' };
    const json = { id: 'second', kind: 'certificate', settings };
    const made = await operate(api, 'createAuthBackend', { json });
    expect(made).toMatchObject({ status: 201, body: { settings } });
    const patched = await operate(api, 'patchAuthBackend', {
      path: AT('second'),
      json: { settings: { name: 'dns' } },
      headers: { 'if-match': made.headers.get('etag') ?? '' },
    });
    expect(patched.body).toMatchObject({ settings: { name: 'dns' } });
  });

  it('leaves those of the configuration alone', async () => {
    const { etag } = await chain('tcp');
    const headers = { 'if-match': etag };
    const path = AT('stored');
    expect((await operate(api, 'deleteAuthBackend', { path, headers })).status).toBe(409);
    const patch = { path, headers, json: { settings: { cache_bytes: 1 } } };
    expect((await operate(api, 'patchAuthBackend', patch)).status).toBe(409);
  });

  it('does nothing while a node does not say whether it could', async () => {
    const { etag } = await chain('tcp');
    const [, other] = nodes;
    if (other === undefined) throw new Error('there are two');
    other.mute = new Set(['put-auth'] as const);
    const refused = await order(['certificate', 'stored'], etag);
    expect(refused).toMatchObject({ status: 503, body: { code: 'node-unavailable' } });
    expect(await chain('tcp')).toMatchObject({ backends: ['stored', 'certificate'] });
  });

  it('names the node that could not ask so', async () => {
    const [, other] = nodes;
    if (other === undefined) throw new Error('there are two');
    other.auth.put = async () => ({
      ...{ kind: 'invalid', path: ['backends', '0', 'settings', 'headers'] },
      detail: 'the variable AUTH_SECRET_HOOK is not set',
    });
    expect(await operate(api, 'createAuthBackend', { json: HOOK })).toMatchObject({
      status: 422,
      body: {
        detail: 'the variable AUTH_SECRET_HOOK is not set (says n2)',
        errors: [{ pointer: '/settings/headers' }],
      },
    });
    expect(await chain('tcp')).toMatchObject({ backends: ['stored', 'certificate'] });
  });
});
