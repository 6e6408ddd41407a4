import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuthSource, Login, SourceVerdict } from '#libs/access';
import { loadConfig } from '#libs/config';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import { fakeAuth } from '../../../test/api/fake-auth.ts';
import type { ApiProcess } from './api-process.ts';

const PLANTED = 'planted-secret-of-a-webhook';
const CHAIN = [
  { kind: 'stored' },
  {
    ...{ kind: 'webhook', url: `https://login.example/mqtt?key=${PLANTED}` },
    headers: { 'x-tenant': PLANTED },
  },
  { kind: 'webhook', url: 'https://other.example/' },
];

/** Says what a test wants, and remembers what it was asked. */
class Source implements AuthSource {
  readonly backend = 'webhook';
  readonly logins: Login[] = [];
  answer: () => Promise<SourceVerdict> = async () => ({ kind: 'not-mine' });

  login(login: Login): Promise<SourceVerdict> {
    this.logins.push(login);
    return this.answer();
  }
}

describe('who is asked who a client is', () => {
  const source = new Source();
  let api: ApiProcess;

  let node: FakeNode;

  beforeAll(async () => {
    const config = await configOf({ SKEIN_API_KEY: KEY, SKEIN_API_NODE_TIMEOUT_MS: '1000' });
    node = new FakeNode('n1', config, ['n1']);
    const env = { SKEIN_AUTH_CHAIN: JSON.stringify(CHAIN), SKEIN_AUTH_SALT_SECRET: 'x'.repeat(16) };
    const sources = [new Source(), source, new Source()];
    node.auth = fakeAuth(loadConfig({ env }), sources, { listeners: ['tcp', 'tls'] });
    await node.server.open();
    api = await open(config);
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  const test = (json: object, id = 'webhook') =>
    operate(api, 'testAuthBackend', { path: `/api/v1/auth/backends/${id}/test`, json });

  it('is shown at each listener, in order', async () => {
    const backends = ['stored', 'webhook', 'webhook-2'];
    const tcp = { listener: 'tcp', backends, anonymous: false, own: false };
    const chains = await operate(api, 'listAuthChains');
    expect(chains.body).toMatchObject({ items: [tcp, { ...tcp, listener: 'tls' }] });
    const path = (listener: string) => ({ path: `/api/v1/auth/chains/${listener}` });
    expect((await operate(api, 'getAuthChain', path('tcp'))).body).toEqual(tcp);
    expect((await operate(api, 'getAuthChain', path('udp'))).status).toBe(404);
    const first = await operate(api, 'listAuthBackends', { path: '?limit=2' });
    const { page } = first.body as { page: { next_cursor: string } };
    expect(first.body).toMatchObject({ items: [{ id: 'stored' }, { id: 'webhook' }] });
    const rest = await operate(api, 'listAuthBackends', {
      path: `?limit=2&cursor=${page.next_cursor}`,
    });
    expect(rest.body).toMatchObject({ items: [{ id: 'webhook-2' }] });
  });

  it('is shown without secrets', async () => {
    const path = '/api/v1/auth/backends/webhook';
    const { body } = await operate(api, 'getAuthBackend', { path });
    expect(body).toMatchObject({
      ...{ id: 'webhook', kind: 'webhook', source: 'config' },
      settings: {
        ...{ url: 'https://login.example/mqtt?***', header_names: ['x-tenant'] },
        ...{ allow_private: false, timeout_ms: 3_000 },
      },
    });
    const all = JSON.stringify([body, (await operate(api, 'listAuthBackends')).body]);
    expect(all).not.toContain(PLANTED);
    const none = { path: '/api/v1/auth/backends/none' };
    expect((await operate(api, 'getAuthBackend', none)).status).toBe(404);
  });

  it('says what it would say to a client', async () => {
    const rule = { effect: 'allow', actions: ['publish'], topics: ['a'] } as const;
    const identity = { user: 'ann', groups: ['crew'], rules: [rule], expiresAtMs: 1_000 };
    source.answer = async () => ({ kind: 'allowed', identity });
    const json = { client_id: 'c', username: 'ann', password: 'é', address: '10.0.0.1' };
    expect((await test(json)).body).toEqual({
      ...{ decision: 'allowed', user: 'ann', groups: ['crew'], rule_count: 1 },
      ...{ expires_at: '1970-01-01T00:00:01.000Z', latency_ms: expect.any(Number) },
    });
    const login = { clientId: 'c', username: 'ann', address: '10.0.0.1', listener: '' };
    expect(source.logins.at(-1)).toEqual({ ...login, password: Buffer.from('é') });
    const bytes = { client_id: 'c', password_base64: 'AP8=', certificate_name: 'cn' };
    await test(bytes);
    expect(source.logins.at(-1)).toMatchObject({
      ...{ username: undefined, password: Buffer.from([0, 255]) },
      certificate: { commonName: 'cn' },
    });
  });

  it.each([
    ['denied', async () => ({ kind: 'denied', detail: 'why' }), { detail: 'why' }],
    ['not_mine', async () => ({ kind: 'not-mine' }), {}],
    ['busy', async () => ({ kind: 'busy' }), {}],
    ['failed', () => Promise.reject(new Error('away')), { detail: 'away' }],
    ['silent', () => new Promise(() => undefined), {}],
  ] as const)('says that a login is %s', async (decision, answer, more) => {
    source.answer = answer as Source['answer'];
    const { status, body } = await test({ client_id: 'c' });
    expect({ status, body }).toMatchObject({ status: 200, body: { decision, ...more } });
  });

  it('is asked nothing that no client could show', async () => {
    expect((await test({ client_id: 'c' }, 'none')).status).toBe(404);
    expect((await test({ client_id: '' })).status).toBe(400);
    expect((await test({ client_id: 'c', password: 'a', password_base64: 'AA==' })).status).toBe(
      400,
    );
    expect((await test({ client_id: 'c', password_base64: '!' })).status).toBe(400);
  });
});
