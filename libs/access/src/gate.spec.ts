import { describe, expect, it } from '@jest/globals';
import { quiet } from '#libs/testkit';
import { Gate } from './index.ts';

/** Work that ends when it is told to. */
function job() {
  let end: (result: string) => void = () => undefined;
  const promise = new Promise<string>((resolve) => (end = resolve));
  const work = { isRunning: false, end };
  const run = (): Promise<string> => {
    work.isRunning = true;
    return promise;
  };
  return { work, run };
}

describe('a gate', () => {
  it('lets so much run, some wait in line, and turns the rest away', async () => {
    const gate = new Gate(1, 1);
    const [first, second, third] = [job(), job(), job()];
    const results = [gate.run(first.run), gate.run(second.run)];
    expect(await gate.run(third.run)).toBeUndefined();
    expect([first.work.isRunning, second.work.isRunning]).toEqual([true, false]);
    first.work.end('one');
    await quiet();
    expect(second.work.isRunning).toBe(true);
    second.work.end('two');
    expect(await Promise.all(results)).toEqual(['one', 'two']);
    third.work.end('three');
    expect(await gate.run(third.run)).toBe('three');
  });

  it('keeps room in the line for others than one', async () => {
    const gate = new Gate(1, 3);
    const jobs = [job(), job(), job(), job()];
    const [first, second, third, last] = jobs.map(({ run }) => run);
    if (!first || !second || !third || !last) throw new Error('too few');
    const results = [gate.run(first, 'eve'), gate.run(second, 'eve')];
    expect(await gate.run(third, 'eve')).toBeUndefined();
    results.push(gate.run(third, 'ann'));
    for (const { work } of jobs) work.end('done');
    expect(await Promise.all(results)).toEqual(['done', 'done', 'done']);
    expect(await gate.run(last, 'eve')).toBe('done');
  });

  it('leaves room however many fill it', async () => {
    const gate = new Gate(4, 60);
    const held = job();
    const taken: string[] = [];
    for (const whose of ['a', 'b', 'c', 'd']) {
      for (let count = 0; count < 100; count += 1) {
        void gate.run(held.run, whose).then((result) => result && taken.push(whose));
      }
    }
    const ann = gate.run(held.run, 'ann');
    held.work.end('done');
    expect(await ann).toBe('done');
    await quiet();
    // 64 places: a half of them, then of what is left.
    expect(taken.length).toBeLessThan(64);
  });

  it('goes on after work that has failed', async () => {
    const gate = new Gate(1, 1);
    const failing = gate.run(() => Promise.reject(new Error('no')));
    const next = gate.run(() => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });
});
