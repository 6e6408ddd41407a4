/** Where Redis is and how to be let in: one server by `url`, a master that `sentinels` know, or a Redis Cluster of `nodes`. */
export interface RedisTarget {
  /** `redis://` or `rediss://`, with user, password and database if they are not given apart. */
  readonly url?: string;
  /** `host:port` of Sentinels, which say where the master called `masterName` is. */
  readonly sentinels?: readonly string[];
  readonly masterName?: string;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  /** `host:port` of some nodes of a Redis Cluster; they say which others there are. */
  readonly nodes?: readonly string[];
  readonly username?: string;
  readonly password?: string;
  readonly database?: number;
  /** Present: TLS to servers and Sentinels. */
  readonly tls?: RedisTls;
}

/** What TLS needs beyond the certificates that Node.js trusts, all in PEM. */
export interface RedisTls {
  /** Certificates of authorities that are trusted instead of the usual ones. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name in the certificates of the servers, where these are known by address. */
  readonly serverName?: string;
}

/** A host, without the brackets of IPv6, and a port. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, or `[::1]:port`. */
export function parseAddress(text: string): RedisAddress {
  const split = text.lastIndexOf(':');
  return {
    host: text.slice(0, split).replace(/^\[|\]$/g, ''),
    port: Number(text.slice(split + 1)),
  };
}

/** The reverse of {@link parseAddress}. */
export function addressText({ host, port }: RedisAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
