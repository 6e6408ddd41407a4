import { describe, expect, it } from '@jest/globals';
import { TopicSet } from './topic-set.ts';
import { TopicTrie } from './topic-trie.ts';
import { WideMap } from './wide-map.ts';

const MANY = 30_000;
const keys = Array.from({ length: MANY }, (_, index) => `devices/device-${String(index)}/cmd`);

describe('WideMap', () => {
  it('holds what a Map holds, over all its splits', () => {
    const map = new WideMap<number>();
    for (const [index, key] of keys.entries()) map.set(key, index);
    for (const [index, key] of keys.entries()) if (index % 3 === 0) map.set(key, -index);
    for (const [index, key] of keys.entries()) if (index % 3 === 1) map.delete(key);

    const expected = new Map(
      keys
        .map((key, index) => [key, index % 3 === 0 ? -index : index] as const)
        .filter((_, index) => index % 3 !== 1),
    );
    expect(map.size).toBe(expected.size);
    expect([...map.keys()].sort()).toEqual([...expected.keys()].sort());
    const ascending = (a: number, b: number): number => a - b;
    expect([...map.values()].sort(ascending)).toEqual([...expected.values()].sort(ascending));
    expect(keys.every((key) => map.get(key) === expected.get(key))).toBe(true);
    expect(keys.every((key) => map.has(key) === expected.has(key))).toBe(true);
  });

  it('counts a key once, and a key that is not there not at all', () => {
    const map = new WideMap<string>();
    map.set('a', '1');
    map.set('a', '2');
    expect([map.size, map.get('a'), map.delete('b'), map.delete('a'), map.size]).toEqual([
      ...[1, '2', false, true, 0],
    ]);
  });
});

describe('very many filters and topics below one level', () => {
  it.each([
    ['without wildcards', '/state', '/state'],
    ['that end with #', '/cmd/#', '/cmd'],
    ['with a + behind it', '/+/set', '/x/set'],
  ])('are found and removed: filters %s', (_kind, end, topicEnd) => {
    const trie = new TopicTrie<number>();
    for (let index = 0; index < MANY; index += 1) trie.add(`devices/${String(index)}${end}`, index);
    const wrong: number[] = [];
    for (let index = 0; index < MANY; index += 1) {
      const found: number[] = [];
      trie.match(`devices/${String(index)}${topicEnd}`, found);
      if (found.length !== 1 || found[0] !== index) wrong.push(index);
    }
    expect(wrong).toEqual([]);
    expect(new Set(trie.filters()).size).toBe(MANY);
    for (let index = 0; index < MANY; index += 1) {
      trie.remove(`devices/${String(index)}${end}`, index);
    }
    expect([trie.size, [...trie.filters()]]).toEqual([0, []]);
  });

  it('are listed and deleted: topics', () => {
    const set = new TopicSet();
    for (const key of keys) set.add(key);
    expect(set.match('devices/+/cmd', Infinity)).toHaveLength(MANY);
    expect(set.match('devices/device-7777/#', 2)).toEqual(['devices/device-7777/cmd']);
    for (const key of keys) set.delete(key);
    expect([set.size, set.match('#', 1)]).toEqual([0, []]);
  });
});
