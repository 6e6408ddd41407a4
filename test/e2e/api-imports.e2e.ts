import { pbkdf2Sync } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { CSV_TYPE, HTPASSWD_TYPE, type LongOperation } from '#libs/api-contracts';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Client } from './harness/client.ts';
import { openRedis, startCluster, type Cluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const KEY = 'open-sesame-open-sesame';
/** A lease has to end first. */
const WAIT_MS = 45_000;
const USERS = 60;
const PLANTED = 'planted-tide-table';
const SETTINGS = {
  AUTH_CHAIN: '[{ kind: stored }]',
  AUTH_SALT_SECRET: 'planted-secret-of-salts',
  AUTH_ITERATIONS: 4096,
  // Slow enough for an import to be met on its way.
  AUTH_HASH_COST: 16,
};
const BANNED = 0x8a;

const shared = new Scope();
const scope = new Scope();
let cluster: Cluster;
let redis: Redis;

beforeAll(async () => {
  const { url } = await openRedis(shared);
  redis = new Redis(url);
  shared.add(async () => redis.disconnect());
  cluster = await startCluster(shared, { REDIS_URL: url, ...SETTINGS });
});
afterEach(() => scope.close());
afterAll(() => shared.close());

const start = (): Promise<Api> =>
  Api.start(
    scope,
    { REDIS_URL: `redis://127.0.0.1:${String(redis.options.port)}`, ...SETTINGS },
    KEY,
  );

type File = readonly [type: string, content: string];

/** Posts a body of a type of its own. */
async function send(api: Api, path: string, [type, body]: File): Promise<LongOperation> {
  const reply = await fetch(`${api.origin}${path}`, {
    method: 'POST',
    headers: { 'content-type': type, authorization: `Bearer ${KEY}` },
    body,
  });
  expect(reply.status).toBe(202);
  return (await reply.json()) as LongOperation;
}

async function operation(api: Api, id: string): Promise<LongOperation> {
  const { status, body } = await api.call('getOperation', { path: { operation_id: id } });
  expect(status).toBe(200);
  return body as LongOperation;
}

async function ended(api: Api, { id }: LongOperation): Promise<LongOperation> {
  await until(async () => (await operation(api, id)).ended_at !== null, WAIT_MS);
  return operation(api, id);
}

/** The code of a CONNACK that refuses; 0 for one that does not. */
async function outcome(node: number, username: string, password: string): Promise<number> {
  const { mqtt } = new Client(scope, cluster.nodes[node]?.url ?? '', { username, password });
  return new Promise((resolve) => {
    mqtt.once('connect', () => resolve(0));
    mqtt.once('error', (error) => resolve((error as { readonly code?: number }).code ?? -1));
  });
}

/** All that is stored, as text. */
async function stored(): Promise<string> {
  const texts: string[] = [];
  for (const key of await redis.keys('*')) {
    const raw = await redis.dump(key);
    const type = await redis.type(key);
    const values =
      type === 'hash'
        ? Object.values(await redis.hgetall(key))
        : type === 'string'
          ? [(await redis.get(key)) ?? '']
          : [];
    texts.push(key, raw ?? '', ...values);
  }
  return texts.join('\n');
}

const passwordOf = (index: number): string => `${PLANTED}-${String(index)}`;

it('an import whose API is killed goes on: every user is made once, and no password is stored', async () => {
  const first = await start();
  const rows = Array.from({ length: USERS }, (_, index) => `u${index},${passwordOf(index)},crew`);
  const csv = `name,password,groups\n${rows.join('\n')}\nu0,again,crew\n`;
  const begun = await send(first, '/api/v1/users/imports', [CSV_TYPE, csv]);
  await until(async () => (await operation(first, begun.id)).progress.done > 0, WAIT_MS);
  await first.child.kill();
  const kept = await stored();
  expect(kept).toContain('user-imports');
  expect(kept).not.toContain(PLANTED);

  const second = await start();
  expect(await operation(second, begun.id)).toMatchObject({ state: 'running' });
  expect(await ended(second, begun)).toMatchObject({
    ...{ state: 'succeeded', attempts: 2, progress: { done: USERS + 1, total: USERS + 1 } },
    result: {
      ...{ rows: USERS + 1, created: USERS, updated: 0, skipped: 0, failed: 1 },
      problems: [{ line: USERS + 2, name: 'u0', problem: { code: 'conflict' } }],
    },
  });
  expect(await outcome(0, 'u0', passwordOf(0))).toBe(0);
  expect(await outcome(1, `u${USERS - 1}`, passwordOf(USERS - 1))).toBe(0);
  expect(await outcome(2, 'u1', passwordOf(2))).not.toBe(0);
  expect(await stored()).not.toContain(PLANTED);
  for (const { child } of [first, second]) expect(child.stdout).not.toContain(PLANTED);
});

it('users of mosquitto_passwd log in with their passwords, and move by an export', async () => {
  const api = await start();
  const salt = Buffer.from('0123456789ab');
  const key = pbkdf2Sync('low water', salt, 4096, 64, 'sha512').toString('base64');
  const file = `pump:$7$4096$${salt.toString('base64')}$${key}\n`;
  const made = await send(api, '/api/v1/users/imports', [HTPASSWD_TYPE, file]);
  expect(await ended(api, made)).toMatchObject({ result: { created: 1, failed: 0 } });
  expect(await outcome(0, 'pump', 'low water')).toBe(0);
  expect(await outcome(0, 'pump', 'high water')).not.toBe(0);

  const filter = { username: { like: 'pump' } };
  const exported = await api.call('exportUsers', { body: { format: 'csv', filter } });
  const { result } = await ended(api, exported.body as LongOperation);
  const { content } = result as { content: string };
  expect(content).not.toContain('water');
  const { headers } = await api.call('getUser', { path: { user_name: 'pump' } });
  const gone = { path: { user_name: 'pump' }, headers: { 'if-match': headers.get('etag') ?? '' } };
  expect((await api.call('deleteUser', gone)).status).toBe(204);
  await until(async () => (await outcome(1, 'pump', 'low water')) !== 0, WAIT_MS);

  const again = await send(api, '/api/v1/users/imports', [CSV_TYPE, content]);
  expect(await ended(api, again)).toMatchObject({ result: { created: 1, failed: 0 } });
  await until(async () => (await outcome(1, 'pump', 'low water')) === 0, WAIT_MS);
});

it('bans that are imported keep whom they are on away at every node', async () => {
  const api = await start();
  const body = [{ name: 'rogue', password: 'x' }];
  const users = await api.call('importUsers', { body });
  expect(await ended(api, users.body as LongOperation)).toMatchObject({ result: { created: 1 } });
  const csv = 'kind,value,reason\nusername,rogue,noise\nip,not-an-address,\n';
  const made = await send(api, '/api/v1/bans/imports', [CSV_TYPE, csv]);
  expect(await ended(api, made)).toMatchObject({
    result: { created: 1, failed: 1, problems: [{ line: 3, name: 'not-an-address' }] },
  });
  for (const node of cluster.nodes.keys()) {
    await until(async () => (await outcome(node, 'rogue', 'x')) === BANNED, WAIT_MS);
  }
});
