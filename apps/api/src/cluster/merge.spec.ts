import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compareText, mergePages } from './merge.ts';

it('gives the pages of one sorted list, however the items lie on the nodes', () => {
  const nodes = fc.array(fc.array(fc.string({ maxLength: 2 }), { maxLength: 12 }), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(nodes, fc.integer({ min: 1, max: 5 }), (lists, limit) => {
      const seen: string[] = [];
      for (let after: string | undefined, more = true; more;) {
        const position = after;
        const pages = lists.map((list) => {
          const rest = [...new Set(list)]
            .filter((item) => position === undefined || item > position)
            .toSorted(compareText);
          return { items: rest.slice(0, limit), hasMore: rest.length > limit };
        });
        const page = mergePages(pages, limit, compareText);
        seen.push(...page.items);
        after = page.items.at(-1);
        more = page.hasMore;
      }
      expect(seen).toEqual([...new Set(lists.flat())].toSorted(compareText));
    }),
  );
});
