import { getHeapStatistics } from 'node:v8';
import { expect, it } from '@jest/globals';
import { isHeapNearlyFull } from './heap.ts';

it('tells when the heap is nearly full', () => {
  const statistics = { ...getHeapStatistics(), heap_size_limit: 1_000 };
  expect(isHeapNearlyFull({ ...statistics, used_heap_size: 850 })).toBe(false);
  expect(isHeapNearlyFull({ ...statistics, used_heap_size: 851 })).toBe(true);
  expect(isHeapNearlyFull()).toBe(false);
});
