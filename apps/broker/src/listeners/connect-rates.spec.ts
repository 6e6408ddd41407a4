import { expect, it } from '@jest/globals';
import { ConnectRates } from './connect-rates.ts';

const SETTINGS = {
  connectsPerSecond: 10,
  connectBurst: 4,
  connectsPerSecondPerAddress: 1,
  connectBurstPerAddress: 2,
};

it('refuses an address before it can take the share of all', () => {
  const rates = new ConnectRates(SETTINGS, 0);
  const refusals = ['a', 'a', 'a', 'a', 'a', 'b', 'c', 'd'].map((last) =>
    rates.refusalOf(`2001:db8:0:${last}::1`, 0),
  );

  expect(refusals).toEqual([
    ...[undefined, undefined, 'address_rate', 'address_rate', 'address_rate'],
    ...[undefined, undefined, 'connect_rate'],
  ]);
  expect(rates.refusalOf('192.0.2.1', 100)).toBeUndefined();
});

it('refuses nothing where there is no bound', () => {
  const none = { ...SETTINGS, connectsPerSecond: 0, connectsPerSecondPerAddress: 0 };
  const rates = new ConnectRates(none, 0);

  for (let count = 0; count < 100; count += 1) {
    expect(rates.refusalOf('192.0.2.1', 0)).toBeUndefined();
  }
});
