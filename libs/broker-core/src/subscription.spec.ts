import { describe, expect, it } from '@jest/globals';
import { storedForm, targetOf, type Subscription } from './subscription.ts';

const entry = {
  clientId: 'client',
  backlog: 0,
  durable: false,
  arrivedAtMs: -Infinity,
  deliver: () => undefined,
};

function subscriptionOf(own: Partial<Subscription>): Subscription {
  return {
    ...{ filter: 't', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
    ...{ subscriptionIdentifier: 0, entry },
    ...own,
  };
}

describe('the target of a subscription', () => {
  it('is one for all topics', () => {
    const subscription = subscriptionOf({});
    expect(targetOf(subscription)).toBe(targetOf(subscription));
  });

  it('stays as it is when another one of the session matches as well', () => {
    const low = subscriptionOf({ filter: '#', qos: 0, subscriptionIdentifier: 1 });
    const high = subscriptionOf({ qos: 2, subscriptionIdentifier: 2 });
    const also = subscriptionOf({ filter: '+', retainAsPublished: true });
    const both = targetOf(low).and(high);
    expect(both.and(also)).toBe(both);
    expect(both.form(2, true)).toEqual({ qos: 2, retain: true, subscriptionIdentifiers: [1, 2] });
    expect(targetOf(low).form(2, true)).toMatchObject({ qos: 0, subscriptionIdentifiers: [1] });
    expect(targetOf(high).form(2, true)).toMatchObject({ qos: 2, subscriptionIdentifiers: [2] });
  });

  it('is for messages of the session itself without those that do not want them', () => {
    const wanting = subscriptionOf({ filter: '#', qos: 0 });
    const refusing = subscriptionOf({ qos: 2, noLocal: true });
    expect(targetOf(wanting).and(refusing).forOwnMessages()).toBe(targetOf(wanting));
    expect(targetOf(wanting).forOwnMessages()).toBe(targetOf(wanting));
    expect(targetOf(refusing).forOwnMessages()).toBeUndefined();
  });

  it('is not stored', () => {
    const subscription = subscriptionOf({});
    const before = storedForm(subscription);
    targetOf(subscription);
    expect(storedForm(subscription)).toEqual(before);
    expect(Object.keys(before)).not.toContain('entry');
  });
});
