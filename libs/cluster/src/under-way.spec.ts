import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { UnderWay } from './under-way.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('UnderWay', () => {
  it('is answered when all calls up to now are, however they end', async () => {
    const calls = new UnderWay();
    let answer: () => void = () => undefined;
    calls.add(new Promise<void>((resolve) => (answer = resolve)));
    calls.add(Promise.reject(new Error('refused')));
    const told: string[] = [];
    const asked = calls.answered().then(() => told.push('answered'));
    calls.add(new Promise(() => undefined));
    await new Promise(setImmediate);
    expect(told).toEqual([]);
    answer();
    await asked;
    expect(told).toEqual(['answered']);
  });

  it('keeps nothing of what calls came to', async () => {
    const calls = new UnderWay();
    const add = (): WeakRef<object> => {
      const result = {};
      calls.add(Promise.resolve(result));
      return new WeakRef(result);
    };
    const results = Array.from({ length: 100 }, add);
    await calls.answered();
    await new Promise(setImmediate);
    collectGarbage();
    expect(results.filter((result) => result.deref() !== undefined)).toEqual([]);
  });
});
