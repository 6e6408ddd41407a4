/**
 * Prints what 100,000 stored users with 1,000,000 rules cost a node and Redis: memory, reading one who logs in, finding one who
 * is kept, and what such a user may do.
 *
 * Run: npx node --expose-gc --conditions=source --import ./tools/without-jest.mjs libs/access-sources/src/stored-users.bench.ts
 */
import { loadavg } from 'node:os';
import { AccessControl, Acl, type AclRule, type StoredUser } from '#libs/access';
import { PromMeter } from '#libs/metrics-prom';
import { RedisDefinitionStore, connectRedis } from '#libs/store-redis';
import { silentLog, startRedis } from '#libs/testkit';
import { StoredUsers } from './index.ts';

const USERS = 100_000;
const RULES_PER_USER = 10;
const AT_A_TIME = 500;
const READS = 2_000;
const FINDS = 200_000;
const CALLS = 2_000_000;
const CACHE_BYTES = 16_777_216;
const HASH = `$scrypt$ln=14,r=8,p=1$${'s'.repeat(24)}$${'k'.repeat(44)}`;
const TOPICS = Array.from({ length: 64 }, (_, index) => `site/${String(index)}/u7/value`);

function userOf(index: number): StoredUser {
  const id = `u${String(index)}`;
  const rules = Array.from({ length: RULES_PER_USER }, (_, place): AclRule => ({
    effect: place === 0 ? 'deny' : 'allow',
    actions: ['publish', 'subscribe'],
    topics: [place === RULES_PER_USER - 1 ? `site/+/${id}/#` : `own/${id}/${String(place)}/+`],
  }));
  return { id, credentials: [HASH], groups: ['fleet'], rules, passwordSetAtMs: 1 };
}

function heapMegabytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1_048_576;
}

function report(values: Readonly<Record<string, string | number>>): void {
  process.stdout.write(
    `${JSON.stringify({ ...values, load: Number(loadavg()[0]?.toFixed(1)) })}\n`,
  );
}

/** The microseconds of processor time that one call takes, on average: others on the machine do not count. */
function microsecondsPer(calls: number, work: (index: number) => void): number {
  const start = process.threadCpuUsage();
  for (let index = 0; index < calls; index += 1) work(index);
  const { user, system } = process.threadCpuUsage(start);
  return Number(((user + system) / calls).toFixed(3));
}

const redis = await startRedis();
const listeners = [{ name: 'tcp', connectionsMax: 1, isSecure: false }];
const names = { version: '0', commit: '', cluster: 'bench', nodeId: 'bench' };
const meter = new PromMeter({
  ...{ ...names, listeners, bridgeBufferBytesMax: 0, bridgeSpoolBytesMax: 0 },
});
const connection = await connectRedis({
  ...{ url: redis.url, keyPrefix: 'bench', commandTimeoutMs: 10_000, log: silentLog, meter },
});
const store = new RedisDefinitionStore<StoredUser>(connection, 'users');

const redisMegabytes = async (): Promise<number> => {
  const info = await connection.run('rules', 'bench', (client) => client.info('memory'));
  return Number(/used_memory:(\d+)/.exec(info)?.[1]) / 1_048_576;
};
const [emptyRedis, emptyHeap] = [await redisMegabytes(), heapMegabytes()];
const begun = performance.now();
for (let first = 0; first < USERS; first += AT_A_TIME) {
  const indices = Array.from({ length: AT_A_TIME }, (_, index) => first + index);
  await Promise.all(indices.map((index) => store.put(userOf(index), undefined)));
}
report({
  bench: 'stored-users',
  users: USERS,
  rules: USERS * RULES_PER_USER,
  redisMegabytes: Math.round((await redisMegabytes()) - emptyRedis),
  makeSeconds: Math.round((performance.now() - begun) / 1_000),
});

const users = new StoredUsers(store, CACHE_BYTES);
const reads: number[] = [];
for (let index = 0; index < READS; index += 1) {
  const start = performance.now();
  await users.find(`u${String((index * 7_919) % USERS)}`);
  reads.push(performance.now() - start);
}
reads.sort((one, other) => one - other);
report({
  bench: 'stored-users-read',
  p50Us: Math.round((reads[READS / 2] ?? 0) * 1_000),
  p99Us: Math.round((reads[(READS * 99) / 100] ?? 0) * 1_000),
});

for (let index = 0; index < USERS; index += AT_A_TIME) {
  const indices = Array.from({ length: AT_A_TIME }, (_, each) => index + each);
  await Promise.all(indices.map((each) => users.find(`u${String(each)}`)));
}
const kept = heapMegabytes() - emptyHeap;
report({ bench: 'stored-users-kept', cacheBytes: CACHE_BYTES, nodeMegabytes: Math.round(kept) });

const ann = await users.find('u7');
report({
  bench: 'stored-users-find',
  us: microsecondsPer(FINDS, () => void users.find('u7')),
});

const control = new AccessControl(new Acl([], 'deny'));
const { groups = [], rules = [] } = ann?.identity ?? {};
const own = { address: '192.0.2.1', listener: 'tcp', groups, rules };
const access = control.admit({ user: 'u7', clientId: 'c7', ...own });
let allowed = 0;
const ask = (index: number): void => {
  if (access.mayPublish(TOPICS[index % TOPICS.length] ?? '', 0, false)) allowed += 1;
};
report({
  bench: 'stored-users-first-publish',
  us: microsecondsPer(20_000, () => {
    const fresh = control.admit({ user: 'u7', clientId: 'c7', ...own });
    if (fresh.mayPublish('site/1/u7/value', 0, false)) allowed += 1;
  }),
});
microsecondsPer(200_000, ask);
report({ bench: 'stored-users-cached-publish', us: microsecondsPer(CALLS, ask), allowed });

await store.close();
await connection.close();
await redis.stop();
