import { expect, it } from '@jest/globals';
import { TicketKeys } from './ticket-keys.ts';

const HOUR_MS = 3_600_000;

it('has the same keys for the same secret, period and use, and others for any other', () => {
  const keys = new TicketKeys(3_600, 'secret');
  const known = keys.keysOf(7, 'tls');

  expect(known).toHaveLength(48);
  expect(new TicketKeys(3_600, 'secret').keysOf(7, 'tls')).toEqual(known);
  expect(keys.keysOf(8, 'tls')).not.toEqual(known);
  expect(keys.keysOf(7, 'wss')).not.toEqual(known);
  expect(new TicketKeys(3_600, 'other').keysOf(7, 'tls')).not.toEqual(known);
  expect(new TicketKeys(3_600, undefined).keysOf(7, 'tls')).not.toEqual(known);
});

it('goes by the clock', () => {
  const keys = new TicketKeys(3_600, 'secret');

  expect(keys.periodAt(HOUR_MS - 1)).toBe(0);
  expect(keys.periodAt(HOUR_MS)).toBe(1);
});
