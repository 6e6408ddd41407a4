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

  it('goes on after work that has failed', async () => {
    const gate = new Gate(1, 1);
    const failing = gate.run(() => Promise.reject(new Error('no')));
    const next = gate.run(() => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });
});
