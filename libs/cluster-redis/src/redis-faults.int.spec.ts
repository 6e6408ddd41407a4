import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  RecordingClusterHandler,
  RecordingLog,
  countingMeter,
  openTcpGate,
  startRedis,
  until,
  type RedisServer,
  type TcpGate,
} from '#libs/testkit';
import { RedisClusterBus } from './redis-cluster-bus.ts';

const LEASE_MS = 900;
const COMMAND_TIMEOUT_MS = 400;
const DEADLINE_MS = 15_000;

let server: RedisServer;
let opened: TestNode[] = [];

beforeEach(async () => {
  server = await startRedis({ appendOnly: true });
});

afterEach(async () => {
  await Promise.all(opened.map(({ bus }) => bus.close()));
  await Promise.all(opened.map(({ gate }) => gate.close()));
  opened = [];
  await server.stop();
});

interface TestNode {
  readonly bus: RedisClusterBus;
  readonly handler: RecordingClusterHandler;
  readonly log: RecordingLog;
  readonly gate: TcpGate;
  readonly counts: ReadonlyMap<string, number>;
  /** Added to the monotonic clock: the process seems to have been paused. */
  readonly pause: { ms: number };
}

async function makeNode(nodeId: string): Promise<TestNode> {
  const { meter, counts } = countingMeter();
  const log = new RecordingLog();
  const gate = await openTcpGate(server.port);
  const pause = { ms: 0 };
  const bus = new RedisClusterBus({
    self: { nodeId, version: '1.0.0' },
    redis: {
      url: `redis://127.0.0.1:${String(gate.port)}`,
      keyPrefix: 'test',
      leaseMs: LEASE_MS,
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      routeDeadlineMs: 3_000,
      requestTimeoutMs: 500,
      inboxBatchesMax: 100_000,
    },
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() + pause.ms },
    log,
    meter,
  });
  const node = { bus, handler: new RecordingClusterHandler(), log, gate, counts, pause };
  opened.push(node);
  return node;
}

async function openTwo(): Promise<[TestNode, TestNode]> {
  const nodes = [await makeNode('n1'), await makeNode('n2')] as const;
  for (const { bus, handler } of nodes) await bus.open(handler);
  await until(() => nodes.every(({ bus }) => bus.nodes().length === 2), DEADLINE_MS);
  // The first lease after the start judges nobody: let it pass, so that tests see the usual behaviour.
  const since = performance.now();
  await until(() => performance.now() - since > LEASE_MS * 1.5, DEADLINE_MS);
  return [...nodes];
}

const text = (value: string): Buffer => Buffer.from(value);
const add = (filter: string) => ({ kind: 'add', filter }) as const;

/** Sends durable frames all the time, without a second attempt, and remembers which were stored. */
function startTraffic(from: TestNode, to: TestNode) {
  const stored: string[] = [];
  let isSending = true;
  let sent = 0;
  const sending = (async () => {
    while (isSending) {
      const batch = Array.from({ length: 20 }, () => String((sent += 1)));
      const results = await Promise.allSettled(
        batch.map((name) => from.bus.sendDurable(to.bus.self, text(name))),
      );
      results.forEach(({ status }, at) => {
        if (status === 'fulfilled') stored.push(batch[at] ?? '');
      });
    }
  })();
  return {
    async grew(): Promise<void> {
      const before = stored.length;
      await until(() => stored.length > before + 200, DEADLINE_MS);
    },
    /** Every stored frame has come, each frame came once, and in the order of sending. */
    async expectComplete(): Promise<void> {
      isSending = false;
      await sending;
      const { nodeId, incarnation } = to.bus.self;
      const inbox = `test:{test:bus}:inbox:${nodeId}#${String(incarnation)}`;
      const left = () => withRedis((redis) => redis.xlen(inbox));
      await until(async () => (await left()) === 0, DEADLINE_MS);
      const received = new Set(to.handler.durableTexts());
      expect(stored.filter((name) => !received.has(name))).toEqual([]);
      expect(received.size).toBe(to.handler.durable.length);
      const order = to.handler.durable.map((frame) => Number(frame.text));
      expect(order).toEqual([...order].sort((a, b) => a - b));
    },
  };
}

async function withRedis<Result>(use: (redis: Redis) => Promise<Result>): Promise<Result> {
  const redis = new Redis(server.url);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

describe('a node that joins', () => {
  it('keeps its lease while the routes of others cannot be read', async () => {
    const [n1, n2] = await openTwo();
    const { nodeId, incarnation } = n2.bus.self;
    const routes = `test:{test:bus}:routes:${nodeId}#${String(incarnation)}`;
    await withRedis((redis) => redis.set(routes, 'no set'));
    const n3 = await makeNode('n3');
    const joined = n3.bus.open(n3.handler);
    await until(() => n1.handler.events.includes('joined n3'), DEADLINE_MS);
    const since = performance.now();
    await until(() => performance.now() - since > LEASE_MS * 2, DEADLINE_MS);
    await withRedis((redis) => redis.del(routes));
    await joined;

    expect(n1.handler.events).not.toContain('left n3');
    expect(n1.bus.isAlive(n3.bus.self)).toBe(true);
  });

  it('has all routes of a node that has very many, and changes some of them meanwhile', async () => {
    const n1 = await makeNode('n1');
    await n1.bus.open(n1.handler);
    const filters = Array.from({ length: 6_000 }, (_, index) => `devices/${String(index)}/#`);
    for (let first = 0; first < filters.length; first += 1_000) {
      await n1.bus.announceRoutes(filters.slice(first, first + 1_000).map(add));
    }
    const n3 = await makeNode('n3');
    let isOpen = false;
    const joined = n3.bus.open(n3.handler).then(() => (isOpen = true));
    for (let index = 0; !isOpen || index < 20; index += 1) {
      const [gone, back, fresh] = [filters[index * 7] ?? '', filters[index * 7 + 1] ?? '', 'new/'];
      await n1.bus
        .announceRoutes([{ kind: 'remove', filter: gone }, add(`${fresh}${String(index)}`)])
        .catch(() => undefined);
      await n1.bus.announceRoutes([{ kind: 'remove', filter: back }]).catch(() => undefined);
      await n1.bus.announceRoutes([add(back)]).catch(() => undefined);
    }
    await joined;
    const { nodeId, incarnation } = n1.bus.self;
    const key = `test:{test:bus}:routes:${nodeId}#${String(incarnation)}`;
    const written = await withRedis((redis) => redis.smembers(key));
    await until(() => n3.handler.filtersOf(n1.bus.self)?.length === written.length, DEADLINE_MS);
    expect(n3.handler.filtersOf(n1.bus.self)).toEqual(written.toSorted());
  });
});

describe('Redis absent at the start', () => {
  it('is waited for, told once, and used when it appears', async () => {
    await server.kill();
    const node = await makeNode('n1');
    const opening = node.bus.open(node.handler);
    await until(() => node.log.of('redis-unavailable').length === 2, DEADLINE_MS);
    const since = performance.now();
    await until(() => performance.now() - since > 1_000, DEADLINE_MS);
    expect(node.bus.ready).toBe(false);
    await server.restart();
    await opening;
    await until(() => node.bus.ready, DEADLINE_MS);
    const roles = node.log.of('redis-unavailable').map(({ fields }) => fields['role']);
    expect(new Set(roles)).toEqual(new Set(['commands', 'subscriber']));
    expect(roles).toHaveLength(2);
    await expect(node.bus.announceRoutes([add('a')])).resolves.toBeUndefined();
  });

  it('does not keep a bus from being closed', async () => {
    await server.kill();
    const node = await makeNode('n1');
    const opening = node.bus.open(node.handler).catch((error: unknown) => error);
    await node.bus.close();
    expect(await opening).toMatchObject({ code: 'CLUSTER_CLOSED' });
  });
});

describe('a restart of Redis', () => {
  it('loses no durable frame that was stored, and repeats none', async () => {
    const [n1, n2] = await openTwo();
    const traffic = startTraffic(n1, n2);
    for (let round = 0; round < 3; round += 1) {
      await traffic.grew();
      await server.restart();
    }
    await traffic.grew();
    await traffic.expectComplete();
    expect([n1.handler.leasesLost, n2.handler.leasesLost]).toEqual([0, 0]);
  }, 60_000);

  it('is told once per change, and the cluster is as before', async () => {
    const [n1, n2] = await openTwo();
    await n1.bus.announceRoutes([add('a')]);
    await server.kill();
    await until(() => n1.log.of('redis-unavailable').length === 2, DEADLINE_MS);
    expect(n1.bus.ready).toBe(false);
    const since = performance.now();
    await expect(n1.bus.sendDurable(n2.bus.self, text('x'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    await expect(n1.bus.announceRoutes([add('b')])).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    n1.bus.sendLive('n2', text('three that are lost'), 3);
    await until(() => (n1.counts.get('deliveryDropped') ?? 0) === 3, DEADLINE_MS);
    // Away for longer than a lease: nobody may be taken for dead because of it.
    await until(() => performance.now() - since > 2 * LEASE_MS, DEADLINE_MS);
    await server.restart();
    await until(() => n1.bus.ready && n2.bus.ready, DEADLINE_MS);

    expect(n1.log.of('redis-unavailable')).toHaveLength(2);
    expect(n1.log.of('redis-restored')).toHaveLength(2);
    await n1.bus.announceRoutes([add('c')]);
    // What failed is still wanted: it was written anew.
    expect(n2.handler.filtersOf(n1.bus.self)).toEqual(['a', 'b', 'c']);
    const restored = performance.now();
    await until(() => performance.now() - restored > 2 * LEASE_MS, DEADLINE_MS);
    expect([n1, n2].flatMap(({ handler }) => handler.events)).not.toContainEqual(
      expect.stringMatching(/left|forgotten/u),
    );
    expect([n1.handler.leasesLost, n2.handler.leasesLost]).toEqual([0, 0]);
  }, 30_000);
});

describe('a stalled Redis', () => {
  it('makes calls fail while it is; afterwards nobody is taken for dead', async () => {
    const [n1, n2] = await openTwo();
    server.pause();
    const since = performance.now();
    await expect(n1.bus.sendDurable(n2.bus.self, text('x'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    await until(() => performance.now() - since > 2 * LEASE_MS, DEADLINE_MS);
    server.resume();
    await until(() => n1.bus.ready && n2.bus.ready, DEADLINE_MS);
    await n2.bus.announceRoutes([add('a')]);
    await n1.bus.sendDurable(n2.bus.self, text('after'));
    await until(() => n2.handler.durableTexts().includes('after'), DEADLINE_MS);
    const resumed = performance.now();
    await until(() => performance.now() - resumed > 2 * LEASE_MS, DEADLINE_MS);
    expect([n1.handler.events, n2.handler.events]).toEqual([['joined n2'], ['joined n1']]);
    expect([n1.handler.leasesLost, n2.handler.leasesLost]).toEqual([0, 0]);
  }, 30_000);
});

describe('a node cut off from Redis', () => {
  it('has lost its lease when it was claimed meanwhile', async () => {
    const [n1, n2] = await openTwo();
    const { self } = n1.bus;
    n1.gate.shut();
    await until(() => n2.handler.events.includes('left n1'), DEADLINE_MS);
    await until(() => !n1.bus.isAlive(self), DEADLINE_MS);
    expect(await n2.bus.claimDead(self)).toBe(true);
    n1.gate.open();
    await until(() => n1.handler.leasesLost === 1, DEADLINE_MS);
    await expect(n1.bus.sendDurable(n2.bus.self, text('x'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    await n1.bus.close();
    expect(n1.handler.leasesLost).toBe(1);
  }, 30_000);

  it('has lost its lease when it was forgotten meanwhile, or a successor has its id', async () => {
    const [n1, n2] = await openTwo();
    const { self } = n1.bus;
    n1.gate.shut();
    await until(() => n2.handler.events.includes('left n1'), DEADLINE_MS);
    await n2.bus.claimDead(self);
    await n2.bus.forgetNode(self);
    n1.gate.open();
    await until(() => n1.handler.leasesLost === 1, DEADLINE_MS);

    n2.gate.shut();
    const successor = await makeNode('n2');
    await successor.bus.open(successor.handler);
    n2.gate.open();
    await until(() => n2.handler.leasesLost === 1, DEADLINE_MS);
    expect(successor.handler.leasesLost).toBe(0);
  }, 30_000);

  it('takes its lease again when nobody has claimed it, and catches up', async () => {
    const [n1, n2] = await openTwo();
    const { self } = n1.bus;
    await n2.bus.announceRoutes([add('before')]);
    n1.gate.shut();
    await until(() => n2.handler.events.includes('left n1'), DEADLINE_MS);
    await n2.bus.announceRoutes([add('meanwhile')]);
    await n2.bus.sendDurable(self, text('meanwhile'));
    await withRedis((redis) => redis.xtrim('test:{test:bus}:routes', 'MAXLEN', 0));
    n1.gate.open();
    await until(() => n1.handler.durableTexts().includes('meanwhile'), DEADLINE_MS);
    await until(() => n1.handler.filtersOf(n2.bus.self)?.length === 2, DEADLINE_MS);
    await until(() => n2.bus.isAlive(self), DEADLINE_MS);
    expect(n1.bus.self).toEqual(self);
    expect(n1.handler.leasesLost).toBe(0);
    expect(n1.counts.get('routeResync')).toBeGreaterThan(0);
    await n2.bus.announceRoutes([add('after')]);
    expect(n1.handler.filtersOf(n2.bus.self)).toEqual(['after', 'before', 'meanwhile']);
  }, 30_000);

  it('has announcements wait for it until its lease ends, not longer', async () => {
    const [n1, n2] = await openTwo();
    n1.gate.shut();
    const since = performance.now();
    await n2.bus.announceRoutes([add('a')]);
    expect(performance.now() - since).toBeGreaterThan(LEASE_MS / 3);
  }, 30_000);
});

describe('connections that are cut again and again', () => {
  it('lose no durable frame that was stored, repeat none, and end nobody', async () => {
    const [n1, n2] = await openTwo();
    const traffic = startTraffic(n1, n2);
    for (let round = 0; round < 30; round += 1) {
      const { gate } = round % 2 === 0 ? n1 : n2;
      gate.shut();
      gate.open();
      const since = performance.now();
      await until(() => performance.now() - since > (round * 13) % 70, DEADLINE_MS);
    }
    await traffic.grew();
    await traffic.expectComplete();
    await until(() => n1.bus.ready && n2.bus.ready, DEADLINE_MS);
    await n1.bus.announceRoutes([add('a')]);
    expect(n2.handler.filtersOf(n1.bus.self)).toEqual(['a']);
    expect([n1.handler.leasesLost, n2.handler.leasesLost]).toEqual([0, 0]);
  }, 60_000);
});

describe('a paused process', () => {
  it('does not trust its lease until it is renewed', async () => {
    const [n1, n2] = await openTwo();
    n1.pause.ms = 60_000;
    expect([n1.bus.isAlive(n1.bus.self), n1.bus.ready]).toEqual([false, false]);
    await expect(n1.bus.sendDurable(n2.bus.self, text('x'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    await until(() => n1.bus.ready, DEADLINE_MS);
    await n1.bus.sendDurable(n2.bus.self, text('y'));
    await until(() => n2.handler.durableTexts().join() === 'y', DEADLINE_MS);
    expect(n1.handler.leasesLost).toBe(0);
  });
});
