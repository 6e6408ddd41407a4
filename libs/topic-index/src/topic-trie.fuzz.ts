import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TopicSet } from './topic-set.ts';
import { filterFault, matches, topicNameFault } from './topic-syntax.ts';
import { TopicTrie } from './topic-trie.ts';

/** Few levels of few words, empty ones among them, so that filters and topics meet often. */
const level = fc.constantFrom('', 'a', 'b', '$a', '😀');
const topic = fc
  .array(level, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join('/'))
  .filter((name) => name !== '');
const filter = fc
  .tuple(
    fc.array(fc.oneof(level, fc.constant('+')), { minLength: 0, maxLength: 4 }),
    fc.constantFrom('', '#', '+', 'a'),
  )
  .map(([levels, last]) => [...levels, last].join('/'))
  .filter((name) => name !== '');
const change = fc.record({
  kind: fc.constantFrom('add', 'add', 'remove'),
  filter,
  value: fc.constantFrom('n1', 'n2', 'n3'),
});

/** The same map, written for certainty: a set of values per filter. */
function applyToModel(
  model: Map<string, Set<string>>,
  { kind, filter: key, value }: { kind: string; filter: string; value: string },
): boolean {
  const values = model.get(key) ?? new Set<string>();
  const before = values.size;
  if (kind === 'add') values.add(value);
  else values.delete(value);
  if (values.size === 0) model.delete(key);
  else model.set(key, values);
  return kind === 'add' ? before === 0 : before === 1 && values.size === 0;
}

/** The claim that a trie does what the matcher says. */
function equals(matcher: (filter: string, topic: string) => boolean) {
  return fc.property(fc.array(change, { maxLength: 60 }), fc.array(topic), (changes, topics) => {
    const trie = new TopicTrie<string>();
    const model = new Map<string, Set<string>>();
    for (const step of changes) {
      const { filter: key, value } = step;
      const told = step.kind === 'add' ? trie.add(key, value) : trie.remove(key, value);
      expect(told).toBe(applyToModel(model, step));
    }
    expect(trie.size).toBe(model.size);
    expect([...trie.filters()].sort()).toEqual([...model.keys()].sort());
    for (const { filter: key } of changes) expect(trie.has(key)).toBe(model.has(key));
    for (const name of topics) {
      expect(trie.has(name)).toBe(model.has(name));
      const found: string[] = [];
      trie.match(name, found);
      const expected = [...model].flatMap(([key, values]) =>
        matcher(key, name) ? [...values] : [],
      );
      expect(found.sort()).toEqual(expected.sort());
    }
  });
}

describe('TopicTrie', () => {
  it('equals the naive matcher after any changes', () => {
    fc.assert(equals(matches));
  });

  it('would be caught if it forgot one rule', () => {
    const withoutDollarRule = (key: string, name: string) => matches(key, name.replace('$', ''));
    const withoutParent = (key: string, name: string) =>
      matches(key, name) && !key.endsWith(`${name}/#`);
    expect(fc.check(equals(withoutDollarRule), { numRuns: 2000 }).failed).toBe(true);
    expect(fc.check(equals(withoutParent), { numRuns: 2000 }).failed).toBe(true);
  });

  it('is empty again when all that was added is removed', () => {
    fc.assert(
      fc.property(fc.uniqueArray(filter), topic, (filters, name) => {
        const trie = new TopicTrie<string>();
        for (const key of filters) trie.add(key, 'n1');
        for (const key of filters) expect(trie.remove(key, 'n1')).toBe(true);
        const found: string[] = [];
        trie.match(name, found);
        expect([found, trie.size, [...trie.filters()]]).toEqual([[], 0, []]);
      }),
    );
  });
});

describe('TopicSet', () => {
  it('equals the naive matcher after any changes', () => {
    fc.assert(
      fc.property(fc.array(topic), fc.array(topic), filter, (added, removed, key) => {
        const set = new TopicSet();
        const model = new Set<string>();
        for (const name of added) {
          expect(set.add(name)).toBe(!model.has(name));
          model.add(name);
        }
        for (const name of removed) expect(set.delete(name)).toBe(model.delete(name));
        const expected = [...model].filter((name) => matches(key, name)).sort();
        expect(set.size).toBe(model.size);
        expect(set.match(key, Infinity).sort()).toEqual(expected);
        const after = expected[0];
        expect(set.list({ filter: key, after, limit: 2 })).toEqual(expected.slice(1, 3));
      }),
    );
  });
});

describe('topicNameFault and filterFault', () => {
  it('judge any text without throwing, and a valid topic name is a valid filter', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const isName = topicNameFault(text, 16) === undefined;
        const isFilter = filterFault(text, 16) === undefined;
        expect(isName && !isFilter && !text.startsWith('$share/')).toBe(false);
        expect(isFilter && text.includes('\0')).toBe(false);
      }),
    );
  });
});
