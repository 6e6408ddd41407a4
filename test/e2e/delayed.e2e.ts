import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { freePort, until } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { Child } from './harness/child.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { bridgeTo } from './harness/kafka.ts';
import { MosquittoSub, mosquittoPub } from './harness/mosquitto.ts';
import { Scope } from './harness/scope.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const QUOTA_EXCEEDED = 0x97;
const LEASE_MS = 2_000;
const WAIT_MS = 20_000;

const scope = new Scope();
afterEach(() => scope.close());

describe('delayed publish', () => {
  it('waits with mosquitto_pub, keeps QoS, and retains when it is due', async () => {
    const node = await Broker.start(scope, { CONFIG: `${ROOT}docs/fixtures/delayed.yaml` });
    const sub = await MosquittoSub.open(scope, node.port, ['-V', '5', '-q', '2', '-t', 'tea/#']);
    const begunAt = performance.now();
    await mosquittoPub(scope, node.port, ['-q', '2', '-t', '$delayed/2/tea/pot', '-m', 'ready']);
    await mosquittoPub(scope, node.port, [
      '-q',
      '1',
      '-r',
      '-t',
      '$delayed/1/tea/cup',
      '-m',
      'hot',
    ]);
    expect(await node.ops.metric('skein_broker_delayed_messages')).toBe(2);
    expect(sub.received).toEqual([]);

    expect(await sub.receives(2)).toEqual(['tea/cup q1 r0 hot', 'tea/pot q2 r0 ready']);
    expect(performance.now() - begunAt).toBeGreaterThan(2_000);
    const late = await MosquittoSub.open(scope, node.port, ['-t', 'tea/#']);
    expect(await late.receives(1)).toEqual(['tea/cup q0 r1 hot']);
    await until(async () => {
      expect(await node.ops.metric('skein_broker_delayed_messages')).toBe(0);
    }, WAIT_MS);
  });

  it('survives kill -9 of a single node with a data directory', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'skein-delayed-'));
    scope.add(() => rm(dir, { recursive: true, force: true }));
    const node = await Broker.start(scope, { DATA_DIR: dir });
    await mosquittoPub(scope, node.port, ['-q', '1', '-t', '$delayed/4/tea', '-m', 'ready']);
    await node.kill();
    await node.start();

    const sub = await MosquittoSub.open(scope, node.port, ['-q', '1', '-t', 'tea']);
    expect(await sub.receives(1)).toEqual(['tea q1 r0 ready']);
  });

  it('survives kill -9 of the node that took the message, and comes once', async () => {
    const { nodes } = await startCluster(scope, { REDIS_LEASE_MS: LEASE_MS });
    const [first, second, third] = nodes;
    const sub = await MosquittoSub.open(scope, second.port, ['-q', '2', '-t', 'tea/#']);
    const last = ['-q', '2', '-t', '$delayed/6/tea/last', '-m', 'last'];
    for (const count of ['1', '2', '3']) {
      const topic = `$delayed/4/tea/${count}`;
      await mosquittoPub(scope, first.port, ['-q', '2', '-t', topic, '-m', count]);
    }
    await mosquittoPub(scope, third.port, last);
    await first.kill();

    expect(await sub.receives(4)).toEqual([
      ...['1', '2', '3'].map((count) => `tea/${count} q2 r0 ${count}`),
      'tea/last q2 r0 last',
    ]);
  });

  it('refuses what is one message too many', async () => {
    const node = await Broker.start(scope, { DELAYED_MESSAGES_MAX: 1 });
    const client = await Client.connect(scope, node.url);
    await client.publish('$delayed/60/tea', 'one');
    await expect(client.publish('$delayed/60/tea', 'two')).rejects.toMatchObject({
      code: QUOTA_EXCEEDED,
    });
  });
});

/** A client with a durable session and a will that waits. */
function withWill(clientId: string, willDelayInterval: number) {
  const properties = { willDelayInterval };
  const message = { topic: `gone/${clientId}`, payload: Buffer.from('x'), qos: 1 as const };
  return {
    clientId,
    clean: false,
    properties: { sessionExpiryInterval: 3600 },
    will: { ...message, retain: false, properties },
  };
}

describe('wills', () => {
  it('of clients on a node that dies are published once, with and without a delay', async () => {
    const { nodes } = await startCluster(scope, { REDIS_LEASE_MS: LEASE_MS });
    const [first, second] = nodes;
    const sub = await MosquittoSub.open(scope, second.port, ['-q', '1', '-t', 'gone/#']);
    const will = ['--will-topic', 'gone/plain', '--will-payload', 'x', '--will-qos', '1'];
    await MosquittoSub.open(scope, first.port, ['-t', 'nothing', ...will]);
    await Client.connect(scope, first.url, withWill('delayed', 3));
    const { will: _, ...back } = withWill('back', 20);
    await Client.connect(scope, first.url, withWill('back', 20));
    await first.kill();
    await Client.connect(scope, second.url, back);

    expect(await sub.receives(2)).toEqual(['gone/plain q1 r0 x', 'gone/delayed q1 r0 x']);
    const events = nodes.slice(1).map(({ ops }) => ops.metric('skein_broker_wills_total', 'publi'));
    expect((await Promise.all(events)).reduce((sum, count) => sum + count)).toBe(2);
  });
});

describe('wills of QoS 2', () => {
  const IDS = Array.from({ length: 50 }, (_, index) => `device-${String(index)}`);

  it('come once although their node is killed, and its heir before it can forget them', async () => {
    // A rule whose Kafka is away keeps each will from being done with, after it has reached its subscribers.
    const rule = {
      ...{ id: 'gone', direction: 'mqtt-to-kafka', enabled: true },
      ...{ filter: 'gone/#', topic: 'gone', ack: 'kafka' },
    };
    const { nodes } = await startCluster(scope, {
      REDIS_LEASE_MS: LEASE_MS,
      ...bridgeTo(`127.0.0.1:${String(await freePort())}`, [rule]),
      BRIDGE_ACK_TIMEOUT_MS: 500,
    });
    const [first, ...others] = nodes;
    const watched = await Promise.all(
      others.map(async (node) => {
        const session = { clean: false, properties: { sessionExpiryInterval: 3600 } };
        const watchers = [
          await Client.connect(scope, node.url),
          await Client.connect(scope, node.url, { clientId: `durable-${node.url}`, ...session }),
        ];
        for (const watcher of watchers) await watcher.subscribe('gone/#', 2);
        return { node, watchers };
      }),
    );
    for (const [at, clientId] of IDS.entries()) {
      const options = withWill(clientId, 0);
      const will = { ...options.will, qos: 2 as const, payload: Buffer.from(clientId) };
      await Client.connect(scope, first.url, { ...options, will, clean: at % 2 === 0 });
    }
    const published = (node: Broker): Promise<number> =>
      node.ops.metric('skein_broker_wills_total', 'published');

    await first.kill();
    let heir: Broker | undefined;
    await until(async () => {
      for (const node of others) if ((await published(node)) > 0) heir = node;
      return heir !== undefined;
    }, WAIT_MS);
    const survivor = watched.find(({ node }) => node !== heir);
    if (survivor === undefined) throw new Error('nobody has survived');
    for (const watcher of survivor.watchers) await watcher.receivesAll(IDS);
    await heir?.kill();
    await until(async () => (await published(survivor.node)) === IDS.length, WAIT_MS);
    const last = await Client.connect(scope, survivor.node.url);
    await last.publish('gone', 'last', { qos: 0 });

    for (const watcher of survivor.watchers) {
      await watcher.receivesAll(['last']);
      expect(watcher.payloads.toSorted()).toEqual([...IDS, 'last'].toSorted());
    }
  });
});

describe('wills of a node that stops and holds none back', () => {
  it('are published at once, and with a delay by the next that has the session', async () => {
    const settings = { REDIS_LEASE_MS: LEASE_MS, DRAIN_WILL_HOLD_SECONDS: '0' };
    const { nodes } = await startCluster(scope, settings);
    const [first, second] = nodes;
    const sub = await MosquittoSub.open(scope, second.port, ['-q', '1', '-t', 'gone/#']);
    await Client.connect(scope, first.url, withWill('plain', 0));
    await Client.connect(scope, first.url, withWill('delayed', 4));
    await first.stop();
    expect(await sub.receives(1)).toEqual(['gone/plain q1 r0 x']);
    expect(await sub.receives(2)).toEqual(['gone/plain q1 r0 x', 'gone/delayed q1 r0 x']);
  });
});

describe('exclusive subscriptions', () => {
  it('belong to one mosquitto_sub of a cluster at a time', async () => {
    const settings = { REDIS_LEASE_MS: LEASE_MS, EXCLUSIVE_SUBSCRIPTIONS_ENABLED: 'true' };
    const [first, second] = (await startCluster(scope, settings)).nodes;
    const filter = ['-V', '5', '-q', '1', '-t', '$exclusive/jobs/+'];
    const holder = await MosquittoSub.open(scope, first.port, filter);
    const refused = new Child(scope, {
      command: 'mosquitto_sub',
      args: ['-h', '127.0.0.1', '-p', String(second.port), ...filter],
    });
    await refused.exit();
    expect(refused.output).toContain('denied');
    await mosquittoPub(scope, second.port, ['-q', '1', '-t', 'jobs/1', '-m', 'do']);
    expect(await holder.receives(1)).toEqual(['jobs/1 q1 r0 do']);

    await first.kill();

    const next = await Client.connect(scope, second.url);
    await until(async () => {
      expect(await next.subscribe('$exclusive/jobs/+')).toEqual([1]);
    }, WAIT_MS);
  });
});
