import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { filterCovers, filterFault, filtersMeet, matches } from './topic-syntax.ts';

/** Words of filters, and two that none of them holds: what `+` and `#` match besides. */
const WORDS = ['', 'a', '$a'];
const TOPIC_WORDS = [...WORDS, 'z', '$z'];
const FILTER_LEVELS_MAX = 3;

/** One level more than filters have: what only `#` reaches. */
const TOPICS = topicsOf(FILTER_LEVELS_MAX + 1);
const FILTERS = filtersOf();

const filter = fc.constantFrom(...FILTERS);

function topicsOf(levels: number): readonly string[] {
  let names: readonly string[] = TOPIC_WORDS;
  const all = new Set(names);
  for (let count = 1; count < levels; count += 1) {
    names = names.flatMap((name) => TOPIC_WORDS.map((word) => `${name}/${word}`));
    for (const name of names) all.add(name);
  }
  all.delete('');
  return [...all];
}

/** Every filter of so many levels. */
function filtersOf(): readonly string[] {
  const words = [...WORDS, '+'];
  let open: readonly string[] = words;
  const all = new Set([...words, '#']);
  for (let count = 1; count < FILTER_LEVELS_MAX; count += 1) {
    for (const head of open) all.add(`${head}/#`);
    open = open.flatMap((head) => words.map((word) => `${head}/${word}`));
    for (const each of open) all.add(each);
  }
  all.delete('');
  return [...all];
}

const matchedBy = new Map(
  FILTERS.map((each) => [each, new Set(TOPICS.filter((topic) => matches(each, topic)))]),
);
const topicsMatching = (each: string): ReadonlySet<string> => matchedBy.get(each) ?? new Set();

describe('filters as sets of topics', () => {
  it('are all valid, and many', () => {
    expect(FILTERS.filter((each) => filterFault(each, 10) !== undefined)).toEqual([]);
    expect(FILTERS.length).toBeGreaterThan(90);
    expect(TOPICS.length).toBeGreaterThan(700);
  });

  it('cover each other as the sets of all topics over a small alphabet do', () => {
    for (const cover of FILTERS) {
      const covered = topicsMatching(cover);
      for (const each of FILTERS) {
        const isSubset = [...topicsMatching(each)].every((topic) => covered.has(topic));
        if (filterCovers(cover, each) !== isSubset) {
          throw new Error(`${cover} covers ${each}: should be ${String(isSubset)}`);
        }
      }
    }
    expect(filterCovers('+/#', '#')).toBe(true);
  });

  it('meet as those sets do', () => {
    for (const one of FILTERS) {
      for (const other of FILTERS) {
        const others = topicsMatching(other);
        const doMeet = [...topicsMatching(one)].some((topic) => others.has(topic));
        if (filtersMeet(one, other) !== doMeet) {
          throw new Error(`${one} meets ${other}: should be ${String(doMeet)}`);
        }
      }
    }
    expect(filtersMeet('+/a', 'a/+')).toBe(true);
  });

  it('cover in a partial order, and meet what they cover', () => {
    fc.assert(
      fc.property(filter, filter, filter, (one, two, three) => {
        const isOrdered =
          !filterCovers(one, two) || !filterCovers(two, three) || filterCovers(one, three);
        const doMeet = !filterCovers(one, two) || filtersMeet(one, two);
        const isSymmetric = filtersMeet(one, two) === filtersMeet(two, one);
        expect([filterCovers(one, one), isOrdered, doMeet, isSymmetric]).not.toContain(false);
      }),
      { numRuns: 1_000 },
    );
  });
});
