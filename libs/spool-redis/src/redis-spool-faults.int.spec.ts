import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Spool, SpoolError } from '#libs/broker-ports';
import { silentLog, startRedis, until, type RedisServer } from '#libs/testkit';
import { spoolKeys } from './keys.ts';
import { openRedisSpool } from './redis-spool.ts';

const DEADLINE_MS = 20_000;
const COMMAND_TIMEOUT_MS = 2_000;

// A server that syncs each command starts slowly beside other tests.
jest.setTimeout(3 * DEADLINE_MS);

describe('openRedisSpool', () => {
  let server: RedisServer;
  let spool: Spool;

  const open = (self = 'a#1'): Promise<Spool> =>
    openRedisSpool({
      ...{ url: server.url, keyPrefix: 'test', nodeId: 'a', self, bytesMax: Infinity },
      ...{ commandTimeoutMs: COMMAND_TIMEOUT_MS, log: silentLog },
    });

  beforeEach(async () => {
    server = await startRedis({ appendOnly: true, args: ['--maxmemory', '20mb'] });
    spool = await open();
  });

  afterEach(async () => {
    await spool.close();
    await server.stop();
  });

  /** What becomes of a record: `ok`, or the code of its error. */
  function append(bytes: number, to = spool): Promise<string> {
    return new Promise((resolve) => {
      const done = (_: number, error?: SpoolError): void => resolve(error?.code ?? 'ok');
      to.open('rule').append(new Uint8Array(bytes), 0, done);
    });
  }

  async function waiting(): Promise<number> {
    return (await spool.open('rule').read(0, Infinity)).length;
  }

  it('takes nothing while Redis is away, and has all that was durable when it is back', async () => {
    expect(await append(100)).toBe('ok');
    await server.kill();
    expect(await append(100)).toBe('FAILED');
    await server.restart();
    await until(async () => expect(await append(100)).toBe('ok'), DEADLINE_MS);
    expect(await waiting()).toBe(2);
    await spool.close();
    spool = await open();
    expect(await waiting()).toBe(2);
  });

  it('says that nothing is durable that Redis does not answer', async () => {
    server.pause();
    expect(await append(100)).toBe('FAILED');
    server.resume();
    await until(async () => expect(await append(100)).toBe('ok'), DEADLINE_MS);
  });

  it('counts what Redis may have stored without an answer, until that is released', async () => {
    server.pause();
    expect(await append(500_000)).toBe('FAILED');
    server.resume();
    await until(async () => expect(await append(100)).toBe('ok'), DEADLINE_MS);
    expect(await waiting()).toBeGreaterThan(0);
    expect(spool.bytes).toBeGreaterThan(500_000);
    const log = spool.open('rule');
    log.release(log.next - 1);
    await until(async () => expect(await append(100)).toBe('ok'), DEADLINE_MS);
    await until(() => expect(spool.bytes).toBeLessThan(1_000), DEADLINE_MS);
  });

  it('counts nothing of what was not sent', async () => {
    await server.kill();
    // The first ones may be on their way when the connection ends.
    await until(async () => {
      const { bytes } = spool;
      expect(await append(100_000)).toBe('FAILED');
      expect(spool.bytes).toBe(bytes);
    }, DEADLINE_MS);
    await server.restart();
  });

  it('is full when the memory of Redis is, and has room again after a release', async () => {
    let stored = 0;
    while ((await append(500_000)) === 'ok') stored += 1;
    expect(await append(500_000)).toBe('FULL');
    expect(await waiting()).toBe(stored);
    const log = spool.open('rule');
    log.release(log.next);
    await until(async () => expect(await append(500_000)).toBe('ok'), DEADLINE_MS);
    expect(await waiting()).toBe(1);
  });

  it('fences off a process that had it before', async () => {
    expect(await append(100)).toBe('ok');
    const later = await open('a#2');
    expect(await append(100)).toBe('FAILED');
    expect(await append(100, later)).toBe('ok');
    expect((await later.open('rule').read(0, Infinity)).map(({ sequence }) => sequence)).toEqual([
      1, 2,
    ]);
    await later.close();
  });

  it('takes no marks of a log that Redis has lost for those of the next one', async () => {
    const { logs, marks, log } = spoolKeys('test', 'a');
    const redis = new Redis(server.url);
    spool.open('rule').mark({ from: 0, bits: Uint8Array.of(255) });
    expect(await append(100)).toBe('ok');
    await redis.del(logs, log('rule'));
    expect(await redis.exists(marks)).toBe(1);
    const next = await open('a#2');
    expect(await append(100, next)).toBe('ok');
    await next.close();
    const last = await open('a#3');
    expect(last.open('rule').marks).toBeUndefined();
    await last.close();
    await redis.quit();
  });

  it('is not opened without Redis', async () => {
    await server.kill();
    await expect(open()).rejects.toMatchObject({ code: 'FAILED' });
    await server.restart();
  });
});
