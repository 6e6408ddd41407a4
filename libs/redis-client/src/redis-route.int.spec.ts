import { afterEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import {
  freePort,
  makeCertificates,
  startRedis,
  startRedisCluster,
  startSentinels,
  tlsArgs,
  until,
} from '#libs/testkit';
import { openRedis } from './open-redis.ts';
import { RedisRoute } from './redis-route.ts';
import type { RedisTarget } from './redis-target.ts';
import { keySlot } from './slot-map.ts';

const DEADLINE_MS = 60_000;
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

function open(target: RedisTarget, key = 'any'): Redis {
  const redis = openRedis(new RedisRoute(target).to(key), { retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  cleanups.push(() => redis.disconnect());
  return redis;
}

/** What a master answers, however often it has to be asked. */
async function writes(redis: Redis, key: string, value: string): Promise<void> {
  await until(async () => (await redis.set(key, value)) === 'OK', DEADLINE_MS);
}

describe('a connection by Sentinels', () => {
  it('leads to the master, to the next one when that is gone, and outlives Sentinels that are', async () => {
    const topology = await startSentinels();
    cleanups.push(() => topology.stop());
    const nobody = `127.0.0.1:${String(await freePort())}`;
    const redis = open({ ...topology, sentinels: [nobody, ...topology.sentinels] });
    await writes(redis, 'a', '1');
    expect(redis.stream).toMatchObject({ remotePort: topology.master.port });

    await topology.master.kill();
    await writes(redis, 'a', '2');
    expect(redis.stream).toMatchObject({ remotePort: topology.replicas[0]?.port });

    const lost = open({ sentinels: [nobody], masterName: 'shop' });
    let attempts = 0;
    lost.on('close', () => (attempts += 1));
    await until(() => attempts >= 3, DEADLINE_MS);
  }, 150_000);
});

describe('a connection to a Redis Cluster', () => {
  it('leads to the master of its key, and to the next one when that is gone or gives up its part', async () => {
    const cluster = await startRedisCluster({ replicas: 3 });
    cleanups.push(() => cluster.stop());
    const key = 'shop';
    const part = Math.floor((keySlot(key) * 3) / 16_384);
    const [first, replica] = [cluster.servers[part], cluster.servers[part + 3]];
    const seed = cluster.nodes[(part + 1) % 3] ?? '';
    const redis = open({ nodes: [seed] }, key);
    await writes(redis, key, '1');
    expect(redis.stream).toMatchObject({ remotePort: first?.port });

    // In order, without a connection that breaks: only the answer tells.
    const heir = open({ url: replica?.url ?? '' });
    await until(() => heir.cluster('FAILOVER'), DEADLINE_MS);
    await until(
      async () => String(await heir.info('replication')).includes('role:master'),
      DEADLINE_MS,
    );
    await writes(redis, key, '2');
    expect(redis.stream).toMatchObject({ remotePort: replica?.port });
    await until(
      async () => String(await heir.info('replication')).includes('state=online'),
      DEADLINE_MS,
    );

    await replica?.kill();
    await writes(redis, key, '3');
    expect(redis.stream).toMatchObject({ remotePort: first?.port });
  }, 150_000);
});

describe('a connection by TLS', () => {
  it('shows its certificate and its user, and wants the name it was given', async () => {
    const certificates = await makeCertificates();
    cleanups.push(() => certificates.remove());
    const { ca, cert, key, serverName } = certificates;
    const port = await freePort();
    const user = ['--user', 'shop', 'on', '>p w', '~*', '+@all'];
    const server = await startRedis({ args: [...tlsArgs(port, certificates), ...user] });
    cleanups.push(() => server.stop());
    const url = `rediss://127.0.0.1:${String(port)}`;
    const access = { username: 'shop', password: 'p w' };

    const redis = open({ url, ...access, tls: { ca, cert, key, serverName } });
    expect(await redis.acl('WHOAMI')).toBe('shop');

    const refused = async (target: RedisTarget): Promise<string> => {
      const errors: string[] = [];
      open(target).on('error', ({ message }: Error) => errors.push(message));
      await until(() => errors.length > 0, DEADLINE_MS);
      return errors[0] ?? '';
    };
    expect(await refused({ url, ...access, tls: { ca, cert, key } })).toContain('IP: 127.0.0.1');
    expect(await refused({ url, ...access, tls: { cert, key, serverName } })).toMatch(
      /certificate/,
    );
    expect(await refused({ url, ...access, tls: { ca, serverName } })).toMatch(
      /certificate|closed|reset/i,
    );
    expect(
      await refused({ url, username: 'shop', password: 'x', tls: { ca, cert, key, serverName } }),
    ).toContain('WRONGPASS');
  }, 30_000);
});
