import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { StoredSubscription } from '#libs/broker-ports';
import {
  decodePosition,
  decodeSubscription,
  encodePosition,
  encodeSubscription,
} from './session-view.ts';

const subscriptions: fc.Arbitrary<StoredSubscription> = fc.record({
  filter: fc.string({ unit: 'binary' }),
  qos: fc.constantFrom(0, 1, 2),
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  retainHandling: fc.constantFrom(0, 1, 2),
  subscriptionIdentifier: fc.nat(268_435_455),
});

describe('what is stored of a session', () => {
  it('gives every subscription back', () => {
    fc.assert(
      fc.property(subscriptions, (subscription) => {
        const value = encodeSubscription(subscription);
        expect(decodeSubscription(subscription.filter, value)).toEqual(subscription);
      }),
    );
  });

  it('gives every position back', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (epoch, sequence) => {
        expect(decodePosition(encodePosition({ epoch, sequence }))).toEqual({ epoch, sequence });
      }),
    );
  });
});
