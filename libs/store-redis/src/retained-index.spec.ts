import { describe, expect, it } from '@jest/globals';
import { messageOf } from '#libs/testkit';
import { catalogText, RetainedIndex } from './retained-index.ts';

const NOW_MS = 1_700_000_000_000;

/** An index of topics t/0, t/1, ...; every one but each tenth has expired. */
function indexOf(count: number): RetainedIndex {
  const index = new RetainedIndex(undefined);
  for (let at = 0; at < count; at += 1) {
    const expiresAtMs = at % 10 === 0 ? 0 : NOW_MS;
    const topic = `t/${String(at)}`;
    index.apply(topic, catalogText(messageOf({ topic, expiresAtMs, sequence: at })));
  }
  return index;
}

describe('the index of retained messages', () => {
  it('finds the live ones among many expired, and lists them up to the limit', () => {
    const index = indexOf(1_000);
    expect(index.match('t/+', NOW_MS)).toHaveLength(100);
    const query = { filter: '#', after: 't/100', limit: 3, nowMs: NOW_MS };
    expect(index.list(query)).toEqual(['t/110', 't/120', 't/130']);
  });

  it('goes round all topics for expired ones, a few at a time', () => {
    const index = indexOf(100);
    const found = new Set<string>();
    for (let call = 0; call < 12; call += 1) {
      for (const [topic] of index.expired(NOW_MS, 10)) found.add(topic);
    }
    expect(found.size).toBe(90);
    expect(index.expired(NOW_MS - 1, 100)).toEqual([]);
  });

  it('counts the bytes of what it holds, topics included', () => {
    const index = new RetainedIndex(undefined);
    const text = (bytes: number) =>
      catalogText(messageOf({ topic: 't', payload: new Uint8Array(bytes) }));
    index.apply('a', text(10));
    index.apply('b', text(5));
    index.apply('a', text(3));
    expect(index.size).toEqual({ messages: 2, bytes: 10 });
    index.apply('b', '');
    index.apply('none', '');
    expect(index.size).toEqual({ messages: 1, bytes: 4 });
  });

  it('knows which log entries it has not read', () => {
    const index = new RetainedIndex('1700000000000-5');
    expect(index.isNews('1700000000000-6')).toBe(true);
    expect(index.isNews('1700000000001-0')).toBe(true);
    expect(index.isNews('1700000000000-5')).toBe(false);
    expect(index.isNews('1699999999999-9')).toBe(false);
  });
});
