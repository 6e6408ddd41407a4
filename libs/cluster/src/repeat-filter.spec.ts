import { describe, expect, it } from '@jest/globals';
import { RepeatFilter } from './repeat-filter.ts';

const n1 = { nodeId: 'n1', incarnation: 1 };

describe('RepeatFilter', () => {
  it('drops what came before, whatever came between', () => {
    const filter = new RepeatFilter({ window: 8, sourcesMax: 4 });
    const seen = [5, 6, 5, 7, 6, 7].map((sequence) => filter.isRepeat(n1, sequence));
    expect(seen).toEqual([false, false, true, false, true, true]);
  });

  it('does not take a batch for a repeat because a later one came first', () => {
    const filter = new RepeatFilter({ window: 8, sourcesMax: 4 });
    expect([9, 3, 4, 3].map((sequence) => filter.isRepeat(n1, sequence))).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  it('takes what is older than the window for a repeat', () => {
    const filter = new RepeatFilter({ window: 8, sourcesMax: 4 });
    for (let sequence = 1; sequence <= 20; sequence += 1) filter.isRepeat(n1, sequence);
    expect([12, 1, 21].map((sequence) => filter.isRepeat(n1, sequence))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('tells incarnations of a node apart', () => {
    const filter = new RepeatFilter({ window: 8, sourcesMax: 4 });
    filter.isRepeat(n1, 1);
    expect(filter.isRepeat({ ...n1, incarnation: 2 }, 1)).toBe(false);
  });

  it('forgets the source it has not heard of for longest when there are too many', () => {
    const filter = new RepeatFilter({ window: 8, sourcesMax: 2 });
    const [a, b, c] = ['a', 'b', 'c'].map((nodeId) => ({ nodeId, incarnation: 1 })) as [
      typeof n1,
      typeof n1,
      typeof n1,
    ];
    filter.isRepeat(a, 1);
    filter.isRepeat(b, 1);
    filter.isRepeat(a, 2);
    filter.isRepeat(c, 1);
    expect([filter.isRepeat(a, 2), filter.isRepeat(b, 1)]).toEqual([true, false]);
  });
});
