import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLog, startRedis, until, type RedisServer } from '#libs/testkit';
import { KEY, configOf, operate, type Answer } from '../../../../test/api/api-harness.ts';
import { bearer, codeOf, makeKey, whoami } from '../../../../test/api/callers.ts';
import { ApiProcess } from '../api-process.ts';
import { keyIdOf } from './key-secret.ts';

const DEADLINE_MS = 20_000;
const PROMISED_MS = 2_000;

let redis: RedisServer;
const open: ApiProcess[] = [];

beforeEach(async () => {
  redis = await startRedis({ appendOnly: true });
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((api) => api.stop()));
  await redis.stop();
});

async function replica(more: Readonly<Record<string, string>> = {}, shown: string[] = []) {
  const config = await configOf({ SKEIN_REDIS_URL: redis.url, ...more });
  const api = new ApiProcess(config, silentLog, (text) => shown.push(text));
  open.push(api);
  await api.start();
  return api;
}

const pair = async (more: Readonly<Record<string, string>> = {}) => {
  const settings = { SKEIN_API_KEY: KEY, ...more };
  return [await replica(settings), await replica(settings)] as const;
};

describe('two replicas', () => {
  it('know at once what was made, rotated and revoked at the other', async () => {
    const [one, other] = await pair();
    const { id, secret } = await makeKey(one, { role: 'viewer' });
    expect((await whoami(other, bearer(secret))).status).toBe(200);
    const path = `/api/v1/api-keys/${id}`;
    const rotated = await operate(other, 'rotateApiKey', { path: `${path}/rotations`, json: {} });
    const next = (rotated.body as { secret: string }).secret;
    expect((await whoami(one, bearer(secret))).status).toBe(401);
    expect((await whoami(one, bearer(next))).status).toBe(200);
    expect((await operate(one, 'deleteApiKey', { path })).status).toBe(204);
    expect((await whoami(other, bearer(next))).status).toBe(401);
  });

  it('hold callers to roles and bindings that were changed at the other', async () => {
    const [one, other] = await pair();
    const json = { id: 'watcher', scopes: ['stats:read'] };
    const made = await operate(one, 'createRole', { json });
    const { id, secret } = await makeKey(one, { role: 'watcher' });
    const scopes = async () =>
      ((await whoami(other, bearer(secret))).body as { scopes: string[] }).scopes;
    await until(async () => expect(await scopes()).toEqual(['stats:read']), DEADLINE_MS);
    const ifMatch = { 'if-match': made.headers.get('etag') ?? '' };
    await operate(one, 'replaceRole', {
      ...{ path: '/api/v1/roles/watcher', headers: ifMatch, json: { scopes: ['alarms:read'] } },
    });
    await until(async () => expect(await scopes()).toEqual(['alarms:read']), DEADLINE_MS);
    const binding = { role: 'publisher', subject: { kind: 'api_key', name: id } };
    const bound = await operate(one, 'createRoleBinding', { json: binding });
    await until(async () => expect(await scopes()).toContain('messages:publish'), DEADLINE_MS);
    const path = bound.headers.get('location') ?? '';
    await operate(one, 'deleteRoleBinding', { path, headers: { 'if-match': '*' } });
    await until(async () => expect(await scopes()).toEqual(['alarms:read']), DEADLINE_MS);
  });

  it('count a burst together, each caller and publishing apart, and say when to come again', async () => {
    const [one, other] = await pair({
      SKEIN_API_RATE_LIMITS_REQUESTS_PER_SECOND: '1',
      SKEIN_API_RATE_LIMITS_REQUEST_BURST: '20',
    });
    const { secret } = await makeKey(one, { role: 'viewer', scopes: ['messages:publish'] });
    const begunAt = performance.now();
    const asks = Array.from({ length: 60 }, (_, index) =>
      whoami(index % 2 === 0 ? one : other, bearer(secret)),
    );
    const answers = await Promise.all(asks);
    const seconds = Math.ceil((performance.now() - begunAt) / 1_000);
    const allowed = answers.filter(({ status }) => status === 200).length;
    expect(allowed).toBeGreaterThanOrEqual(20);
    expect(allowed).toBeLessThanOrEqual(20 + seconds);
    const refused = answers.find(({ status }) => status === 429);
    expect(codeOf(refused ?? { body: null })).toBe('rate-limited');
    const header = (name: string) => Number(refused?.headers.get(name));
    expect(header('retry-after')).toBeGreaterThanOrEqual(1);
    expect(header('ratelimit-limit')).toBe(20);
    expect(header('ratelimit-remaining')).toBe(0);
    expect(header('ratelimit-reset')).toBeGreaterThan(10);
    expect((await whoami(other, bearer(KEY))).status).toBe(200);
    const json = { topic: 't', payload: '' };
    const published = await operate(other, 'publishMessage', { json, headers: bearer(secret) });
    expect(published).toMatchObject({ status: 503, body: { code: 'node-unavailable' } });
    expect(published.headers.get('ratelimit-policy')).toContain('publishes');
  });

  it('refuse to judge more wrong credentials of an address than they are to', async () => {
    const [one, other] = await pair({
      SKEIN_API_RATE_LIMITS_FAILURES_PER_SECOND: '1',
      SKEIN_API_RATE_LIMITS_FAILURE_BURST: '5',
    });
    const tries: Answer[] = [];
    for (let index = 0; index < 20; index += 1) {
      tries.push(await whoami(index % 2 === 0 ? one : other, bearer('wrong')));
    }
    const codes = tries.map((answer) => codeOf(answer));
    expect(codes.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => 'unauthenticated'));
    expect(codes).toContain('rate-limited');
    expect((await whoami(one, bearer(KEY))).status).toBe(200);
  });

  it('make one first key together, also when Redis comes later than they', async () => {
    await redis.kill();
    const shown: string[] = [];
    const wide = { SKEIN_API_HOST: '0.0.0.0' };
    const [one] = await Promise.all([replica(wide, shown), replica(wide, shown)]);
    const local = `http://127.0.0.1:${new URL(one.url).port}/api/v1/whoami`;
    expect((await fetch(local)).status).toBe(401);
    await redis.restart();
    await until(() => expect(shown).toHaveLength(1), DEADLINE_MS);
    const [secret = ''] = /skn_\S+/.exec(shown.join('')) ?? [];
    for (const api of open) {
      const url = `http://127.0.0.1:${new URL(api.url).port}/api/v1/whoami`;
      const answer = await fetch(url, { headers: bearer(secret) });
      expect(answer.status).toBe(200);
    }
    await replica(wide, shown);
    expect(shown).toHaveLength(1);
  });

  it('make the first key again once it has ended and nobody else may do everything', async () => {
    const shown: string[] = [];
    const wide = { SKEIN_API_HOST: '0.0.0.0' };
    const one = await replica(wide, shown);
    const url = `http://127.0.0.1:${new URL(one.url).port}/api/v1`;
    const secretOf = (text = '') => /skn_\S+/.exec(text)?.[0] ?? '';
    const first = secretOf(shown[0]);
    const id = keyIdOf(first) ?? '';
    const ended = await fetch(`${url}/api-keys/${id}`, {
      method: 'PATCH',
      headers: {
        ...bearer(first),
        'if-match': '*',
        'content-type': 'application/merge-patch+json',
      },
      body: JSON.stringify({ expires_at: new Date(Date.now() + 500).toISOString() }),
    });
    expect(ended.status).toBe(200);
    const statusOf = async (secret: string) =>
      (await fetch(`${url}/whoami`, { headers: bearer(secret) })).status;
    await until(async () => expect(await statusOf(first)).toBe(401), DEADLINE_MS);
    await Promise.all(Array.from({ length: 6 }, () => replica(wide, shown)));
    expect(shown).toHaveLength(2);
    expect(await statusOf(secretOf(shown[1]))).toBe(200);
    expect(await statusOf(first)).toBe(401);
  });
});

describe('without Redis', () => {
  it.each(['away', 'frozen'] as const)(
    'that is %s, keys are refused in time, the key of the configuration is not, and all is well again with it',
    async (way) => {
      const api = await replica({ SKEIN_API_KEY: KEY });
      const { secret } = await makeKey(api, { role: 'viewer' });
      if (way === 'away') await redis.kill();
      else redis.pause();
      const begunAt = performance.now();
      const refused = await whoami(api, bearer(secret));
      expect(refused).toMatchObject({ status: 503, body: { code: 'storage-unavailable' } });
      expect(performance.now() - begunAt).toBeLessThan(PROMISED_MS);
      const againAt = performance.now();
      expect((await whoami(api, bearer(KEY))).status).toBe(200);
      expect(performance.now() - againAt).toBeLessThan(PROMISED_MS);
      if (way === 'away') await redis.restart();
      else redis.resume();
      await until(
        async () => expect((await whoami(api, bearer(secret))).status).toBe(200),
        DEADLINE_MS,
      );
    },
  );

  it('an API that would be open does not take its absence for the absence of keys', async () => {
    const api = await replica();
    expect((await fetch(`${api.url}/api/v1/whoami`)).status).toBe(200);
    await redis.kill();
    const answer = await fetch(`${api.url}/api/v1/whoami`);
    expect(answer.status).toBe(503);
    expect((await fetch(`${api.url}/api/openapi.json`)).status).toBe(200);
  });
});
