import { describe, expect, it } from '@jest/globals';
import { RedisRoute } from './redis-route.ts';

describe('a route', () => {
  it.each([
    ['redis://h', { host: 'h', port: 6379, db: 0 }],
    ['redis://:p%40ss@h:1/3', { host: 'h', port: 1, db: 3, password: 'p@ss' }],
    [
      'rediss://u:p@[::1]:7/',
      { host: '::1', port: 7, db: 0, username: 'u', password: 'p', tls: {} },
    ],
  ])('leads to %s', (url, expected) => {
    const { reconnectOnError, Connector, ...place } = new RedisRoute({ url }).to('any');

    expect(Connector).toBeDefined();
    expect(place).toEqual(expected);
    expect(reconnectOnError?.(new Error('READONLY You can’t write'))).toBe(true);
    expect(reconnectOnError?.(new Error('OOM command not allowed'))).toBe(false);
  });

  it('takes what is given apart beside a URL without secrets', () => {
    const tls = { ca: 'PEM', serverName: 'redis.shop' };
    const target = { url: 'rediss://h', username: 'skein', password: 'p', database: 2, tls };

    expect(new RedisRoute(target).to('any')).toMatchObject({
      ...{ host: 'h', username: 'skein', password: 'p', db: 2 },
      tls: { ca: 'PEM', servername: 'redis.shop' },
    });
  });

  it('asks Sentinels with their own password, by TLS as well', () => {
    const target = {
      sentinels: ['s1:26379', '[::1]:26380'],
      masterName: 'shop',
      sentinelPassword: 'other',
      password: 'p',
      tls: { ca: 'PEM' },
    };

    expect(new RedisRoute(target).to('any')).toMatchObject({
      sentinels: [
        { host: 's1', port: 26_379 },
        { host: '::1', port: 26_380 },
      ],
      name: 'shop',
      sentinelPassword: 'other',
      password: 'p',
      tls: { ca: 'PEM' },
      sentinelTLS: { ca: 'PEM' },
      enableTLSForSentinelMode: true,
    });
  });

  it('has a name without secrets', () => {
    const labels = [
      { url: 'redis://u:secret@h:1/2' },
      { sentinels: ['s1:1', 's2:2'], masterName: 'shop', password: 'secret' },
      { nodes: ['n1:1', 'n2:2'], password: 'secret' },
    ].map((target) => new RedisRoute(target).label);

    expect(labels).toEqual(['redis://h:1/2', 'sentinel shop (s1:1, s2:2)', 'cluster (n1:1, n2:2)']);
  });
});
