import { expect, it } from '@jest/globals';
import { shedRateOf } from './shed-rate.ts';

it('finds the rate of an even shedding, in whatever order clients tell', () => {
  const times = Array.from({ length: 501 }, (_, at) => 7_000 + at * 10).toReversed();
  expect(shedRateOf(times)).toEqual({ overall: 100, steady: 100, least: 100, most: 100 });
});

it('tells a burst and a slow tail from the rate between them', () => {
  const burst = Array.from({ length: 10 }, () => 0);
  const even = Array.from({ length: 85 }, (_, at) => at * 10);
  const { overall, steady, most } = shedRateOf([
    ...burst,
    ...even,
    ...[4_000, 4_000, 4_000, 4_000, 4_000],
  ]);
  expect(overall).toBeLessThan(30);
  expect(steady).toBeGreaterThan(95);
  expect(steady).toBeLessThan(105);
  expect(most).toBe(95);
});
