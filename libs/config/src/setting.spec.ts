import { expect, it } from '@jest/globals';
import { SETTINGS } from './index.ts';

const known = (path: string) => SETTINGS.find((setting) => setting.path === path);

it('names variables mechanically, one per key', () => {
  expect(known('limits.queueMessagesMax')?.env).toBe('SKEIN_LIMITS_QUEUE_MESSAGES_MAX');
  expect(known('listeners.tcp.port')?.env).toBe('SKEIN_LISTENERS_TCP_PORT');
  expect(new Set(SETTINGS.map(({ env }) => env)).size).toBe(SETTINGS.length);
});

it('describes every key, and every number with its unit and range', () => {
  const poor = SETTINGS.filter(
    ({ description, expects, type, unit }) =>
      description === '' || expects === '' || (type === 'integer' && unit === undefined),
  );

  expect(poor).toEqual([]);
  expect(known('redis.leaseMs')).toMatchObject({
    default: 10_000,
    unit: 'ms',
    expects: 'a whole number from 1000 to 300000',
  });
});
