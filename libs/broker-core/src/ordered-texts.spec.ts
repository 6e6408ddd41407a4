import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OrderedTexts } from './ordered-texts.ts';

const walk = (step: (from: string | undefined) => string | undefined): string[] => {
  const found: string[] = [];
  for (let at = step(undefined); at !== undefined; at = step(at)) found.push(at);
  return found;
};

it('has nothing before it is given something', () => {
  const texts = new OrderedTexts();

  expect([texts.after(undefined), texts.before(undefined)]).toEqual([undefined, undefined]);
  expect([texts.after('a'), texts.before('a')]).toEqual([undefined, undefined]);
});

it('is in order both ways, whatever comes and goes', () => {
  const text = fc.oneof(fc.integer({ min: 0, max: 3_000 }).map(String), fc.string());
  const changes = fc.array(fc.tuple(fc.boolean(), text), { maxLength: 4_000, size: 'max' });
  fc.assert(
    fc.property(changes, text, (all, probe) => {
      const texts = new OrderedTexts();
      const naive = new Set<string>();
      for (const [isAdded, each] of all) {
        if (isAdded) {
          texts.add(each);
          naive.add(each);
        } else {
          texts.delete(each);
          naive.delete(each);
        }
      }
      const sorted = [...naive].toSorted((a, b) => (a < b ? -1 : 1));

      expect(walk((at) => texts.after(at))).toEqual(sorted);
      expect(walk((at) => texts.before(at))).toEqual(sorted.toReversed());
      expect(texts.after(probe)).toBe(sorted.find((each) => each > probe));
      expect(texts.before(probe)).toBe(sorted.findLast((each) => each < probe));
    }),
    { numRuns: 50 },
  );
});

it('keeps a large number in order, added from either end', () => {
  const names = Array.from({ length: 5_000 }, (_, index) => String(index).padStart(5, '0'));
  for (const given of [names, names.toReversed()]) {
    const texts = new OrderedTexts();
    for (const name of given) texts.add(name);
    for (const name of given.slice(0, 4_000)) texts.delete(name);

    expect(walk((at) => texts.after(at))).toEqual(
      given.slice(4_000).toSorted((a, b) => (a < b ? -1 : 1)),
    );
  }
});
