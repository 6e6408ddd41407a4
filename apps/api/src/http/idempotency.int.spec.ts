import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { silentLog, startRedis, type RedisServer } from '#libs/testkit';
import { KEY, call, configOf, operate } from '../../../../test/api/api-harness.ts';
import { bearer, codeOf, makeKey } from '../../../../test/api/callers.ts';
import { ApiProcess } from '../api-process.ts';

let redis: RedisServer;
let one: ApiProcess;
let other: ApiProcess;

beforeAll(async () => {
  redis = await startRedis({ appendOnly: false });
  const start = async () => {
    const config = await configOf({ SKEIN_REDIS_URL: redis.url, SKEIN_API_KEY: KEY });
    const api = new ApiProcess(config, silentLog);
    await api.start();
    return api;
  };
  one = await start();
  other = await start();
});

afterAll(async () => {
  await Promise.all([one.stop(), other.stop()]);
  await redis.stop();
});

/** Everything that Redis holds, as text. */
async function allOfRedis(): Promise<string> {
  const client = new Redis(redis.url);
  try {
    const texts: string[] = [];
    for (const key of await client.keys('*')) {
      const type = await client.type(key);
      const value =
        type === 'hash'
          ? await client.hgetall(key)
          : type === 'stream'
            ? await client.xrange(key, '-', '+')
            : type === 'zset'
              ? await client.zrange(key, '0', '-1')
              : type === 'set'
                ? await client.smembers(key)
                : await client.get(key);
      texts.push(key, JSON.stringify(value));
    }
    return texts.join('\n');
  } finally {
    client.disconnect();
  }
}

const under = (key: string) => ({ 'idempotency-key': key });
const role = (id: string, description = '') => ({ id, description, scopes: ['stats:read'] });

it('a repetition at another replica gets the first answer, and nothing is done twice', async () => {
  const key = randomUUID();
  const json = { name: 'deployment', role: 'viewer' };
  const first = await operate(one, 'createApiKey', { json, headers: under(key) });
  expect(first.status).toBe(201);
  const again = await operate(other, 'createApiKey', { json, headers: under(key) });
  expect({ status: again.status, body: again.body }).toEqual({ status: 201, body: first.body });
  for (const name of ['location', 'etag', 'content-type']) {
    expect(again.headers.get(name)).toBe(first.headers.get(name));
  }
  expect(first.headers.get('idempotency-replayed')).toBeNull();
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  const list = await operate(one, 'listApiKeys');
  const made = (list.body as { items: { name: string }[] }).items;
  expect(made.filter(({ name }) => name === 'deployment')).toHaveLength(1);
});

it('what it holds lies in Redis enciphered alone', async () => {
  const key = randomUUID();
  const json = { name: 'hidden', role: 'viewer' };
  const { body } = await operate(one, 'createApiKey', { json, headers: under(key) });
  const dump = await allOfRedis();
  expect(dump).toContain('hidden');
  expect(dump).not.toContain((body as { secret: string }).secret);
  expect(dump).not.toContain(key);
});

it('another body under the same key is refused', async () => {
  const headers = under(randomUUID());
  expect((await operate(one, 'createRole', { json: role('a'), headers })).status).toBe(201);
  const changed = await operate(other, 'createRole', { json: role('a', 'changed'), headers });
  expect([changed.status, codeOf(changed)]).toEqual([422, 'idempotency-mismatch']);
});

it('a refusal is an answer too', async () => {
  const headers = under(randomUUID());
  await operate(one, 'createRole', { json: role('taken') });
  const refused = await operate(one, 'createRole', { json: role('taken'), headers });
  expect(codeOf(refused)).toBe('already-exists');
  await operate(one, 'deleteRole', { path: '/api/v1/roles/taken', headers: { 'if-match': '*' } });
  const again = await operate(other, 'createRole', { json: role('taken'), headers });
  expect(codeOf(again)).toBe('already-exists');
});

it('of many at once one is carried out, and the others wait or get its answer', async () => {
  const headers = under(randomUUID());
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      operate(index % 2 === 0 ? one : other, 'createRole', { json: role('once'), headers }),
    ),
  );
  const fresh = answers.filter(
    ({ status, headers: given }) => status === 201 && given.get('idempotency-replayed') === null,
  );
  expect(fresh).toHaveLength(1);
  const others = answers.filter(({ status }) => status !== 201).map((answer) => codeOf(answer));
  expect(others.filter((code) => code !== 'idempotency-in-progress')).toEqual([]);
});

it('what certainly was not done may be asked again under the same key', async () => {
  const headers = under(randomUUID());
  const json = { topic: 'a', payload: 'b' };
  const absent = await operate(one, 'publishMessage', { json, headers });
  expect(codeOf(absent)).toBe('node-unavailable');
  const again = await operate(one, 'publishMessage', { json, headers });
  expect(codeOf(again)).toBe('node-unavailable');
  expect(again.headers.get('idempotency-replayed')).toBeNull();
});

it('keys are those of their caller, and of the path', async () => {
  const headers = under(randomUUID());
  const { secret } = await makeKey(one, { role: 'admin' });
  expect((await operate(one, 'createRole', { json: role('mine'), headers })).status).toBe(201);
  const theirs = await operate(one, 'createRole', {
    ...{ json: role('theirs'), headers: { ...headers, ...bearer(secret) } },
  });
  expect(theirs.status).toBe(201);
  const elsewhere = await call(one, '/api/v1/role-bindings', {
    ...{ method: 'POST', headers },
    json: { role: 'viewer', subject: { kind: 'group', name: 'g' } },
  });
  expect(elsewhere.status).toBe(201);
});

it.each(['', 'with space', 'x'.repeat(129), 'ä'])('the key %j is refused', async (key) => {
  const headers = under(encodeURI(key) === key ? key : Buffer.from(key).toString('latin1'));
  const answer = await operate(one, 'createRole', { json: role('never'), headers });
  expect([answer.status, codeOf(answer)]).toEqual([400, 'validation-failed']);
});
