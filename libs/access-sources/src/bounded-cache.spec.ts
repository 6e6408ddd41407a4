import { describe, expect, it } from '@jest/globals';
import { BoundedCache } from './bounded-cache.ts';

describe('a bounded cache', () => {
  it('forgets what was not asked for the longest time', () => {
    const cache = new BoundedCache<number>(2);
    cache.set('a', 1);
    cache.set('b', 2);
    expect(cache.get('a')).toBe(1);
    cache.set('c', 3);
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([1, undefined, 3]);
  });

  it('counts what its values weigh', () => {
    const cache = new BoundedCache<number>(10, (value) => value);
    cache.set('a', 4);
    cache.set('b', 4);
    cache.set('a', 6);
    expect([cache.get('b'), cache.get('a')]).toEqual([4, 6]);
    cache.set('c', 5);
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([undefined, undefined, 5]);
    cache.delete('c');
    cache.set('d', 10);
    expect(cache.get('d')).toBe(10);
    cache.set('e', 11);
    expect([cache.get('d'), cache.get('e')]).toEqual([undefined, undefined]);
  });
});
