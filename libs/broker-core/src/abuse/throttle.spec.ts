import { describe, expect, it } from '@jest/globals';
import { Pace, Throttle, type RateParts } from './throttle.ts';

const NONE = { messagesPerSecond: 0, bytesPerSecond: 0 };
const RATES: RateParts = {
  client: { messagesPerSecond: 10, bytesPerSecond: 0 },
  user: NONE,
  burstSeconds: 2,
  heldSecondsMax: 3,
};

function throttleOf(rates: Partial<RateParts> = {}, user?: Pace): Throttle {
  const throttle = Throttle.of({ ...RATES, ...rates }, user, 0);
  if (throttle === undefined) throw new Error('nothing is bounded');
  return throttle;
}

/** Messages until one was too many; at most 1,000. */
function flood(throttle: Throttle, nowMs: number): number {
  for (let count = 1; count <= 1000; count += 1) if (!throttle.message(nowMs)) return count;
  return 1000;
}

describe('a throttle', () => {
  it('is none where nothing is bounded', () => {
    expect(Throttle.of({ ...RATES, client: NONE }, undefined, 0)).toBeUndefined();
  });

  it('lets the burst pass, and one message more, which is paid for before the next', () => {
    const throttle = throttleOf();
    expect(flood(throttle, 0)).toBe(21);
    expect(throttle.check(50)).toBe('held');
    expect(throttle.check(100)).toBe('free');
    expect(throttle.message(100)).toBe(false);
  });

  it('bounds bytes as well as messages', () => {
    const throttle = throttleOf({ client: { messagesPerSecond: 10, bytesPerSecond: 100 } });
    expect(throttle.bytes(1200, 0)).toBe(false);
    expect([1000, 4000].map((nowMs) => throttle.check(nowMs))).toEqual(['held', 'over']);
    expect(throttleOf().bytes(1e9, 0)).toBe(true);
  });

  it('waits long for a large message, and for ever if it may', () => {
    const client = { messagesPerSecond: 0, bytesPerSecond: 100 };
    const throttle = throttleOf({ client, heldSecondsMax: 0 });
    expect(throttle.bytes(1200, 0)).toBe(false);
    expect(throttle.check(9000)).toBe('held');
    expect(throttle.check(10_000)).toBe('free');
  });

  it('has enough when it had to hold in every second for too long', () => {
    const throttle = throttleOf();
    const seen = [0, 1000, 2000, 3000, 4000].map((nowMs) => {
      flood(throttle, nowMs);
      return throttle.check(nowMs + 500);
    });
    expect(seen).toEqual(['free', 'free', 'free', 'over', 'over']);
  });

  it('forgets a client that was too fast now and then', () => {
    const throttle = throttleOf();
    for (let nowMs = 0; nowMs < 20_000; nowMs += 4000) {
      flood(throttle, nowMs);
      expect(throttle.check(nowMs + 1000)).toBe('free');
      expect(throttle.check(nowMs + 2000)).toBe('free');
    }
  });

  it('counts for all connections of a user', () => {
    const user = Pace.of({ messagesPerSecond: 10, bytesPerSecond: 0 }, 2, 0);
    const [one, other] = [1, 2].map(() => throttleOf({ client: NONE }, user));
    if (one === undefined || other === undefined) throw new Error('two were made');
    expect(flood(one, 0)).toBe(21);
    expect(flood(other, 0)).toBe(1);
    expect([one.check(200), other.check(200)]).toEqual(['free', 'free']);
  });
});
