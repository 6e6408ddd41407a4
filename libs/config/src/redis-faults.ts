import type { ConfigFault } from './config-error.ts';
import type { RedisSettings } from './redis-section.ts';
import { hasRedis, usesTls } from './redis-target.ts';

const PLACES = ['url', 'sentinels', 'nodes'] as const;

/** Settings that say how to be let in, and mean nothing without a Redis. */
const ACCESS = ['username', 'password', 'passwordFile', 'database'] as const;

const SENTINEL = [
  'masterName',
  'sentinelUsername',
  'sentinelPassword',
  'sentinelPasswordFile',
] as const;

/** Finds what the settings of Redis contradict among themselves. */
export function redisFaults(redis: RedisSettings): readonly ConfigFault[] {
  const given = PLACES.filter((key) => redis[key] !== undefined && redis[key].length > 0);
  return [
    ...given.slice(1).map((key) => excludes(key, given[0] ?? 'url')),
    ...(hasRedis(redis) ? [] : ACCESS.filter((key) => redis[key]).map(placeless)),
    ...sentinelFaults(redis),
    ...credentialFaults(redis),
    ...databaseFaults(redis),
    ...tlsFaults(redis),
    ...waitFaults(redis),
  ];
}

function excludes(key: string, other: string): ConfigFault {
  const problem = `excludes redis.${other}: Redis is one server, a master that Sentinels know, or a Redis Cluster`;
  return { field: `redis.${key}`, problem, fix: 'remove one of them' };
}

function placeless(key: string): ConfigFault {
  const problem = 'says how to be let into a Redis that is not named';
  return { field: `redis.${key}`, problem, fix: 'set redis.url, redis.sentinels or redis.nodes' };
}

function sentinelFaults(redis: RedisSettings): readonly ConfigFault[] {
  if (redis.sentinels.length === 0) {
    return SENTINEL.filter((key) => redis[key]).map((key) => ({
      field: `redis.${key}`,
      problem: 'belongs to redis.sentinels, which are not named',
      fix: 'set redis.sentinels, or remove it',
    }));
  }
  if (redis.masterName !== undefined) return [];
  const fix = 'set it to the name after `sentinel monitor`';
  return [{ field: 'redis.masterName', problem: 'is required by redis.sentinels', fix }];
}

function credentialFaults(redis: RedisSettings): readonly ConfigFault[] {
  const { url, username, password, passwordFile } = redis;
  const faults: ConfigFault[] = [];
  const twice = (field: string, other: string): void => {
    faults.push({ field, problem: `is given by ${other} as well`, fix: 'remove one of them' });
  };
  const known = url === undefined ? undefined : new URL(url);
  if (known?.username && username !== undefined) twice('redis.username', 'redis.url');
  if (known?.password && password !== undefined) twice('redis.password', 'redis.url');
  if (known?.password && passwordFile !== undefined) twice('redis.passwordFile', 'redis.url');
  if (password !== undefined && passwordFile !== undefined) {
    twice('redis.passwordFile', 'redis.password');
  }
  if (redis.sentinelPassword !== undefined && redis.sentinelPasswordFile !== undefined) {
    twice('redis.sentinelPasswordFile', 'redis.sentinelPassword');
  }
  const isOpen = password === undefined && passwordFile === undefined && !known?.password;
  if (username !== undefined && isOpen) {
    const fix = 'set redis.passwordFile, or SKEIN_REDIS_PASSWORD';
    faults.push({ field: 'redis.username', problem: 'needs a password', fix });
  }
  return faults;
}

function databaseFaults({ url, nodes, database }: RedisSettings): readonly ConfigFault[] {
  if (database === 0) return [];
  const field = 'redis.database';
  if (nodes.length > 0) {
    return [{ field, problem: 'must be 0 with redis.nodes', fix: 'use redis.keyPrefix instead' }];
  }
  if (url === undefined || new URL(url).pathname.length <= 1) return [];
  return [{ field, problem: 'is given by redis.url as well', fix: 'remove one of them' }];
}

function tlsFaults(redis: RedisSettings): readonly ConfigFault[] {
  const { enabled, certFile, keyFile } = redis.tls;
  const faults: ConfigFault[] = [];
  if (enabled && redis.url?.startsWith('redis:') === true) {
    const fix = 'write rediss:// in redis.url';
    faults.push({ field: 'redis.tls.enabled', problem: 'contradicts redis:// in redis.url', fix });
  }
  if (!usesTls(redis)) {
    for (const key of ['caFile', 'certFile', 'keyFile', 'serverName'] as const) {
      if (redis.tls[key] === undefined) continue;
      const fix = 'set redis.tls.enabled, or write rediss:// in redis.url';
      faults.push({ field: `redis.tls.${key}`, problem: 'means nothing without TLS', fix });
    }
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const field = certFile === undefined ? 'redis.tls.keyFile' : 'redis.tls.certFile';
    const fix = 'set redis.tls.certFile and redis.tls.keyFile, or neither';
    faults.push({ field, problem: 'is half of a pair', fix });
  }
  return faults;
}

function waitFaults({ waitReplicas, waitTimeoutMs, commandTimeoutMs }: RedisSettings) {
  if (waitReplicas === 0 || waitTimeoutMs < commandTimeoutMs) return [];
  const problem = 'must be less than redis.commandTimeoutMs, which ends the connection';
  return [{ field: 'redis.waitTimeoutMs', problem, fix: 'lower it' }];
}
