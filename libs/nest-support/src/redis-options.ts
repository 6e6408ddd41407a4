import type { RedisOptions } from '@nestjs/microservices';

/** The options of Nest's Redis transport. */
export type RedisTransportOptions = Required<RedisOptions>['options'];

const RECONNECT_MS_MAX = 1_000;

/**
 * Translates `redis://user:password@host:port/db` (or `rediss:` for TLS), which Nest's transport does not take.
 *
 * @remarks A command waits for the connection to come back instead of failing after some attempts: whoever waits for an
 * answer has a deadline of its own. The driver's ready check is off: it lets SUBSCRIBE pass before it has asked its question,
 * which a subscriber may not ask, and then connects anew without that subscription.
 */
export function redisTransportOptions(url: string): RedisTransportOptions {
  const { hostname, port, username, password, pathname, protocol } = new URL(url);
  const db = Number(pathname.slice(1) || 0);
  return {
    host: hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: port === '' ? 6379 : Number(port),
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(Number.isSafeInteger(db) ? { db } : {}),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
    maxRetriesPerRequest: null,
    enableReadyCheck: false,
    connectTimeout: 2_000,
    // A subscriber would not notice by itself that its peer is gone.
    keepAlive: 10_000,
  };
}

/** How long to wait before the next attempt to connect. */
export function reconnectDelayMs(attempts: number): number {
  return Math.min(attempts * 100, RECONNECT_MS_MAX);
}
