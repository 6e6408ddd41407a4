/**
 * Every command that a node sends or has in a script, with harmless arguments: what a user must be allowed to run. The key
 * holds a string, so most of them fail without a change, after Redis has looked at the permission.
 */
const COMMANDS: readonly (readonly [name: string, ...args: string[]])[] = [
  ['ping'],
  ['time'],
  ['set', 'KEY', '', 'PX', '1000'],
  ['get', 'KEY'],
  ['mget', 'KEY'],
  ['incr', 'KEY'],
  ['exists', 'KEY'],
  ['persist', 'KEY'],
  ['pttl', 'KEY'],
  ['pexpire', 'KEY', '1000'],
  ['rename', 'KEY', 'KEY'],
  ['hset', 'KEY', 'f', 'v'],
  ['hget', 'KEY', 'f'],
  ['hmget', 'KEY', 'f'],
  ['hgetall', 'KEY'],
  ['hkeys', 'KEY'],
  ['hvals', 'KEY'],
  ['hexists', 'KEY', 'f'],
  ['hincrby', 'KEY', 'f', '1'],
  ['hstrlen', 'KEY', 'f'],
  ['hscan', 'KEY', '0'],
  ['hdel', 'KEY', 'f'],
  ['sadd', 'KEY', 'm'],
  ['srem', 'KEY', 'm'],
  ['scard', 'KEY'],
  ['sismember', 'KEY', 'm'],
  ['smembers', 'KEY'],
  ['sscan', 'KEY', '0'],
  ['xadd', 'KEY', '*', 'f', 'v'],
  ['xdel', 'KEY', '0-1'],
  ['xlen', 'KEY'],
  ['xrange', 'KEY', '-', '+'],
  ['xrevrange', 'KEY', '+', '-'],
  ['xread', 'COUNT', '1', 'STREAMS', 'KEY', '0'],
  ['xtrim', 'KEY', 'MINID', '0'],
  ['xinfo', 'STREAM', 'KEY'],
  ['memory', 'USAGE', 'KEY'],
  ['zadd', 'KEY', '1', 'm'],
  ['zcard', 'KEY'],
  ['zrange', 'KEY', '0', '1'],
  ['zrem', 'KEY', 'm'],
  ['eval', 'return 1', '1', 'KEY'],
  ['evalsha', '0'.repeat(40), '1', 'KEY'],
  ['script', 'LOAD', 'return 1'],
  ['multi'],
  ['exec'],
  ['publish', 'CHANNEL', ''],
  ['pubsub', 'NUMSUB', 'CHANNEL'],
  ['wait', '0', '1'],
  ['del', 'KEY'],
  ['unlink', 'KEY'],
];

/** Commands that are granted one by one of what they can do. */
const CONTAINERS = new Set(['memory', 'pubsub', 'script', 'xinfo']);

/** What is needed besides: what the driver says when it connects and ends, and what is asked before the rest. */
const OTHERS = ['info', 'subscribe', 'unsubscribe', 'select', 'quit', 'cluster|slots'];

/** The names of all commands that a user needs, as an ACL writes them. */
export const REDIS_COMMANDS: readonly string[] = [
  ...COMMANDS.map(([name, first = '']) =>
    CONTAINERS.has(name) ? `${name}|${first.toLowerCase()}` : name,
  ),
  ...OTHERS,
].sort();

/** The rules of an ACL user that may do what Skein needs under a key prefix, and nothing else. */
export function aclRules(keyPrefix: string): readonly string[] {
  return [
    ...[`~${keyPrefix}:*`, `&${keyPrefix}:*`, `&${keyPrefix}/live/*`, '-@all'],
    ...REDIS_COMMANDS.map((name) => `+${name}`),
  ];
}

/** The commands that show whether a user has the permissions, for one key and one channel that nobody listens on. */
export function probes(key: string, channel: string): readonly (readonly [string, ...string[]])[] {
  const given = (text: string): string =>
    text === 'KEY' ? key : text === 'CHANNEL' ? channel : text;
  return COMMANDS.map(([name, ...args]) => [name, ...args.map(given)]);
}
