import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { InheritedSpool, Spool, SpoolError } from '#libs/broker-ports';
import { aclRules } from '#libs/redis-client';
import { silentLog, startRedisCluster, type RedisCluster } from '#libs/testkit';
import { RedisSpoolEstate } from './redis-spool-estate.ts';
import { openRedisSpool } from './redis-spool.ts';

let cluster: RedisCluster;
let tests = 0;

beforeAll(async () => {
  const user = ['--user', 'skein', 'on', '>secret', ...aclRules('test*')];
  cluster = await startRedisCluster({ args: user });
}, 30_000);

afterAll(() => cluster.stop());

/** A process of a node, with the estate as it sees it. */
interface Process {
  readonly spool: Spool;
  readonly estate: RedisSpoolEstate;
}

describe('RedisSpoolEstate', () => {
  const ended = new Set<string>();
  let closing: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of closing.toReversed()) await close();
    closing = [];
    ended.clear();
    tests += 1;
  });

  /** The estate knows of a spool before anything is written to it. */
  async function start(nodeId: string, incarnation: number, graceMs = 0): Promise<Process> {
    const options = {
      ...{ nodes: cluster.nodes.slice(0, 1), username: 'skein', password: 'secret' },
      ...{ keyPrefix: `test${String(tests)}`, nodeId, self: `${nodeId}#${String(incarnation)}` },
      ...{ bytesMax: Infinity, commandTimeoutMs: 5_000, log: silentLog },
      ...{ hasEnded: async (self: string) => ended.has(self), graceMs },
    };
    const spool = await openRedisSpool(options);
    closing.push(() => spool.close());
    const estate = await RedisSpoolEstate.open(options);
    closing.push(() => estate.close());
    return { spool, estate };
  }

  function append(spool: Spool, text: string): Promise<string> {
    return new Promise((resolve) => {
      const done = (_: number, error?: SpoolError): void => resolve(error?.code ?? 'ok');
      spool.open('rule').append(Buffer.from(text), 0, done);
    });
  }

  async function inherit({ estate }: Process): Promise<readonly InheritedSpool[]> {
    const spools = await estate.inherit();
    closing.push(...spools.map((spool) => () => spool.close()));
    return spools;
  }

  async function textsOf(spool: Spool | undefined): Promise<readonly string[]> {
    const entries = (await spool?.open('rule').read(0, Infinity)) ?? [];
    return entries.map(({ bytes }) => Buffer.from(bytes).toString());
  }

  it('gives a spool to one node, once its own has ended, and fences that off', async () => {
    const [a, b, c] = [await start('a', 1), await start('b', 1), await start('c', 1)];
    await append(a.spool, 'one');
    expect([...(await inherit(b)), ...(await inherit(c))]).toEqual([]);
    ended.add('a#1');
    const inherited = (await Promise.all([inherit(b), inherit(c)])).flat();
    expect(inherited.map(({ nodeId }) => nodeId)).toEqual(['a']);
    expect(await append(a.spool, 'late')).toBe('FAILED');
    expect(await textsOf(inherited[0]?.spool)).toEqual(['one']);
    expect(await inherited[0]?.isHeld()).toBe(true);
    expect([...(await inherit(b)), ...(await inherit(c))]).toEqual([]);
  });

  it('gives a spool back to its node when that starts again, at any time', async () => {
    const [a, b] = [await start('a', 1), await start('b', 1)];
    await append(a.spool, 'one');
    ended.add('a#1');
    const [inherited] = await inherit(b);
    const again = await start('a', 2);
    expect(await inherited?.isHeld()).toBe(false);
    expect(await textsOf(again.spool)).toEqual(['one']);
    await expect(inherited?.spool.remove('rule')).rejects.toMatchObject({ code: 'FAILED' });
    await inherited?.close();
    expect(await append(again.spool, 'two')).toBe('ok');
    expect(await textsOf(again.spool)).toEqual(['one', 'two']);
    // It is on the list again, so that the next heir finds it.
    ended.add('a#2');
    expect(await inherit(b)).toHaveLength(1);
  });

  it('passes on what an heir has not emptied when that ends, too', async () => {
    const [a, b, c] = [await start('a', 1), await start('b', 1), await start('c', 1)];
    await append(a.spool, 'one');
    await append(b.spool, 'two');
    ended.add('a#1');
    expect(await inherit(b)).toHaveLength(1);
    ended.add('b#1');
    const spools = await inherit(c);
    const left = Object.fromEntries(
      await Promise.all(
        spools.map(async ({ nodeId, spool }) => [nodeId, await textsOf(spool)] as const),
      ),
    );
    expect(left).toEqual({ a: ['one'], b: ['two'] });
  });

  it('forgets a spool that was emptied, and lets a node of that name begin anew', async () => {
    const [a, b] = [await start('a', 1), await start('b', 1)];
    await append(a.spool, 'one');
    ended.add('a#1');
    const [inherited] = await inherit(b);
    await inherited?.spool.remove('rule');
    await inherited?.close();
    expect(await inherit(b)).toEqual([]);
    const again = await start('a', 2);
    expect(await append(again.spool, 'two')).toBe('ok');
    expect(await textsOf(again.spool)).toEqual(['two']);
  });

  it('waits whether the node comes back', async () => {
    const [a, b] = [await start('a', 1), await start('b', 1, 60_000)];
    await append(a.spool, 'one');
    ended.add('a#1');
    expect([...(await inherit(b)), ...(await inherit(b))]).toEqual([]);
    const hasty = await start('c', 1);
    expect(await inherit(hasty)).toHaveLength(1);
  });
});
