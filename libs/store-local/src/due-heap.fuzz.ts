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
        const given: (Due | undefined)[] = [];
        const expected: (Due | undefined)[] = [];
        let list: Due[] = [];
        steps.forEach((each, number) => {
          given.push(heap.peek(), each.kind === 'shift' ? heap.shift() : undefined);
          expected.push(list[0], each.kind === 'shift' ? list.shift() : undefined);
          if (each.kind === 'shift') return;
          const item = { atMs: each.atMs, number };
          heap.add(item);
          list.push(item);
          list = list.toSorted((one, other) => one.atMs - other.atMs || one.number - other.number);
        });
        expect(given).toEqual(expected);
      }),
    );
  });
});
