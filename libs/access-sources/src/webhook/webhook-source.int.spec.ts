import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Login, SourceVerdict } from '#libs/access';
import {
  TestAuthority,
  startWebhookServer,
  until,
  type WebhookAnswer,
  type WebhookServer,
} from '#libs/testkit';
import {
  openWebhookSource,
  type WebhookSettings,
  type WebhookSource,
  type WebhookSourceParts,
} from '../index.ts';

const NOW_MS = 1_700_000_000_000;
const DEADLINE_MS = 20_000;
const ANN: Login = {
  clientId: 'c1',
  username: 'ann',
  password: Buffer.from('p4ss'),
  address: '192.0.2.7',
  listener: 'tls',
};
const ALLOW = { kind: 'allowed', identity: { user: 'ann', groups: [], rules: [] } };

let server: WebhookServer;
let nowMs: number;

beforeEach(async () => {
  server = await startWebhookServer();
  nowMs = NOW_MS;
});
afterEach(() => server.stop());

const saying = (answer: unknown): WebhookAnswer => ({
  status: 200,
  body: typeof answer === 'string' ? answer : JSON.stringify(answer),
});

/** A source whose clock a test moves. */
function opened(
  settings: Partial<WebhookSettings> = {},
  parts: Partial<WebhookSourceParts> = {},
  headers: () => Readonly<Record<string, string>> = () => ({}),
): ReturnType<typeof openWebhookSource> {
  const url = `http://127.0.0.1:${String(server.port)}/login?from=skein`;
  const all = { url, allowPrivate: true, timeoutMs: DEADLINE_MS, ...settings };
  return openWebhookSource(all, headers, {
    parseRules: (value) => (value === 'bad' ? 'must be a list of rules' : (value as [])),
    ...{ cacheMs: 60_000, concurrency: 2, failuresMax: 3, restMs: 10_000 },
    nowMs: () => nowMs,
    ...parts,
  });
}

function sourceOf(...args: Parameters<typeof opened>): WebhookSource {
  const result = opened(...args);
  if (result.kind === 'faulty') throw new Error(JSON.stringify(result.fault));
  return result.source;
}

async function verdictOn(answer: unknown, login: Partial<Login> = {}): Promise<SourceVerdict> {
  server.answer = () => saying(answer);
  return await sourceOf().login({ ...ANN, ...login });
}

describe('a webhook', () => {
  it('is asked with what the client shows, and with headers as they are then', async () => {
    let token = 'one';
    server.answer = () => saying({ result: 'ignore' });
    const source = sourceOf({}, { cacheMs: 0 }, () => ({ authorization: `Bearer ${token}` }));
    await source.login(ANN);
    token = 'two';
    const certificate = { commonName: 'device-7', sans: ['DNS:d7.example'] };
    await source.login({ ...ANN, password: Buffer.from([0xff, 0]), certificate });
    const [first, second] = server.stored;
    expect(first?.path).toBe('/login?from=skein');
    expect(first?.headers).toMatchObject({
      authorization: ['Bearer one'],
      'content-type': ['application/json'],
    });
    const shown = { clientId: 'c1', username: 'ann', address: '192.0.2.7', listener: 'tls' };
    expect(JSON.parse(String(first?.body))).toEqual({ ...shown, password: 'p4ss' });
    expect(second?.headers['authorization']).toEqual(['Bearer two']);
    expect(JSON.parse(String(second?.body))).toEqual({
      ...shown,
      passwordBase64: '/wA=',
      certificate: { commonName: 'device-7', subjectAltNames: ['DNS:d7.example'] },
    });
  });

  it('says who the client is, what it may do, and for how long', async () => {
    const expiresAt = NOW_MS / 1000 + 60;
    const rules = [{ effect: 'allow', actions: ['publish'], topics: ['a'] }];
    const all = { result: 'allow', user: 'unit-7', groups: ['units'], acl: rules, expiresAt };
    expect(await verdictOn(all)).toEqual({
      kind: 'allowed',
      identity: { user: 'unit-7', groups: ['units'], rules, expiresAtMs: expiresAt * 1000 },
    });
    expect(await verdictOn({ result: 'allow' })).toEqual(ALLOW);
    expect(await verdictOn({ result: 'allow', groups: 'g' })).toMatchObject({
      identity: { groups: ['g'] },
    });
    expect(await verdictOn({ result: 'allow' }, { username: undefined })).toMatchObject({
      identity: { user: undefined },
    });
    expect(await verdictOn({ result: 'deny' })).toMatchObject({ kind: 'denied' });
    expect(await verdictOn({ result: 'ignore' })).toEqual({ kind: 'not-mine' });
    expect(await verdictOn({ result: 'allow', expiresAt: NOW_MS / 1000 })).toMatchObject({
      kind: 'denied',
    });
  });

  it.each([
    ['is no JSON', 'allow'],
    ['is no object', 'null'],
    ['says nothing', {}],
    ['says something else', { result: 'Allow' }],
    ['names nobody', { result: 'allow', user: '' }],
    ['names what is no text', { result: 'allow', user: 7 }],
    ['has bad groups', { result: 'allow', groups: [{}] }],
    ['has bad rules', { result: 'allow', acl: 'bad' }],
    ['has a bad end', { result: 'allow', expiresAt: '2026' }],
    ['is too long', ' '.repeat(65_537)],
  ])('lets in nobody by an answer that %s', async (_, answer) => {
    await expect(verdictOn(answer)).rejects.toThrow(/the answer|result|user|groups|acl|expiresAt/);
  });

  it.each([
    [{ status: 204 }, 'answered 204'],
    [{ status: 302, headers: { location: 'http://127.0.0.1:1/' } }, 'redirects are not followed'],
    [{ status: 401, body: '{"result":"allow"}' }, 'answered 401'],
    [{ status: 500, body: '{"result":"allow"}' }, 'answered 500'],
    ['drop', 'does not answer'],
  ] as const)('lets in nobody by %j', async (answer, reason) => {
    server.answer = () => answer;
    await expect(sourceOf().login(ANN)).rejects.toThrow(reason);
    expect(server.posts).toBe(1);
  });

  it('has an answer only in time', async () => {
    server.answer = () => 'hang';
    const source = sourceOf({ timeoutMs: 100 });
    await expect(source.login(ANN)).rejects.toThrow('no answer within 100 ms');
  });
});

describe('an answer of a webhook', () => {
  it('is remembered for a while, for the same question', async () => {
    server.answer = () => saying({ result: 'allow' });
    const source = sourceOf();
    for (const login of [ANN, ANN, { ...ANN, password: Buffer.from('other') }]) {
      expect(await source.login(login)).toEqual(ALLOW);
    }
    expect(server.posts).toBe(2);
    nowMs += 60_000;
    server.answer = () => saying({ result: 'deny' });
    expect(await source.login(ANN)).toMatchObject({ kind: 'denied' });
    nowMs += 59_999;
    server.answer = () => saying({ result: 'allow' });
    expect(await source.login(ANN)).toMatchObject({ kind: 'denied' });
    nowMs += 1;
    expect(await source.login(ANN)).toEqual(ALLOW);
  });

  it('is not remembered beyond its own end', async () => {
    const expiresAt = NOW_MS / 1000 + 5;
    server.answer = () => saying({ result: 'allow', expiresAt });
    const source = sourceOf();
    await source.login(ANN);
    nowMs += 5_000;
    expect(await source.login(ANN)).toMatchObject({ kind: 'denied' });
    expect(server.posts).toBe(2);
  });

  it('is for all who ask the same at a time', async () => {
    server.answer = () => saying({ result: 'allow' });
    const source = sourceOf();
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => source.login(ANN)));
    expect(verdicts).toEqual(verdicts.map(() => ALLOW));
    expect(server.posts).toBe(1);
  });

  it('leaves places to others when one address asks all it can', async () => {
    server.answer = ({ body }) =>
      String(body).includes('eve') ? 'hang' : saying({ result: 'allow' });
    const source = sourceOf({}, { concurrency: 8 });
    const eve = Array.from({ length: 100 }, (_, index) =>
      source.login({ ...ANN, username: `eve-${String(index)}` }).catch(() => 'gone'),
    );
    expect(await source.login({ ...ANN, address: '192.0.2.8' })).toEqual(ALLOW);
    expect(server.posts).toBe(5);
    await server.stop();
    expect((await Promise.all(eve)).filter((each) => each === 'gone')).toHaveLength(4);
  });

  it('takes no more memory than answers may', async () => {
    server.answer = () => saying({ result: 'allow', acl: ['x'.repeat(60_000)] });
    const source = sourceOf();
    // 140 of them fit into 32 MiB.
    for (let count = 0; count < 150; count += 1) {
      const login = { ...ANN, clientId: `c${String(count)}` };
      expect(await source.login(login)).toMatchObject({ kind: 'allowed' });
    }
    await source.login({ ...ANN, clientId: 'c149' });
    expect(server.posts).toBe(150);
    await source.login({ ...ANN, clientId: 'c0' });
    expect(server.posts).toBe(151);
  });

  it('is awaited by so many only', async () => {
    server.answer = () => 'hang';
    const source = sourceOf();
    const waiting = ['192.0.2.8', '192.0.2.9'].map((address) =>
      source.login({ ...ANN, address }).catch(() => 'gone'),
    );
    await until(() => server.posts === 2, DEADLINE_MS);
    expect(await source.login(ANN)).toEqual({ kind: 'busy' });
    await server.stop();
    expect(await Promise.all(waiting)).toEqual(['gone', 'gone']);
  });
});

describe('a webhook that fails', () => {
  it('is given a rest after some failures, and one client tries it then', async () => {
    server.answer = () => ({ status: 503 });
    const source = sourceOf({}, { concurrency: 8 });
    for (let count = 0; count < 3; count += 1) {
      await expect(source.login(ANN)).rejects.toThrow('answered 503');
    }
    nowMs += 9_999;
    await expect(source.login(ANN)).rejects.toThrow('is given a rest');
    expect(server.posts).toBe(3);
    nowMs += 1;
    server.answer = () => 'hang';
    const probe = source.login(ANN).catch(() => 'gone');
    await until(() => server.posts === 4, DEADLINE_MS);
    await expect(source.login({ ...ANN, clientId: 'c2' })).rejects.toThrow('is given a rest');
    await server.stop();
    expect(await probe).toBe('gone');
    await server.start();
    server.answer = () => saying({ result: 'allow' });
    nowMs += 10_000;
    expect(await source.login(ANN)).toEqual(ALLOW);
    expect(await source.login({ ...ANN, clientId: 'c2' })).toMatchObject({ kind: 'allowed' });
  });

  it.each([400, 500])('is asked on by others while it answers some with %i', async (status) => {
    const source = sourceOf();
    server.answer = ({ body }) =>
      String(body).includes('eve') ? { status } : saying({ result: 'allow' });
    for (let count = 0; count < 10; count += 1) {
      const eve = source.login({ ...ANN, username: 'eve' });
      await expect(eve).rejects.toThrow(`answered ${String(status)}`);
    }
    expect(await source.login(ANN)).toEqual(ALLOW);
    expect(server.posts).toBe(11);
  });
});

describe('a webhook at a private address', () => {
  it.each([
    'https://127.0.0.1/',
    'https://localhost:8443/',
    'https://[::1]/',
    'https://[::ffff:169.254.169.254]/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://10.0.0.1/',
    'http://login.example/',
  ])('%s is refused at the start', (url) => {
    const result = opened({ url, allowPrivate: false });
    expect(result).toMatchObject({ kind: 'faulty', fault: { field: 'url' } });
  });

  it('is not connected to by a name that is looked up', async () => {
    // Found in the hosts file, or nowhere: names below localhost are the machine itself.
    const url = `https://localhost.:${String(server.port)}/`;
    const source = sourceOf({ url, allowPrivate: false });
    await expect(source.login(ANN)).rejects.toThrow('the webhook does not answer');
    expect(server.posts).toBe(0);
  });
});

describe('a webhook with TLS', () => {
  it('is believed with the authority that is named', async () => {
    const authority = await TestAuthority.create();
    try {
      const names = { commonName: 'localhost', names: 'IP:127.0.0.1' };
      const { certFile, keyFile } = await authority.issue(names);
      const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
      const secure = await startWebhookServer(tls);
      secure.answer = () => saying({ result: 'allow' });
      const url = `https://127.0.0.1:${String(secure.port)}/`;
      expect(await sourceOf({ url, caFile: authority.caFile }).login(ANN)).toEqual(ALLOW);
      await expect(sourceOf({ url }).login(ANN)).rejects.toThrow('does not answer');
      expect(opened({ url, caFile: '/nowhere' })).toMatchObject({ fault: { field: 'caFile' } });
      await secure.stop();
    } finally {
      await authority.remove();
    }
  });
});
