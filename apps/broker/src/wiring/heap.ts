import { getHeapStatistics } from 'node:v8';

/** From so much on, V8 spends its time on collecting. */
const NEARLY_FULL = 0.85;

/** Whether the heap of this process has so little room left that nothing should be taken in that can wait. */
export function isHeapNearlyFull(
  { used_heap_size, heap_size_limit } = getHeapStatistics(),
): boolean {
  return used_heap_size > heap_size_limit * NEARLY_FULL;
}
