import { expect, it } from '@jest/globals';
import { redisTransportOptions } from './redis-options.ts';

it.each([
  ['redis://h', { host: 'h', port: 6379, db: 0 }],
  ['redis://:p%40ss@h:1/3', { host: 'h', port: 1, db: 3, password: 'p@ss' }],
  ['rediss://u:p@[::1]:7/', { host: '::1', port: 7, db: 0, username: 'u', password: 'p', tls: {} }],
])('translates %s', (url, expected) => {
  const fixed = {
    maxRetriesPerRequest: null,
    enableReadyCheck: false,
    connectTimeout: 2_000,
    keepAlive: 10_000,
  };

  expect(redisTransportOptions(url)).toEqual({ ...fixed, ...expected });
});
