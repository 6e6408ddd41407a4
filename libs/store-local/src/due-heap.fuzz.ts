import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DueHeap, type Due } from './due-heap.ts';

const step = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), atMs: fc.nat(20) }),
  fc.record({ kind: fc.constant('shift' as const) }),
);

describe('DueHeap', () => {
  it('gives what a sorted list gives', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const heap = new DueHeap();
        let list: Due[] = [];
        steps.forEach((each, number) => {
          expect(heap.peek()).toEqual(list[0]);
          if (each.kind === 'shift') return expect(heap.shift()).toEqual(list.shift());
          const item = { atMs: each.atMs, number };
          heap.add(item);
          list.push(item);
          list = list.toSorted((a, b) => a.atMs - b.atMs || a.number - b.number);
        });
      }),
    );
  });
});
