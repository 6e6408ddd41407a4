import { describe, expect, it } from '@jest/globals';
import { parseShareRoute, shareRoute, shareWeight } from './share-route.ts';

describe('the route of a shared subscription', () => {
  it.each([0, 1, 2, 3, 4, 1000])(
    'comes back as it went, with %d members connected',
    (connected) => {
      const route = shareRoute('$share/g/a/+', connected);
      expect(parseShareRoute(route)).toEqual({
        filter: '$share/g/a/+',
        weight: shareWeight(connected),
      });
    },
  );

  it('changes only when the members double', () => {
    expect([0, 1, 2, 3, 4, 7, 8, 1023].map(shareWeight)).toEqual([0, 1, 2, 2, 4, 4, 8, 512]);
  });

  it.each([
    'a/b',
    '$share/g/a',
    'a\x001',
    '$share/g/a\x00-1',
    '$share/g/a\x00x',
    '$share/g/a\x001.5',
  ])('is not %j', (route) => {
    expect(parseShareRoute(route)).toBeUndefined();
  });
});
