import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { freePort, startRedis, startRedisCluster, type RedisServerOptions } from '#libs/testkit';
import { inspectRedis } from './inspect-redis.ts';
import { aclRules } from './permissions.ts';
import { RedisRoute } from './redis-route.ts';
import type { RedisTarget } from './redis-target.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

async function start(options: RedisServerOptions = {}): Promise<string> {
  const server = await startRedis({ appendOnly: true, ...options });
  cleanups.push(() => server.stop());
  return server.url;
}

/** What is found, as an operator reads it. */
async function findings(target: RedisTarget, waitReplicas = 0): Promise<string[]> {
  const found = await inspectRedis({
    route: new RedisRoute(target),
    keyPrefix: 'shop',
    commandScope: 'shop:main',
    waitReplicas,
  });
  return found.map(({ kind, problem, fix }) => `${kind}: ${problem}; ${fix}`);
}

const user = (...rules: readonly string[]): string[] => ['--user', 'skein', 'on', '>p', ...rules];
const access = { username: 'skein', password: 'p' };

describe('the look at Redis', () => {
  it('finds nothing where the user may do what is documented, and leaves nothing behind', async () => {
    const url = await start({ args: user(...aclRules('shop')) });

    expect(await findings({ url, ...access })).toEqual([]);
  });

  it.each(['allkeys-lru', 'volatile-ttl'])('refuses maxmemory-policy %s', async (policy) => {
    const url = await start({ args: ['--maxmemory', '50mb', '--maxmemory-policy', policy] });

    expect(await findings({ url })).toEqual([
      `fault: maxmemory-policy is ${policy}: a full Redis would throw away sessions, leases and acknowledged messages; set maxmemory-policy noeviction`,
    ]);
  });

  it('warns of a Redis that forgets, and of replicas that are not there', async () => {
    const url = await start({ appendOnly: false });

    expect(await findings({ url }, 1)).toEqual([
      expect.stringMatching(/^warning: appendonly is off: .*; set appendonly yes$/),
      expect.stringMatching(/^warning: redis.waitReplicas is 1 and there are 0 replicas/),
    ]);
  });

  it('names the permissions that a user lacks', async () => {
    const rules = aclRules('shop').filter((rule) => rule !== '+xadd' && rule !== '+script|load');
    const url = await start({ args: user(...rules) });

    expect(await findings({ url, ...access })).toEqual([
      'fault: the Redis user may not run script|load, xadd; grant +script|load +xadd; docs/redis.md has all that is needed',
    ]);
  });

  it('names keys and channels that a user may not use', async () => {
    const url = await start({ args: user('~other:*', '&other', '+@all') });

    expect(await findings({ url, ...access })).toEqual([
      'fault: the Redis user may not use the channels and use the keys; grant ~shop:* &shop:* &shop/live/*; docs/redis.md has all that is needed',
    ]);
  });

  it('refuses what does not let it in', async () => {
    const url = await start({ args: user('~*', '-@all', '+ping') });

    expect(await findings({ url, username: 'skein', password: 'x' })).toEqual([
      expect.stringMatching(/^fault: Redis refuses the user or the password; correct redis.user/),
    ]);
    expect(await findings({ url, ...access })).toEqual([
      'fault: the Redis user may not run info; grant +info; docs/redis.md has all that is needed',
    ]);
  });

  it('tells a Redis Cluster from a single server, and looks at each of its masters', async () => {
    const cluster = await startRedisCluster({ args: ['--maxmemory-policy', 'allkeys-lfu'] });
    cleanups.push(() => cluster.stop());
    const [first] = cluster.servers;
    expect(await findings({ url: first?.url ?? '' })).toContainEqual(
      expect.stringContaining('has only a part of the keys; name it in redis.nodes instead'),
    );
    expect(await findings({ nodes: cluster.nodes })).toEqual(
      cluster.nodes.map((node) => expect.stringContaining(`warning: ${node}: appendonly is off`)),
    );

    const url = await start();
    expect(await findings({ nodes: [url.replace('redis://', '')] })).toEqual([
      'fault: redis.nodes names a server that is no node of a Redis Cluster; name it in redis.url',
    ]);
  }, 30_000);

  it('waits for a Redis that is away', async () => {
    const url = `redis://127.0.0.1:${String(await freePort())}`;

    await expect(findings({ url })).rejects.toThrow('ECONNREFUSED');
  });

  it('refuses an old Redis, and says what a server does not tell', async () => {
    const info = 'redis_version:6.0.16\r\n';
    const server = createServer((socket) => {
      const answer = (chunk: Buffer): void => {
        const asked = chunk
          .toString()
          .toLowerCase()
          .split('\r\n')
          .filter((line) => /^[a-z]/.test(line));
        if (asked[0] === 'info') socket.write(`$${info.length}\r\n${info}\r\n`);
        else socket.write('-ERR unknown\r\n'.repeat(chunk.toString().match(/^\*/gm)?.length ?? 1));
      };
      socket.on('data', answer);
      socket.on('error', () => undefined);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const { port } = server.address() as AddressInfo;

    expect(await findings({ url: `redis://127.0.0.1:${String(port)}` })).toEqual([
      expect.stringMatching(/^fault: Redis 6.0.16 is too old: .*; use Redis 6.2 or later$/),
      expect.stringMatching(/^warning: the server does not tell maxmemory-policy, which could not/),
      expect.stringMatching(/^warning: the server does not tell appendonly/),
    ]);
  });
});
