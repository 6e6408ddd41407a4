import { expect, it } from '@jest/globals';
import { SelfLease } from './self-lease.ts';

it('holds for its length from when the renewal was sent', () => {
  const lease = new SelfLease(1_000);
  expect(lease.isHeld(0)).toBe(false);
  lease.renewed(500);
  expect([lease.isHeld(1_499), lease.isHeld(1_500)]).toEqual([true, false]);
});

it('is held again after a pause only when a renewal succeeds', () => {
  const lease = new SelfLease(1_000);
  lease.renewed(0);
  expect(lease.isHeld(60_000)).toBe(false);
  lease.renewed(60_000);
  expect(lease.isHeld(60_001)).toBe(true);
  lease.ended();
  expect(lease.isHeld(60_001)).toBe(false);
});
