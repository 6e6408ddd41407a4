import { createHash, timingSafeEqual } from 'node:crypto';
import { ProblemError } from './problem-error.ts';

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]', '::1']);

/** Whether a host name or address is this machine only. */
export function isLoopback(host: string): boolean {
  return LOOPBACK_HOSTS.has(host.toLowerCase());
}

/** The headers that decide on access. */
export interface AccessHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly authorization?: string | undefined;
}

/**
 * Compares a bearer token with the key in a time that tells nothing of either.
 *
 * @throws ProblemError 401.
 */
export function requireKey(key: string, { authorization = '' }: AccessHeaders): void {
  const [, token = ''] = /^bearer +(.+)$/i.exec(authorization) ?? [];
  if (timingSafeEqual(digest(token), digest(key))) return;
  throw new ProblemError('unauthenticated', 'The API key is missing or wrong', {
    headers: { 'www-authenticate': 'Bearer realm="skein"' },
  });
}

/**
 * Keeps web pages away from an API without a key: a page whose name was made to point at this machine sends that name
 * as Host, and a page of another origin sends its Origin.
 *
 * @throws ProblemError 403.
 */
export function requireLocal({ host = '', origin }: AccessHeaders): void {
  const name = host.replace(/:\d{1,5}$/, '');
  if (!isLoopback(name)) {
    throw new ProblemError('forbidden', 'Without an API key only localhost is served');
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new ProblemError('forbidden', 'Without an API key no other origin is served');
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
