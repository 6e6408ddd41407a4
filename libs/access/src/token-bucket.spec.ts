import { describe, expect, it } from '@jest/globals';
import { TokenBucket } from './token-bucket.ts';

const RATE = { perSecond: 10, burst: 20 };

describe('a token bucket', () => {
  it('gives its burst at once, and then no more than its rate', () => {
    const bucket = new TokenBucket(RATE, 0);
    expect(bucket.take(20, 0)).toBe(true);
    expect(bucket.take(1, 0)).toBe(false);
    expect(bucket.take(1, 99)).toBe(false);
    expect(bucket.take(1, 100)).toBe(true);
    expect(bucket.take(1, 100)).toBe(false);
  });

  it('takes nothing when it refuses', () => {
    const bucket = new TokenBucket(RATE, 0);
    expect(bucket.take(21, 0)).toBe(false);
    expect(bucket.take(20, 0)).toBe(true);
  });

  it('holds no more than its burst, however long it rests', () => {
    const bucket = new TokenBucket(RATE, 0);
    expect(bucket.take(20, 1_000_000)).toBe(true);
    expect(bucket.take(1, 1_000_000)).toBe(false);
  });

  it('may be overdrawn by what has happened already, and has to come back', () => {
    const bucket = new TokenBucket(RATE, 0);
    expect(bucket.spend(20, 0)).toBe(true);
    expect(bucket.spend(30, 0)).toBe(false);
    expect(bucket.fillLevel(0)).toBe(-1.5);
    expect(bucket.fillLevel(3000)).toBe(0);
    expect(bucket.spend(1, 3099)).toBe(false);
    expect(bucket.spend(0, 3101)).toBe(true);
  });

  it('keeps what it has when the clock goes back', () => {
    const bucket = new TokenBucket(RATE, 1000);
    expect(bucket.take(15, 1000)).toBe(true);
    expect(bucket.fillLevel(0)).toBe(0.25);
    expect(bucket.fillLevel(1000)).toBe(0.75);
  });
});
