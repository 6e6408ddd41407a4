import { afterAll, beforeAll } from '@jest/globals';
import { aclRules } from '#libs/redis-client';
import { silentLog, spoolContract, startRedisCluster, type RedisCluster } from '#libs/testkit';
import { openRedisSpool } from './redis-spool.ts';

let cluster: RedisCluster;
let tests = 0;

/** Three masters: keys in different slots are refused, and commands that docs/redis.md does not name as well. */
beforeAll(async () => {
  const user = ['--user', 'skein', 'on', '>secret', ...aclRules('test*')];
  cluster = await startRedisCluster({ args: user });
}, 30_000);

afterAll(() => cluster.stop());

spoolContract('openRedisSpool', async () => {
  tests += 1;
  const keyPrefix = `test${String(tests)}`;
  return {
    open: (bytesMax) =>
      openRedisSpool({
        ...{ nodes: cluster.nodes.slice(0, 1), username: 'skein', password: 'secret' },
        ...{
          keyPrefix,
          nodeId: 'node {1}',
          self: 'node#1',
          bytesMax,
          commandTimeoutMs: 5_000,
          log: silentLog,
        },
      }),
    close: async () => undefined,
  };
});
