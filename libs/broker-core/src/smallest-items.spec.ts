import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SmallestItems } from './smallest-items.ts';

const ascending = (a: number, b: number): number => a - b;

it('keeps the smallest items, in order, whichever way they come', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 10 }), (items, limit) => {
      const smallest = new SmallestItems<number>(limit, ascending);
      for (const item of items) smallest.add(item);

      expect(smallest.sorted()).toEqual(items.toSorted(ascending).slice(0, limit));
    }),
  );
});

it('says beforehand what it would not keep', () => {
  const smallest = new SmallestItems<number>(2, ascending);
  smallest.add(1);
  expect(smallest.takes(9)).toBe(true);
  smallest.add(5);

  expect([smallest.takes(5), smallest.takes(4)]).toEqual([false, true]);
});
