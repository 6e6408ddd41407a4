import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { StoreUnavailableError, type ApiState } from '#libs/broker-ports';
import { loadConfig } from '#libs/config';
import { silentLog, startRedis, until, type RedisServer } from '#libs/testkit';
import { openState } from './open-state.ts';

const DEADLINE_MS = 20_000;
const PROMISED_MS = 2_000;

let redis: RedisServer;
let state: ApiState | undefined;

beforeEach(async () => {
  redis = await startRedis();
});

afterEach(async () => {
  await state?.close();
  state = undefined;
  await redis.stop();
});

const openIn = (env: Record<string, string>) => openState(loadConfig({ env }), silentLog);

/** How each part answers a call, and how long that takes. */
async function expectUnavailable(from: ApiState): Promise<void> {
  const calls = [
    () => from.definitions('roles').get('one'),
    () => from.journal('audit', { entriesMax: 9, ageMsMax: 9 }).append({}),
    () => from.replies.begin({ key: 'k', bodyHash: 'h', leaseMs: 9 }),
    () => from.buckets.take('a', { ratePerSecond: 1, burst: 1 }, 1),
    () => from.jobs.list(),
  ];
  const begunAt = performance.now();
  const answers = calls.map((call) => expect(call()).rejects.toThrow(StoreUnavailableError));
  await Promise.all(answers);
  expect(performance.now() - begunAt).toBeLessThan(PROMISED_MS);
}

it('opens while Redis is away, says so in time, and goes on when it is there', async () => {
  await redis.kill();
  state = await openIn({ SKEIN_REDIS_URL: redis.url });
  const opened = state;
  expect(opened.isReachable).toBe(false);
  await expectUnavailable(opened);
  await redis.restart();
  await until(() => expect(opened.isReachable).toBe(true), DEADLINE_MS);
  expect(await opened.jobs.list()).toEqual([]);
});

it('says in time that a Redis is frozen, and goes on when it is not', async () => {
  state = await openIn({ SKEIN_REDIS_URL: redis.url });
  const opened = state;
  await opened.definitions('roles').put({ id: 'one' }, undefined);
  redis.pause();
  await expectUnavailable(opened);
  redis.resume();
  await until(async () => {
    expect(await opened.definitions('roles').get('one')).toMatchObject({ item: { id: 'one' } });
  }, DEADLINE_MS);
});

it('has a folder of its own beside an embedded node, or nothing on the disk', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'skein-api-state-'));
  state = await openIn({ SKEIN_DATA_DIR: dir });
  await state.definitions('roles').put({ id: 'one' }, undefined);
  expect(await readdir(join(dir, 'api'))).toContain('skein.mdb');
  await state.close();
  state = await openIn({ SKEIN_DATA_DIR: dir });
  expect(await state.definitions('roles').list()).toHaveLength(1);
  await state.close();
  state = await openIn({});
  expect(await state.definitions('roles').list()).toEqual([]);
  await rm(dir, { recursive: true });
});
