import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { aclRules } from '#libs/redis-client';
import {
  freePort,
  makeCertificates,
  startRedis,
  startRedisCluster,
  startSentinels,
  tlsArgs,
  until,
} from '#libs/testkit';
import type { Settings } from './harness/app.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const EXIT_MISCONFIGURED = 2;
const WAIT_MS = 20_000;
const MESSAGES = 300;

const scope = new Scope();
afterEach(() => scope.close());

const durable = (clientId: string) => ({ clientId, clean: false, protocolVersion: 4 as const });

/**
 * Has messages of QoS 1 go from two of three nodes to a client and to sessions of the third, which then move.
 *
 * @returns what is retained.
 * @throws Error when one of them misses a message.
 */
async function serve(settings: Settings): Promise<readonly string[]> {
  const { nodes } = await startCluster(scope, settings);
  const [first, second, third] = nodes;
  const sleepers = ['sleeper-1', 'sleeper-2', 'sleeper-3', 'sleeper-4', 'sleeper-5', 'sleeper-6'];
  for (const clientId of sleepers) {
    const sleeper = await Client.connect(scope, third.url, durable(clientId));
    await sleeper.subscribe('all/#');
    await sleeper.leave();
  }
  const subscriber = await Client.connect(scope, first.url);
  await subscriber.subscribe('all/#');
  const near = await Client.connect(scope, first.url);
  const far = await Client.connect(scope, second.url);
  const payloads = Array.from({ length: MESSAGES }, (_, index) => String(index));
  await Promise.all(
    payloads.map((payload, index) => (index % 2 === 0 ? near : far).publish('all/t', payload)),
  );
  await near.publish('all/state', 'kept', { qos: 1, retain: true });

  await subscriber.receivesAll([...payloads, 'kept']);
  for (const [index, clientId] of sleepers.entries()) {
    const { url } = nodes[index % 3] ?? first;
    const woken = await Client.connect(scope, url, durable(clientId));
    expect(woken.sessionPresent).toBe(true);
    await woken.receivesAll([...payloads, 'kept']);
  }
  const late = await Client.connect(scope, third.url);
  await late.subscribe('all/+');
  await late.receives(1);
  await Promise.all(nodes.map((node) => node.stop()));
  return late.payloads;
}

describe('three nodes', () => {
  it('serve QoS 1 on a Redis Cluster of three masters, whose every master has sessions', async () => {
    const cluster = await startRedisCluster();
    scope.add(() => cluster.stop());

    expect(await serve({ REDIS_NODES: cluster.nodes.join() })).toEqual(['kept']);

    for (const { url } of cluster.servers) {
      const redis = new Redis(url);
      const sessions = await redis.keys('skein:s:*');
      redis.disconnect();
      expect(sessions.length).toBeGreaterThan(0);
    }
  });

  it('serve QoS 1 over TLS as a user who may do what is documented and nothing else', async () => {
    const certificates = await makeCertificates();
    scope.add(() => certificates.remove());
    const port = await freePort();
    const user = ['--user', 'skein', 'on', '>secret', ...aclRules('skein')];
    const redis = await startRedis({
      appendOnly: true,
      args: [...tlsArgs(port, certificates), ...user],
    });
    scope.add(() => redis.stop());
    const { caFile, certFile, keyFile, serverName } = certificates;

    const retained = await serve({
      REDIS_URL: `rediss://127.0.0.1:${String(port)}`,
      REDIS_USERNAME: 'skein',
      REDIS_PASSWORD: 'secret',
      REDIS_TLS_CA_FILE: caFile,
      REDIS_TLS_CERT_FILE: certFile,
      REDIS_TLS_KEY_FILE: keyFile,
      REDIS_TLS_SERVER_NAME: serverName,
    });

    expect(retained).toEqual(['kept']);
  });

  it('lose nothing that they have acknowledged when Sentinels make a replica the master', async () => {
    const topology = await startSentinels(2);
    scope.add(() => topology.stop());
    const { nodes } = await startCluster(scope, {
      REDIS_SENTINELS: topology.sentinels.join(),
      REDIS_MASTER_NAME: topology.masterName,
      REDIS_WAIT_REPLICAS: 1,
      REDIS_READINESS_GRACE_SECONDS: 0,
    });
    const [first, second, third] = nodes;
    const sleeper = await Client.connect(scope, third.url, durable('sleeper'));
    await sleeper.subscribe('failover/t');
    await sleeper.leave();
    const subscriber = await Client.connect(scope, first.url);
    await subscriber.subscribe('failover/t');
    const sender = await Client.connect(scope, second.url);
    const acknowledged: string[] = [];
    let isSending = true;
    const sending = (async () => {
      for (let sent = 0; isSending; sent += 1) {
        const published = sender.publish('failover/t', String(sent));
        await published.then(() => acknowledged.push(String(sent))).catch(() => delay(20));
      }
    })();
    const grew = (): Promise<void> => {
      const before = acknowledged.length;
      return until(() => acknowledged.length > before + 100, WAIT_MS);
    };
    await grew();

    await topology.master.kill();
    const statuses = (): Promise<unknown[]> =>
      Promise.all(nodes.map(({ ops }) => ops.health('ready')));
    await until(async () => (await statuses()).includes(503), WAIT_MS);
    await grew();
    isSending = false;
    await sending;

    // A node that has not found the new master yet refuses the session: it has nowhere to take it from.
    await until(async () => (await statuses()).every((status) => status === 200), WAIT_MS);
    const woken = await Client.connect(scope, second.url, durable('sleeper'));
    await woken.receivesAll(acknowledged);
    await subscriber.receivesAll(acknowledged);
    expect([subscriber.closes, sender.closes]).toEqual([0, 0]);
  });
});

describe('a node', () => {
  it('does not start on a Redis that would throw its data away, and says how to mend it', async () => {
    const args = ['--maxmemory', '100mb', '--maxmemory-policy', 'volatile-lru'];
    const redis = await startRedis({ args });
    scope.add(() => redis.stop());
    const node = await Broker.prepare(scope, { REDIS_URL: redis.url });
    node.launch();

    expect(await node.child.exit()).toBe(EXIT_MISCONFIGURED);
    expect(node.child.output.trim().split('\n').at(-1)).toBe(
      'redis: maxmemory-policy is volatile-lru: a full Redis would throw away sessions, leases and acknowledged messages; set maxmemory-policy noeviction',
    );
  });
});
