import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RepeatFilter } from './repeat-filter.ts';

it('passes each sequence of a source exactly once, however runs of appends are sent again', () => {
  const resent = fc.record({ length: fc.integer({ min: 1, max: 12 }), back: fc.nat(12) });
  fc.assert(
    fc.property(fc.array(resent, { maxLength: 60 }), (runs) => {
      const filter = new RepeatFilter({ window: 32, sourcesMax: 2 });
      const passed: number[] = [];
      let next = 1;
      for (const { length, back } of runs) {
        const first = Math.max(1, next - back);
        for (let sequence = first; sequence < first + length; sequence += 1) {
          if (!filter.isRepeat({ nodeId: 'n1', incarnation: 1 }, sequence)) passed.push(sequence);
        }
        next = Math.max(next, first + length);
      }
      expect(passed).toEqual(Array.from({ length: next - 1 }, (_, index) => index + 1));
    }),
  );
});
