import { expect, it } from '@jest/globals';
import { isBelow, requireTopics } from './topics.ts';

it.each([
  ['a/b', true],
  ['a/b/', true],
  ['a/b/c/#', true],
  ['a/b/#', true],
  ['a/b/+', true],
  ['c', true],
  ['a/bc', false],
  ['a', false],
  ['a/+', false],
  ['a/#', false],
  ['+/b', false],
  ['#', false],
  ['', false],
  ['/a/b', false],
  ['A/b', false],
  ['$share/group/a/b', false],
  ['$SYS/a/b', false],
])('whoever has a/b and c/ has %s: %j', (topic, expected) => {
  expect(isBelow(topic, ['a/b', 'c/'])).toBe(expected);
});

const body = {
  items: [{ topic: 'a/1' }, { topic: 'a/2' }],
  topic: 'a',
  odd: [7],
  list: ['a', 'b'],
};
const request = { path: {}, query: { filter: 'a/#' }, body };
const allowed = (...fields: readonly string[]): boolean => {
  const topics = fields.map((field) =>
    field.startsWith('?')
      ? ({ in: 'query', field: field.slice(1) } as const)
      : ({ in: 'body', field } as const),
  );
  try {
    requireTopics({ topics }, request, { topicPrefixes: ['a'] });
    return true;
  } catch {
    return false;
  }
};

it('finds topics wherever an operation says that they are', () => {
  expect(allowed('topic')).toBe(true);
  expect(allowed('items.*.topic')).toBe(true);
  expect(allowed('?filter', 'topic')).toBe(true);
  expect(allowed('list.*')).toBe(false);
});

it('looks behind the group of a shared subscription, and of nothing else', () => {
  const asks = (field: 'filter' | 'topic', value: string) => () =>
    requireTopics(
      { topics: [{ in: 'body', field }] },
      { path: {}, query: {}, body: { [field]: value } },
      { topicPrefixes: ['a/b'] },
    );
  expect(asks('filter', '$share/group/a/b/#')).not.toThrow();
  for (const filter of ['$share/a/b', '$share/a/b/c/x', '$share/group/#']) {
    expect(asks('filter', filter)).toThrow('other topics');
  }
  expect(asks('topic', '$share/group/a/b')).toThrow('other topics');
});

it('lets nobody with topics pass who names none, or what is no topic', () => {
  expect(allowed()).toBe(false);
  expect(allowed('absent')).toBe(false);
  expect(allowed('topic.length')).toBe(false);
  expect(allowed('items.*.constructor')).toBe(false);
  expect(allowed('odd.*')).toBe(false);
});

it('lets those pass who have all topics, and operations that touch none', () => {
  const any = { topicPrefixes: undefined };
  expect(() => requireTopics({ topics: [] }, request, any)).not.toThrow();
  expect(() => requireTopics({}, request, { topicPrefixes: ['a'] })).not.toThrow();
});
