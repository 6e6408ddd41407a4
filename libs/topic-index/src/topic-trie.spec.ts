import { describe, expect, it } from '@jest/globals';
import { TopicTrie } from './topic-trie.ts';

function matchesOf(trie: TopicTrie<string>, topic: string): string[] {
  const found: string[] = [];
  trie.match(topic, found);
  return found.sort();
}

/** A trie in which the value of each filter is the filter itself. */
function trieOf(...filters: readonly string[]): TopicTrie<string> {
  const trie = new TopicTrie<string>();
  for (const filter of filters) trie.add(filter, filter);
  return trie;
}

describe('TopicTrie', () => {
  it('matches the examples of section 4.7.1', () => {
    const trie = trieOf('sport/tennis/player1/#', 'sport/#', '#', '+/+', '/+', '+', 'sport/+');
    expect(matchesOf(trie, 'sport/tennis/player1')).toEqual([
      '#',
      'sport/#',
      'sport/tennis/player1/#',
    ]);
    expect(matchesOf(trie, '/finance')).toEqual(['#', '+/+', '/+']);
    expect(matchesOf(trie, 'sport')).toEqual(['#', '+', 'sport/#']);
    expect(matchesOf(trie, 'sport/')).toEqual(['#', '+/+', 'sport/#', 'sport/+']);
  });

  it('does not give $ topics to filters that begin with a wildcard [MQTT-4.7.2-1]', () => {
    const trie = trieOf('#', '+/monitor/Clients', '$SYS/#', '$SYS/monitor/+', '+/#');
    expect(matchesOf(trie, '$SYS/monitor/Clients')).toEqual(['$SYS/#', '$SYS/monitor/+']);
    expect(matchesOf(trie, 'a/$SYS')).toEqual(['#', '+/#']);
  });

  it('gives every value of every matching filter', () => {
    const trie = new TopicTrie<object>();
    const narrow = { qos: 1 };
    const wide = { qos: 2 };
    trie.add('a/b', narrow);
    trie.add('a/+', narrow);
    trie.add('a/+', wide);
    const found: object[] = [];
    trie.match('a/b', found);
    expect(found).toHaveLength(3);
    expect(new Set(found)).toEqual(new Set([narrow, wide]));
  });

  it.each(['a/b', 'a/+', 'a/#', '+', '#'])('tells first and last value of %s', (filter) => {
    const trie = new TopicTrie<string>();
    expect(trie.add(filter, 'one')).toBe(true);
    expect(trie.add(filter, 'two')).toBe(false);
    expect(trie.add(filter, 'two')).toBe(false);
    expect(trie.size).toBe(1);
    expect(trie.remove(filter, 'three')).toBe(false);
    expect(trie.remove(filter, 'one')).toBe(false);
    expect(trie.remove(filter, 'two')).toBe(true);
    expect(trie.remove(filter, 'two')).toBe(false);
    expect(trie.size).toBe(0);
    expect([...trie.filters()]).toEqual([]);
  });

  it('changes its version with each change and only then', () => {
    const trie = trieOf('a/+');
    const { version } = trie;
    trie.add('a/+', 'a/+');
    trie.remove('a/+', 'other');
    trie.remove('b/+', 'a/+');
    expect(trie.version).toBe(version);
    trie.add('a/+', 'other');
    expect(trie.version).toBeGreaterThan(version);
  });

  it('lists its filters', () => {
    const filters = ['#', '+', '/', '/#', '/+', 'a', 'a/#', 'a/+/', 'a/+/b', 'a//#'];
    expect([...trieOf(...filters).filters()].sort()).toEqual(filters);
  });

  it('keeps what shares a branch with a removed filter', () => {
    const trie = trieOf('a/+/c', 'a/+/d', 'a/+/d/#');
    trie.remove('a/+/d', 'a/+/d');
    expect(matchesOf(trie, 'a/b/c')).toEqual(['a/+/c']);
    expect(matchesOf(trie, 'a/b/d')).toEqual(['a/+/d/#']);
  });

  it('holds thousands of values of one filter', () => {
    const trie = new TopicTrie<number>();
    for (let value = 0; value < 5000; value += 1) trie.add('a/+', value);
    for (let value = 0; value < 4999; value += 1) expect(trie.remove('a/+', value)).toBe(false);
    const found: number[] = [];
    trie.match('a/b', found);
    expect(found).toEqual([4999]);
  });

  it('takes 32,768 levels', () => {
    const topic = '/'.repeat(32_767);
    const trie = trieOf(topic, `${topic}+`, `${topic}#`, `+${topic}`);
    expect(matchesOf(trie, topic)).toEqual([`${topic}#`, `${topic}+`, `+${topic}`, topic].sort());
    expect([...trie.filters()]).toHaveLength(4);
    expect(trie.remove(`${topic}+`, `${topic}+`)).toBe(true);
  });
});
