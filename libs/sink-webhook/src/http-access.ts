import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import type { SecretReference, WebhookConnector } from '#libs/broker-ports';

/** Reads a secret as it is now; throws when it cannot. */
export type ReadSecret = (reference: SecretReference) => string;

/** A connector with its secrets: where to, and how to be let in. */
export interface HttpAccess {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Options of every request. */
  readonly options: Pick<RequestOptions, 'port' | 'auth' | 'ca'> & { readonly hostname: string };
}

/** @throws Error when a secret or a file cannot be read: it may be there a moment later. */
export function readAccess(connector: WebhookConnector, readSecret: ReadSecret): HttpAccess {
  const { headers, caFile } = connector;
  const valueOf = (value: string | SecretReference): string =>
    typeof value === 'string' ? value : readSecret(value);
  const url = URL.parse(valueOf(connector.url));
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new Error('the secret of the url is not an http: or https: URL');
  }
  const user = decodeURIComponent(url.username);
  return {
    url,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, valueOf(value)]),
    ),
    options: {
      // Brackets around an IPv6 address belong to the URL.
      hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port,
      ...(user === '' ? {} : { auth: `${user}:${decodeURIComponent(url.password)}` }),
      ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    },
  };
}
