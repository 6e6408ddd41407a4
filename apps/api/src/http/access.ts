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
  readonly [name: string]: unknown;
}

/** What proxies tell of whoever they speak for. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

/**
 * Keeps web pages away from an API without a key: a page whose name was made to point at this machine sends that name
 * as Host, and a page of another origin sends its Origin. A proxy on this machine that serves others sends Host as it likes,
 * but says that it is one.
 *
 * @throws ProblemError 403.
 */
export function requireLocal(headers: AccessHeaders): void {
  const { host = '', origin } = headers;
  const name = host.replace(/:\d{1,5}$/, '');
  if (!isLoopback(name)) {
    throw new ProblemError('forbidden', 'Without an API key only localhost is served');
  }
  if (FORWARDED.some((each) => headers[each] !== undefined)) {
    throw new ProblemError('forbidden', 'Without an API key nobody behind a proxy is served');
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new ProblemError('forbidden', 'Without an API key no other origin is served');
  }
}
