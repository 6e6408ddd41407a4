import { describe, expect, it } from '@jest/globals';
import { TopicSet } from './topic-set.ts';

function setOf(...topics: readonly string[]): TopicSet {
  const set = new TopicSet();
  for (const topic of topics) set.add(topic);
  return set;
}

describe('TopicSet', () => {
  it('tells whether a topic was new, is there, and was there', () => {
    const set = new TopicSet();
    expect(set.add('a/b')).toBe(true);
    expect(set.add('a/b')).toBe(false);
    expect(set.has('a/b')).toBe(true);
    expect(set.has('a')).toBe(false);
    expect(set.delete('a')).toBe(false);
    expect(set.delete('a/b')).toBe(true);
    expect(set.delete('a/b')).toBe(false);
    expect(set.size).toBe(0);
  });

  it('finds what a filter matches', () => {
    const set = setOf('a', 'a/', 'a/b', 'a/b/c', '/a', '$SYS/a', '$SYS');
    const sorted = (filter: string) => set.match(filter, Infinity).sort();
    expect(sorted('#')).toEqual(['/a', 'a', 'a/', 'a/b', 'a/b/c']);
    expect(sorted('a/#')).toEqual(['a', 'a/', 'a/b', 'a/b/c']);
    expect(sorted('a/+')).toEqual(['a/', 'a/b']);
    expect(sorted('+')).toEqual(['a']);
    expect(sorted('+/a')).toEqual(['/a']);
    expect(sorted('+/+/#')).toEqual(['/a', 'a/', 'a/b', 'a/b/c']);
    expect(sorted('$SYS/#')).toEqual(['$SYS', '$SYS/a']);
    expect(sorted('a/b')).toEqual(['a/b']);
    expect(sorted('b')).toEqual([]);
  });

  it('stops at the limit', () => {
    const set = setOf('a/1', 'a/2', 'a/3');
    expect(set.match('a/+', 2)).toHaveLength(2);
    expect(set.match('a/+', 0)).toEqual([]);
  });

  it('lists page by page without gap or repeat', () => {
    const topics = Array.from({ length: 100 }, (_, index) => `t/${String((index * 37) % 100)}`);
    const set = setOf(...topics, 'other');
    const pages: string[][] = [];
    let after: string | undefined;
    for (;;) {
      const page = set.list({ filter: 't/+', after, limit: 7 });
      if (page.length === 0) break;
      pages.push(page);
      after = page.at(-1);
    }
    expect(pages.flat()).toEqual([...topics].sort());
    expect(pages).toHaveLength(15);
    expect(set.list({ filter: 't/+', after: undefined, limit: 0 })).toEqual([]);
  });

  it('takes 32,768 levels', () => {
    const topic = '/'.repeat(32_767);
    const set = setOf(topic, 'a');
    expect(set.match('/#', 9)).toEqual([topic]);
    expect(set.match(`${topic.slice(1)}#`, 9)).toEqual([topic]);
    expect(set.delete(topic)).toBe(true);
    expect(set.match('#', 9)).toEqual(['a']);
  });
});
