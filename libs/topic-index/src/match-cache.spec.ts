import { describe, expect, it } from '@jest/globals';
import { MatchCache } from './match-cache.ts';

describe('MatchCache', () => {
  it('gives back what was set at the same version', () => {
    const cache = new MatchCache<string[]>(4);
    const result = ['x'];
    cache.set('a', 1, result);
    expect(cache.get('a', 1)).toBe(result);
    expect(cache.get('b', 1)).toBeUndefined();
  });

  it('forgets every result when the version moves on', () => {
    const cache = new MatchCache<string>(4);
    cache.set('a', 1, 'old');
    expect(cache.get('a', 2)).toBeUndefined();
    cache.set('b', 2, 'new');
    expect(cache.get('a', 2)).toBeUndefined();
    expect(cache.get('b', 2)).toBe('new');
  });

  it('holds at most the entries given and keeps those in use', () => {
    const cache = new MatchCache<number>(100);
    cache.set('hot', 1, -1);
    for (let index = 0; index < 1000; index += 1) {
      cache.set(`t/${String(index)}`, 1, index);
      expect(cache.get('hot', 1)).toBe(-1);
    }
    const kept = Array.from({ length: 1000 }, (_, index) => cache.get(`t/${String(index)}`, 1));
    expect(kept.filter((result) => result !== undefined).length).toBeLessThan(100);
  });

  it('holds at most the bytes given and keeps those in use', () => {
    const cache = new MatchCache<number>(1000, { bytesMax: 1000, bytesOf: (result) => result });
    cache.set('hot', 1, 1);
    for (let index = 0; index < 1000; index += 1) {
      cache.set(`t/${String(index)}`, 1, 50);
      expect(cache.get('hot', 1)).toBe(1);
    }
    const kept = Array.from({ length: 1000 }, (_, index) => cache.get(`t/${String(index)}`, 1));
    expect(kept.filter((result) => result !== undefined).length).toBeLessThan(20);
  });

  it('does not keep a result that leaves no room for others', () => {
    const cache = new MatchCache<number>(1000, { bytesMax: 1000, bytesOf: (result) => result });
    cache.set('hot', 1, 1);
    cache.set('large', 1, 501);
    expect([cache.get('hot', 1), cache.get('large', 1)]).toEqual([1, undefined]);
    cache.set('hot', 2, 500);
    expect(cache.get('hot', 2)).toBe(500);
  });
});
