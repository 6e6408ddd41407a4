import { describe, expect, it } from '@jest/globals';
import { OverloadController, type LoadSample, type OverloadChange } from './overload.ts';

const CALM: LoadSample = { loopDelayMs: 5, heapPercent: 30, redisDelayMs: 1, spoolPercent: 100 };
const SETTINGS = {
  loopDelayMs: [100, 200, 400],
  heapPercent: [90, 95, 98],
  redisDelayMs: [1000, 0, 0],
  spoolPercent: [0, 0, 0],
  riseSeconds: 3,
  fallSeconds: 5,
};

/** Takes a sample a second; the changes, with the second of each. */
function changesOf(samples: readonly Partial<LoadSample>[]): (OverloadChange & { at: number })[] {
  const controller = new OverloadController(SETTINGS);
  return samples.flatMap((sample, at) => {
    const change = controller.update({ ...CALM, ...sample }, at * 1000);
    return change === undefined ? [] : [{ ...change, at }];
  });
}

const times = <Item>(count: number, item: Item): readonly Item[] =>
  Array.from({ length: count }, () => item);

describe('overload', () => {
  it('is none while every measure is below its threshold, or has none', () => {
    expect(changesOf(times(20, { heapPercent: 89, redisDelayMs: 999 }))).toEqual([]);
  });

  it('is no single bad sample, however bad, and none that comes and goes', () => {
    expect(changesOf([{ loopDelayMs: 60_000 }, ...times(20, {})])).toEqual([]);
    const flicker = [{ loopDelayMs: 500 }, { loopDelayMs: 500 }, {}];
    expect(changesOf(times(5, flicker).flat())).toEqual([]);
  });

  it('is entered after it was called for all along, at the level that was', () => {
    const changes = changesOf([
      ...times(2, { loopDelayMs: 150 }),
      ...times(6, { loopDelayMs: 450 }),
    ]);
    expect(changes).toEqual([
      { at: 3, from: 0, to: 1, cause: 'loopDelayMs', value: 450 },
      { at: 5, from: 1, to: 3, cause: 'loopDelayMs', value: 450 },
    ]);
  });

  it('is left level by level, and not before the measure is well below', () => {
    const changes = changesOf([
      ...times(4, { heapPercent: 99 }),
      ...times(10, { heapPercent: 80 }),
      ...times(20, {}),
    ]);
    expect(changes.map(({ at, from, to }) => [at, from, to])).toEqual([
      [3, 0, 3],
      // 80 is more than four fifths of 98.
      [19, 3, 2],
      [25, 2, 1],
      [31, 1, 0],
    ]);
  });

  it('names the measure that calls for the most', () => {
    const [change] = changesOf(times(4, { redisDelayMs: 5000, heapPercent: 96 }));
    expect(change).toMatchObject({ to: 2, cause: 'heapPercent', value: 96 });
    expect(changesOf(times(4, { redisDelayMs: 5000 }))[0]).toMatchObject({
      to: 1,
      cause: 'redisDelayMs',
    });
  });
});

it('leaves nothing behind when it is reset', () => {
  const controller = new OverloadController(SETTINGS);
  for (let at = 0; at < 5; at += 1) controller.update({ ...CALM, heapPercent: 99 }, at * 1000);
  expect(controller.level).toBe(3);
  controller.reset();
  expect(controller.level).toBe(0);
  expect(controller.update({ ...CALM, heapPercent: 99 }, 5_000)).toBeUndefined();
});
