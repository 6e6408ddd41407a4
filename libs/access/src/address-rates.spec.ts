import { describe, expect, it } from '@jest/globals';
import { AddressRates } from './address-rates.ts';

const RATE = { perSecond: 1, burst: 2 };

describe('rates by address', () => {
  it('bound each address by itself', () => {
    const rates = new AddressRates(RATE, 10);
    const taken = (address: string, nowMs: number) => rates.take(address, nowMs);

    expect([taken('192.0.2.1', 0), taken('192.0.2.1', 0), taken('192.0.2.1', 0)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(taken('192.0.2.2', 0)).toBe(true);
    expect(taken('192.0.2.1', 999)).toBe(false);
    expect(taken('192.0.2.1', 1_000)).toBe(true);
    expect(taken('192.0.2.1', 1_000)).toBe(false);
  });

  it('take the IPv6 addresses of a /64 for one, and a mapped IPv4 address for itself', () => {
    const rates = new AddressRates({ perSecond: 1, burst: 1 }, 10);

    expect(rates.take('2001:db8:0:1::1', 0)).toBe(true);
    expect(rates.take('2001:db8:0:1:ffff::9%eth0', 0)).toBe(false);
    expect(rates.take('2001:db8:0:2::1', 0)).toBe(true);
    expect(rates.take('192.0.2.1', 0)).toBe(true);
    expect(rates.take('::ffff:192.0.2.1', 0)).toBe(false);
    expect(rates.take('no address', 0)).toBe(true);
    expect(rates.size).toBe(4);
  });

  it('remember a bounded number of addresses, those first that come again', () => {
    const rates = new AddressRates(RATE, 1_000);
    const addressOf = (index: number) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
    rates.take('192.0.2.1', 0);
    rates.take('192.0.2.1', 0);
    for (let index = 0; index < 1_000_000; index += 1) {
      rates.take(addressOf(index), 0);
      if (index % 400 === 0 && rates.take('192.0.2.1', 0)) throw new Error('forgotten');
    }

    expect(rates.size).toBeLessThanOrEqual(1_000);
    expect(rates.take(addressOf(0), 0)).toBe(true);
    expect(rates.take('192.0.2.1', 0)).toBe(false);
  });
});
