import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { openRedis, startCluster, type Cluster } from './harness/cluster.ts';
import { MosquittoSub, mosquittoPub } from './harness/mosquitto.ts';
import { Publisher } from './harness/publisher.ts';
import { Scope } from './harness/scope.ts';

const SESSION_TAKEN_OVER = 0x8e;
const ROUNDS = 200;
const LEASE_MS = 2_000;
const WAIT_MS = 20_000;
const MOVES = 12;

const scope = new Scope();
afterEach(() => scope.close());

describe('three nodes', () => {
  const shared = new Scope();
  let nodes: Cluster['nodes'];

  beforeAll(async () => {
    ({ nodes } = await startCluster(shared));
  });
  afterAll(() => shared.close());

  it.each(['0', '1', '2'])(
    'carry QoS %s from MQTT 3.1.1 on one to MQTT 5 on another',
    async (qos) => {
      const [first, , third] = nodes;
      const topic = `q${qos}/devices`;
      const to = ['-V', '5', '-t', `${topic}/+/telemetry`, '-q', qos];
      const sub = await MosquittoSub.open(scope, third.port, to);

      await mosquittoPub(scope, first.port, [
        ...['-V', '311', '-i', `q${qos}-d1`, '-t', `${topic}/d1/telemetry`, '-q', qos, '-m', '21'],
      ]);

      expect(await sub.receives(1)).toEqual([`${topic}/d1/telemetry q${qos} r0 21`]);
    },
  );

  it('show a retained message of one to a new subscriber on another', async () => {
    const [first, second] = nodes;
    const publish = ['-q', '1', '-r', '-t', 'state/door'];
    await mosquittoPub(scope, first.port, [...publish, '-m', 'open']);
    await until(async () => (await retainedAt(second)) === 1, WAIT_MS);

    const sub = await MosquittoSub.open(scope, second.port, ['-V', '5', '-t', 'state/#']);

    expect(await sub.receives(1)).toEqual(['state/door q0 r1 open']);
  });

  it('reach a subscriber from the moment of its SUBACK', async () => {
    const [first, second] = nodes;
    const subscriber = await Client.connect(scope, first.url);
    const publisher = await Client.connect(scope, second.url);
    for (let round = 0; round < ROUNDS; round += 1) {
      const topic = `rounds/${String(round)}`;
      await subscriber.subscribe(topic);
      await publisher.publish(topic, String(round));
    }
    await subscriber.receives(ROUNDS);

    expect(subscriber.payloads).toEqual(
      Array.from({ length: ROUNDS }, (_, round) => String(round)),
    );
  });

  it('let a client take its session from another node', async () => {
    const [first, second] = nodes;
    const before = await Client.connect(scope, first.url, { clientId: 'wanderer' });
    const after = await Client.connect(scope, second.url, { clientId: 'wanderer' });
    await before.closed();

    expect(before.disconnects).toEqual([SESSION_TAKEN_OVER]);
    expect(after.isConnected).toBe(true);
  });

  it.each([4, 5] as const)(
    'move a persistent session with its queue (protocol level %s)',
    async (level) => {
      const [first, second, third] = nodes;
      const topic = `moving/${String(level)}`;
      const session = {
        clientId: `mover-${String(level)}`,
        clean: false,
        protocolVersion: level,
        ...(level === 5 && { properties: { sessionExpiryInterval: 3600 } }),
      };
      const before = await Client.connect(scope, first.url, session);
      await before.subscribe(topic);
      await before.leave();
      const publisher = await Client.connect(scope, third.url);
      const payloads = Array.from({ length: 50 }, (_, count) => String(count));
      for (const payload of payloads) await publisher.publish(topic, payload);

      const after = await Client.connect(scope, second.url, session);
      await after.receives(payloads.length);
      await publisher.publish(topic, 'live');
      await after.receives(payloads.length + 1);

      expect(after.sessionPresent).toBe(true);
      expect(after.payloads).toEqual([...payloads, 'live']);
    },
  );
});

describe('a persistent session that moves from node to node under traffic', () => {
  it('gets every QoS 1 message, whichever node it was published on', async () => {
    const { nodes } = await startCluster(scope);
    const session = { clientId: 'commuter', clean: false, protocolVersion: 4 as const };
    const home = await Client.connect(scope, nodes[0].url, session);
    await home.subscribe('moving/#');
    const publishers: Publisher[] = [];
    for (const node of nodes) {
      publishers.push(new Publisher(await Client.connect(scope, node.url), [`moving/${node.id}`]));
    }
    const stays = [home];
    for (let move = 1; move <= MOVES; move += 1) {
      const node = nodes[move % nodes.length] ?? nodes[0];
      const next = await Client.connect(scope, node.url, session);
      expect(next.sessionPresent).toBe(true);
      stays.push(next);
      await next.receives(20);
    }
    for (const publisher of publishers) await publisher.stop();

    const last = stays.at(-1) ?? home;
    for (const [index, { acknowledged }] of publishers.entries()) {
      const topic = `moving/${nodes[index]?.id ?? ''}`;
      const missing = (): readonly string[] => {
        const all = stays.flatMap(({ received }) => received);
        const seen = new Set(
          all.filter((each) => each.topic === topic).map((each) => each.payload),
        );
        return acknowledged.filter((payload) => !seen.has(payload));
      };
      await until(() => missing().length === 0, WAIT_MS).catch(() => undefined);
      expect([topic, missing()]).toEqual([topic, []]);
    }
    expect(last.isConnected).toBe(true);
  }, 60_000);
});

describe('kill -9 of one of three nodes under traffic', () => {
  it('is not noticed by clients of the others, and sessions resume elsewhere complete', async () => {
    const [first, second, third] = (await startCluster(scope, { REDIS_LEASE_MS: LEASE_MS })).nodes;
    const watcher = await Client.connect(scope, first.url);
    await watcher.subscribe('traffic/all');
    const persistent = { clean: false, protocolVersion: 4 as const };
    const leaver = await Client.connect(scope, third.url, { ...persistent, clientId: 'offline' });
    await leaver.subscribe('traffic/offline');
    await leaver.leave();
    const roaming = new Client(scope, third.url, {
      ...persistent,
      clientId: 'roaming',
      reconnectPeriod: 50,
      resubscribe: false,
      servers: [third, first, second].map(({ port }) => ({ host: '127.0.0.1', port })),
    });
    await roaming.connected();
    await roaming.subscribe('traffic/roaming');
    const sender = await Client.connect(scope, second.url);
    const topics = ['traffic/all', 'traffic/offline', 'traffic/roaming'];
    const publisher = new Publisher(sender, topics);
    await roaming.receives(100);

    await third.kill();
    const atKill = publisher.acknowledged.length;
    await until(() => roaming.closes > 0 && roaming.isConnected, WAIT_MS);
    await until(() => publisher.acknowledged.length > atKill + 200, WAIT_MS);
    const heir = await Client.connect(scope, first.url, { ...persistent, clientId: 'offline' });
    await until(() => publisher.acknowledged.length > atKill + 400, WAIT_MS);
    await publisher.stop();
    const all = publisher.acknowledged;

    await watcher.receives(all.length, WAIT_MS);
    expect(watcher.payloads).toEqual(all);
    expect([watcher.closes, sender.closes]).toEqual([0, 0]);
    for (const resumed of [roaming, heir]) {
      await resumed.receivesAll(all);
      expect(resumed.sessionPresent).toBe(true);
    }
  }, 90_000);
});

describe('Redis', () => {
  it('absent at the start is waited for, and service begins when it appears', async () => {
    const redis = await openRedis(scope);
    await redis.kill();
    const node = await Broker.prepare(scope, { REDIS_URL: redis.url });
    node.launch();
    await until(async () => (await node.ops.health('live')) === 200, WAIT_MS);
    expect(await node.ops.health('ready')).toBe(503);
    await node.child.says(/warn .*redis.*ECONNREFUSED/i, WAIT_MS);

    await redis.restart();

    await node.ops.ready(node.child);
    const sub = await MosquittoSub.open(scope, node.port, ['-q', '1', '-t', 'late/#']);
    await mosquittoPub(scope, node.port, ['-q', '1', '-t', 'late/t', '-m', 'x']);
    expect(await sub.receives(1)).toEqual(['late/t q1 r0 x']);
    await node.stop();
  });

  it('gone for a moment leaves a node ready, gone for longer it does not; the node lives on', async () => {
    const redis = await openRedis(scope);
    const node = await Broker.start(scope, {
      ...{ REDIS_URL: redis.url, REDIS_READINESS_GRACE_SECONDS: 3 },
    });
    const check = async (): Promise<unknown> => {
      const answer = await fetch(`http://127.0.0.1:${String(node.ops.port)}/healthz/ready?verbose`);
      const { checks } = (await answer.json()) as { checks: Record<string, { state: string }> };
      return [answer.status, checks['redis']?.state];
    };
    expect(await check()).toEqual([200, 'ok']);
    await redis.kill();
    const seen: unknown[] = [];
    await until(async () => {
      seen.push(await check());
      expect(seen.at(-1)).toEqual([503, 'unavailable']);
    }, WAIT_MS);
    expect(seen).toContainEqual([200, 'ok, away for a moment']);
    expect(await node.ops.health('live')).toBe(200);
    await redis.restart();
    await until(async () => expect(await check()).toEqual([200, 'ok']), WAIT_MS);
    await node.stop();
  });

  it('restarted keeps connections, sessions and what was acknowledged', async () => {
    const redis = await openRedis(scope);
    const { nodes } = await startCluster(scope, { REDIS_URL: redis.url });
    const [first, second, third] = nodes;
    const session = { clientId: 'sleeper', clean: false, protocolVersion: 4 as const };
    const sleeper = await Client.connect(scope, third.url, session);
    await sleeper.subscribe('restart/t');
    await sleeper.leave();
    const subscriber = await Client.connect(scope, first.url);
    await subscriber.subscribe('restart/t');
    const sender = await Client.connect(scope, second.url);
    const publisher = new Publisher(sender, ['restart/t']);
    await subscriber.receives(50);

    await redis.restart();

    const atRestart = publisher.acknowledged.length;
    await until(() => publisher.acknowledged.length > atRestart + 100, WAIT_MS);
    await publisher.stop();
    const all = publisher.acknowledged;
    const woken = await Client.connect(scope, second.url, session);
    await subscriber.receivesAll(all);
    await woken.receivesAll(all);
    expect([subscriber.closes, sender.closes]).toEqual([0, 0]);
    expect(await Promise.all(nodes.map(({ ops }) => ops.health('ready')))).toEqual([200, 200, 200]);
  }, 60_000);
});

function retainedAt(node: Broker): Promise<number> {
  return node.ops.metric('skein_broker_retained_messages');
}
