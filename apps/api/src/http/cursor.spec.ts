import { expect, it } from '@jest/globals';
import { Cursors } from './cursor.ts';

let nowMs = 1_000;
const cursors = new Cursors({ secret: () => 's', now: () => nowMs });

it('names a position of the query it was made for, on every replica', () => {
  const cursor = cursors.encode('q', { clientId: 'é', filter: 'a/#' });
  const replica = new Cursors({ secret: () => 's', now: () => nowMs });

  expect(cursor).toMatch(/^[\w-]+$/);
  expect(replica.decode('q', cursor)).toEqual({ clientId: 'é', filter: 'a/#' });
});

it('is refused for another query, by another key, altered, cut, or empty', () => {
  const cursor = cursors.encode('q', 'a');
  const other = new Cursors({ secret: () => 't', now: () => nowMs });

  expect(() => cursors.decode('p', cursor)).toThrow(/does not belong/);
  expect(() => other.decode('q', cursor)).toThrow(/does not belong/);
  for (let at = 0; at < cursor.length - 1; at += 1) {
    const altered = cursor.slice(0, at) + (cursor[at] === 'A' ? 'B' : 'A') + cursor.slice(at + 1);
    expect(() => cursors.decode('q', altered)).toThrow(/does not belong/);
    expect(() => cursors.decode('q', cursor.slice(0, at))).toThrow(/does not belong/);
  }
});

it('expires', () => {
  const cursor = cursors.encode('q', 'a');
  nowMs += 3_600_001;

  expect(() => cursors.decode('q', cursor)).toThrow(/expired/);
});
