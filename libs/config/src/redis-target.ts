import { readFileSync } from 'node:fs';
import { ConfigError, type ConfigFault } from './config-error.ts';
import type { RedisSettings } from './redis-section.ts';

/** Where Redis is and how to be let in: exactly one of `url`, `sentinels` and `nodes` is there. */
export interface RedisAccess {
  readonly url?: string;
  readonly sentinels?: readonly string[];
  readonly masterName?: string;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  readonly nodes?: readonly string[];
  readonly username?: string;
  readonly password?: string;
  readonly database?: number;
  /** Present: TLS; the contents of the files. */
  readonly tls?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly serverName?: string;
  };
}

/** Whether a configuration names a Redis, and the node is one of a cluster. */
export function hasRedis({ url, sentinels, nodes }: RedisSettings): boolean {
  return url !== undefined || sentinels.length > 0 || nodes.length > 0;
}

/**
 * The Redis that a configuration names, with what its files hold; undefined when it names none.
 *
 * @throws ConfigError naming every file that cannot be read.
 */
export function redisTarget({ redis }: { readonly redis: RedisSettings }): RedisAccess | undefined {
  if (!hasRedis(redis)) return undefined;
  const { url, sentinels, masterName, nodes, username, database, sentinelUsername } = redis;
  const faults: ConfigFault[] = [];
  const password = redis.password ?? lineOf(redis, 'passwordFile', faults);
  const sentinelPassword = redis.sentinelPassword ?? lineOf(redis, 'sentinelPasswordFile', faults);
  const tls = tlsOf(redis, faults);
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    ...(url === undefined ? {} : { url }),
    ...(sentinels.length === 0 ? {} : { sentinels }),
    ...(masterName === undefined ? {} : { masterName }),
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(nodes.length === 0 ? {} : { nodes }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(database === 0 ? {} : { database }),
    ...(tls === undefined ? {} : { tls }),
  };
}

/** Whether the connections to Redis are encrypted. */
export function usesTls({ url, tls }: Pick<RedisSettings, 'url' | 'tls'>): boolean {
  return tls.enabled || url?.startsWith('rediss:') === true;
}

function tlsOf(redis: RedisSettings, faults: ConfigFault[]): RedisAccess['tls'] {
  if (!usesTls(redis)) return undefined;
  const { caFile, certFile, keyFile, serverName } = redis.tls;
  const read = (path: string | undefined, key: string): string | undefined =>
    path === undefined ? undefined : contentOf(path, `redis.tls.${key}`, faults);
  const ca = read(caFile, 'caFile');
  const cert = read(certFile, 'certFile');
  const key = read(keyFile, 'keyFile');
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

function lineOf(
  redis: RedisSettings,
  key: 'passwordFile' | 'sentinelPasswordFile',
  faults: ConfigFault[],
): string | undefined {
  const path = redis[key];
  if (path === undefined) return undefined;
  const [line = ''] = contentOf(path, `redis.${key}`, faults)?.split(/\r?\n/u) ?? [];
  if (line === '' && faults.length === 0) {
    faults.push({
      field: `redis.${key}`,
      problem: 'names a file whose first line is empty',
      fix: 'write the password into its first line',
    });
  }
  return line;
}

function contentOf(path: string, field: string, faults: ConfigFault[]): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    const fix = 'name a file that exists and that this user may read';
    faults.push({ field, problem: 'names a file that cannot be read', fix });
    return undefined;
  }
}
