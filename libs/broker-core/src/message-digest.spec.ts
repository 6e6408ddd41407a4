import { describe, expect, it } from '@jest/globals';
import { digestOf } from './message-digest.ts';

const payload = new Uint8Array(1_000);

function changedAt(at: number): Uint8Array {
  const changed = payload.slice();
  changed[at] = 1;
  return changed;
}

describe('digestOf', () => {
  it('is the same for the same content, and 32 bits', () => {
    const digest = digestOf({ topic: 'a/b', payload });
    expect(digestOf({ topic: 'a/b', payload: payload.slice() })).toBe(digest);
    expect(digest >>> 0).toBe(digest);
  });

  it('differs with the topic, the length and either end of the payload', () => {
    const others = [
      { topic: 'a/c', payload },
      { topic: 'a/b', payload: payload.subarray(1) },
      { topic: 'a/b', payload: changedAt(0) },
      { topic: 'a/b', payload: changedAt(127) },
      { topic: 'a/b', payload: changedAt(872) },
      { topic: 'a/b', payload: changedAt(999) },
    ];
    const digests = new Set([{ topic: 'a/b', payload }, ...others].map(digestOf));
    expect(digests.size).toBe(7);
  });

  it('counts each byte of a short payload once', () => {
    const digests = [0, 1, 2, 3].map((length) =>
      digestOf({ topic: '', payload: Uint8Array.of(7, 8, 9).subarray(0, length) }),
    );
    expect(new Set(digests).size).toBe(4);
  });
});
