import { describe, expect, it } from '@jest/globals';
import { seededRandom } from './seeded-random.ts';

const draw = (seed: number, count: number) => Array.from({ length: count }, seededRandom(seed));

describe('seededRandom', () => {
  it('repeats itself with the same seed and differs with another', () => {
    expect(draw(7, 100)).toEqual(draw(7, 100));
    expect(draw(7, 100)).not.toEqual(draw(8, 100));
  });

  it('is spread evenly over [0, 1)', () => {
    const counts = new Array<number>(10).fill(0);
    for (const value of draw(1, 10_000))
      counts[Math.floor(value * 10)] = (counts[Math.floor(value * 10)] ?? 0) + 1;
    expect(counts.every((count) => count > 900 && count < 1100)).toBe(true);
  });
});
