import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { NodeRef } from '#libs/broker-ports';
import {
  RecordingClusterHandler,
  countingMeter,
  openTcpGate,
  silentLog,
  startRedis,
  until,
  type RedisServer,
  type TcpGate,
} from '#libs/testkit';
import { aclRules } from '#libs/redis-client';
import { RedisClusterBus } from './redis-cluster-bus.ts';

const LEASE_MS = 900;
const DEADLINE_MS = 20_000;

let server: RedisServer;
let redis: Redis;
let opened: TestNode[] = [];

beforeAll(async () => {
  // Nodes come as a user who may do what docs/redis.md names and nothing else.
  const user = ['--user', 'skein', 'on', '>secret', ...aclRules('tes*')];
  server = await startRedis({ args: user });
  redis = new Redis(server.url);
});

afterEach(async () => {
  await Promise.all(opened.map(({ bus }) => bus.close()));
  await Promise.all(opened.map(({ gate }) => gate.close()));
  opened = [];
  await redis.flushall();
});

afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

interface TestNode {
  readonly bus: RedisClusterBus;
  readonly handler: RecordingClusterHandler;
  /** The node's way to Redis. */
  readonly gate: TcpGate;
  readonly counts: ReadonlyMap<string, number>;
}

interface Settings {
  readonly keyPrefix?: string;
  readonly inboxBatchesMax?: number;
  readonly routeDeadlineMs?: number;
}

async function makeNode(nodeId: string, settings: Settings = {}): Promise<TestNode> {
  const gate = await openTcpGate(server.port);
  const { meter, counts } = countingMeter();
  const bus = new RedisClusterBus({
    self: { nodeId, version: '1.0.0' },
    redis: {
      url: `redis://skein:secret@127.0.0.1:${String(gate.port)}`,
      keyPrefix: 'test',
      leaseMs: LEASE_MS,
      commandTimeoutMs: 500,
      routeDeadlineMs: 2_000,
      requestTimeoutMs: 500,
      inboxBatchesMax: 100_000,
      ...settings,
    },
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    log: silentLog,
    meter,
  });
  const node = { bus, handler: new RecordingClusterHandler(), gate, counts };
  opened.push(node);
  return node;
}

async function openNode(nodeId: string, settings?: Settings): Promise<TestNode> {
  const node = await makeNode(nodeId, settings);
  await node.bus.open(node.handler);
  return node;
}

async function openThree(): Promise<[TestNode, TestNode, TestNode]> {
  const nodes = [await openNode('n1'), await openNode('n2'), await openNode('n3')] as const;
  await until(() => nodes.every(({ bus }) => bus.nodes().length === 3), DEADLINE_MS);
  return [...nodes];
}

/** Ends a node as kill -9 would: nothing is said, and its lease stays until it runs out. */
async function kill({ bus, gate }: TestNode): Promise<NodeRef> {
  const { self } = bus;
  gate.shut();
  await bus.close();
  return self;
}

const text = (value: string): Buffer => Buffer.from(value);
const add = (filter: string) => ({ kind: 'add', filter }) as const;
const remove = (filter: string) => ({ kind: 'remove', filter }) as const;

describe('routes', () => {
  it('are known to every node when announceRoutes() resolves', async () => {
    const [n1, n2, n3] = await openThree();
    await n1.bus.announceRoutes([add('a/+'), add('glob/[x]*?\\'), add('$SYS/#')]);
    const expected = ['$SYS/#', 'a/+', 'glob/[x]*?\\'];
    expect(n2.handler.filtersOf(n1.bus.self)).toEqual(expected);
    expect(n3.handler.filtersOf(n1.bus.self)).toEqual(expected);
    await n1.bus.announceRoutes([remove('a/+'), add('b')]);
    expect(n3.handler.filtersOf(n1.bus.self)).toEqual(['$SYS/#', 'b', 'glob/[x]*?\\']);
  });

  it('travel together when they change in one turn, the last word counting', async () => {
    const [n1, n2] = await openThree();
    const before = await redis.xlen('test:{test:bus}:routes');
    await Promise.all([
      n1.bus.announceRoutes([add('a'), add('b')]),
      n1.bus.announceRoutes([remove('a')]),
      n1.bus.announceRoutes([add('c')]),
    ]);
    expect(n2.handler.filtersOf(n1.bus.self)).toEqual(['b', 'c']);
    expect(await redis.xlen('test:{test:bus}:routes')).toBe(before + 1);
  });

  it('share an announcement that waits for the one before, each in a turn of its own', async () => {
    const [n1, n2, n3] = await openThree();
    const before = await redis.xlen('test:{test:bus}:routes');
    n3.gate.shut();
    const known = [n1.bus.announceRoutes([add('a')])];
    await until(() => n2.handler.filtersOf(n1.bus.self)?.includes('a') === true, DEADLINE_MS);
    for (const filter of ['b', 'c', 'd']) {
      known.push(n1.bus.announceRoutes([add(filter)]));
      await new Promise(setImmediate);
    }
    n3.gate.open();
    await Promise.all(known);
    expect(n3.handler.filtersOf(n1.bus.self)).toEqual(['a', 'b', 'c', 'd']);
    expect(await redis.xlen('test:{test:bus}:routes')).toBe(before + 2);
  });

  it('reach a node that joins later, those of the living and of the dead', async () => {
    const [n1, n2, n3] = await openThree();
    await n1.bus.announceRoutes([add('a')]);
    await n2.bus.announceRoutes([add('b')]);
    await n3.bus.announceRoutes([add('c')]);
    const dead = await kill(n3);
    const n4 = await openNode('n4');
    expect(n4.handler.filtersOf(n1.bus.self)).toEqual(['a']);
    expect(n4.handler.filtersOf(dead)).toEqual(['c']);
    await until(() => n4.handler.events.includes('left n3'), DEADLINE_MS);
    expect(n4.handler.filtersOf(dead)).toEqual(['c']);
    await n1.bus.announceRoutes([add('d')]);
    expect(n4.handler.filtersOf(n1.bus.self)).toEqual(['a', 'd']);
  });

  it('are written and read anew when Redis has lost a change', async () => {
    const [n1, n2] = await openThree();
    await redis.hset('test:{test:bus}:members', keyOf(n1.bus.self), 7);
    await n1.bus.announceRoutes([add('a')]); // Its position is not the one in Redis: all is written anew.
    expect(n2.handler.filtersOf(n1.bus.self)).toEqual(['a']);
    expect(n2.counts.get('routeResync')).toBeGreaterThan(0);
  });

  it('are mended when Redis has lost everything', async () => {
    const [n1, n2, n3] = await openThree();
    await n1.bus.announceRoutes([add('a')]);
    await redis.flushall();
    await until(
      async () => (await redis.scard(`test:{test:bus}:routes:${keyOf(n1.bus.self)}`)) === 1,
      5_000,
    );
    await until(() => [n1, n2, n3].every(({ bus }) => bus.nodes().length === 3), DEADLINE_MS);
    await n2.bus.announceRoutes([add('b')]);
    expect(n3.handler.filtersOf(n2.bus.self)).toEqual(['b']);
    expect(n3.handler.filtersOf(n1.bus.self)).toEqual(['a']);
    expect([n1, n2, n3].map(({ handler }) => handler.leasesLost)).toEqual([0, 0, 0]);
    expect(n1.handler.events).not.toContain('left n2');
  });

  it('wait for a silent node until a deadline, once, and again when it is heard of', async () => {
    const n1 = await openNode('n1', { routeDeadlineMs: 200 });
    const n2 = await openNode('n2');
    await until(() => n1.bus.nodes().length === 2, DEADLINE_MS);
    n2.gate.shut();
    await expect(n1.bus.announceRoutes([add('a')])).rejects.toMatchObject({ code: 'ROUTES_LATE' });
    await expect(n1.bus.announceRoutes([add('b')])).rejects.toMatchObject({
      code: 'ROUTES_UNSURE',
    });
    expect(n2.handler.filtersOf(n1.bus.self)).toEqual([]);
    n2.gate.open();
    await until(() => n2.handler.filtersOf(n1.bus.self)?.join() === 'a,b', DEADLINE_MS);
    await until(() => n2.bus.ready, DEADLINE_MS);
    await until(async () => {
      const error: unknown = await n1.bus
        .announceRoutes([add('c')])
        .catch((cause: unknown) => cause);
      const isThere = n2.handler.filtersOf(n1.bus.self)?.includes('c') === true;
      await n1.bus.announceRoutes([remove('c')]).catch(() => undefined);
      return error === undefined && isThere;
    }, DEADLINE_MS);
  });

  it('hold 2,000 announcements each followed by a message, without a loss', async () => {
    const [n1, n2, n3] = await openThree();
    const from = n2.bus.self;
    let missed = 0;
    for (let round = 0; round < 2_000; round += 1) {
      const filter = `round/${String(round)}`;
      await n2.bus.announceRoutes([add(filter)]);
      for (const { handler, bus } of [n1, n3]) {
        if (handler.routes.get(keyOf(from))?.has(filter) !== true) missed += 1;
        if (round % 2 === 0) await bus.sendDurable(from, text(filter));
        else bus.sendLive('n2', text(filter), 1);
      }
      if (round % 3 === 0) await n2.bus.announceRoutes([remove(filter)]);
    }
    await until(() => n2.handler.durable.length + n2.handler.live.length === 4_000, DEADLINE_MS);
    expect(missed).toBe(0);
    expect(n2.handler.durable.filter(({ from: { nodeId } }) => nodeId === 'n1')).toHaveLength(
      1_000,
    );
  }, 60_000);
});

describe('frames', () => {
  it('of two clusters that share a Redis do not meet, though their nodes have the same ids', async () => {
    const [n1, n2] = [await openNode('n1'), await openNode('n2')];
    const other = { keyPrefix: 'tes' };
    const [other1, other2] = [await openNode('n1', other), await openNode('n2', other)];
    await until(() => opened.every(({ bus }) => bus.nodes().length === 2), DEADLINE_MS);
    await n2.bus.announceRoutes([add('a')]);
    await other2.bus.announceRoutes([add('b')]);
    expect(n1.handler.filtersOf(n2.bus.self)).toEqual(['a']);
    expect(other1.handler.filtersOf(other2.bus.self)).toEqual(['b']);
    n1.bus.sendLive('n2', text('live'), 1);
    await n1.bus.sendDurable(n2.bus.self, text('durable'));
    other1.bus.sendLive('n2', text('other live'), 1);
    await other1.bus.sendDurable(other2.bus.self, text('other durable'));
    for (const [node, name] of [
      [n2, ''],
      [other2, 'other '],
    ] as const) {
      await until(() => node.handler.live.length === 1, DEADLINE_MS);
      await until(() => node.handler.durable.length === 1, DEADLINE_MS);
      expect(node.handler.live.map((frame) => frame.text)).toEqual([`${name}live`]);
      expect(node.handler.durableTexts()).toEqual([`${name}durable`]);
    }
  });

  it('reach a node unchanged and in order, by both ways', async () => {
    const [n1, n2] = await openThree();
    const names = Array.from({ length: 500 }, (_, index) => `m${String(index)}`);
    await Promise.all(names.map((name) => n1.bus.sendDurable(n2.bus.self, text(name))));
    for (const name of names) n1.bus.sendLive('n2', text(name), 1);
    await until(() => n2.handler.live.length === 500, DEADLINE_MS);
    await until(() => n2.handler.durable.length === 500, DEADLINE_MS);
    expect(n2.handler.durableTexts()).toEqual(names);
    expect(n2.handler.live.map((frame) => frame.text)).toEqual(names);
    expect(n2.handler.durable[0]?.from).toEqual(n1.bus.self);
    expect(n2.handler.live[0]?.from).toEqual(n1.bus.self);
  });

  it('stay in the inbox until they are done, and at most 256 are handed out', async () => {
    const [n1, n2] = await openThree();
    n2.handler.takesFrames = false;
    const inbox = `test:{test:bus}:inbox:${keyOf(n2.bus.self)}`;
    for (let index = 0; index < 400; index += 1) await n1.bus.sendDurable(n2.bus.self, text('m'));
    await until(() => n2.handler.durable.length >= 256, DEADLINE_MS);
    expect(await redis.xlen(inbox)).toBe(400);
    expect(n2.handler.durable.length).toBeLessThan(400);
    n2.handler.takesFrames = true;
    for (const { done } of [...n2.handler.durable]) done();
    await until(async () => (await redis.xlen(inbox)) === 0, DEADLINE_MS);
    expect(n2.handler.durable).toHaveLength(400);
  });

  it('are refused for a node that is gone, though it had an inbox', async () => {
    const [n1, n2] = await openThree();
    for (const name of ['1', '2']) await n1.bus.sendDurable(n2.bus.self, text(name));
    await redis.del('test:{test:bus}:members', `test:{test:bus}:inbox:${keyOf(n2.bus.self)}`);
    const late = n1.bus.sendDurable(n2.bus.self, text('3'));
    await expect(late).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('are refused when the inbox is full, and none that is stored is trimmed', async () => {
    const n1 = await openNode('n1', { inboxBatchesMax: 10 });
    const n2 = await openNode('n2');
    n2.handler.takesFrames = false;
    await until(() => n1.bus.nodes().length === 2, DEADLINE_MS);
    const sent = await Promise.allSettled(
      Array.from({ length: 15 }, (_, index) =>
        n1.bus.sendDurable(n2.bus.self, text(String(index))),
      ),
    );
    const refused = sent.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(5);
    expect(n1.counts.get('inboxAppended')).toBe(15);
    expect(refused[0]).toMatchObject({ reason: { code: 'STORE_UNAVAILABLE' } });
    expect(await redis.xlen(`test:{test:bus}:inbox:${keyOf(n2.bus.self)}`)).toBe(10);
  });

  it('are handed out once when an append is repeated', async () => {
    const [n1, n2] = await openThree();
    const inbox = `test:{test:bus}:inbox:${keyOf(n2.bus.self)}`;
    const fields = ['from', keyOf(n1.bus.self), 'sequence', '900', 'frame', 'once'];
    await redis
      .multi()
      .xadd(inbox, '*', ...fields)
      .xadd(inbox, '*', ...fields)
      .exec();
    await until(async () => (await redis.xlen(inbox)) === 0, DEADLINE_MS);
    expect(n2.handler.durableTexts()).toEqual(['once']);
  });
});

describe('garbage', () => {
  it('on the channel, in the stream and in the inbox harms nobody', async () => {
    const [n1, n2] = await openThree();
    const channel = 'test/live/n2';
    const foreign = [
      text(''),
      text('hello'),
      Buffer.from([0xc1]),
      Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0x80]),
      Buffer.from([0x81, 0xa3, 0x6d, 0x73, 0x67, 0xc0]),
      Buffer.from([0x81, 0xa3, 0x6d, 0x73, 0x67, 0x81, 0xa5, 0x74, 0x6f, 0x70, 0x69, 0x63, 0x07]),
    ];
    for (const message of foreign) await redis.publish(channel, message);
    for (let index = 0; index < 500; index += 1) {
      const noise = Buffer.from(
        Array.from({ length: 24 }, (_, at) => (index * 31 + at * 17) % 256),
      );
      await redis.publish(channel, noise);
    }
    const change = ['kind', 'change', 'node', 'n1#1', 'changes', '{'];
    await redis.xadd('test:{test:bus}:routes', '*', ...change);
    await redis.xadd('test:{test:bus}:routes', '*', 'nonsense', 'x');
    await redis.xadd(`test:{test:bus}:inbox:${keyOf(n2.bus.self)}`, '*', 'frame', 'x');
    await redis.hset('test:{test:bus}:members', 'not a node', 'x');
    n1.bus.sendLive('n2', text('live'), 1);
    await n1.bus.sendDurable(n2.bus.self, text('durable'));
    await until(() => n2.handler.live.length === 1, DEADLINE_MS);
    await until(() => n2.handler.durableTexts().join() === 'durable', DEADLINE_MS);
    await n1.bus.announceRoutes([add('a')]);
    expect(n2.handler.filtersOf(n1.bus.self)).toEqual(['a']);
  });
});

describe('requests', () => {
  const request = { kind: 'release-session', clientId: 'c1', epoch: 4, isRouted: true } as const;

  it('are answered by the node asked', async () => {
    const [n1, n2] = await openThree();
    const backlogs = [{ node: n2.bus.self, queues: [] }];
    n2.handler.answer = () => Promise.resolve({ backlogs });
    await expect(n1.bus.request('n2', request)).resolves.toEqual({ backlogs });
    expect(n2.handler.requests).toEqual([request]);
  });

  it('reject when refused, and when nobody answers in time', async () => {
    const [n1, n2, n3] = await openThree();
    n2.handler.answer = () => Promise.reject(new Error('no'));
    await expect(n1.bus.request('n2', request)).rejects.toMatchObject({ code: 'REQUEST_REFUSED' });
    n3.handler.answer = () => new Promise(() => undefined);
    await expect(n1.bus.request('n3', request)).rejects.toMatchObject({
      code: 'NODE_SILENT',
      message: 'n3 did not answer',
    });
  });

  it('reject without a wait when a node was killed, long before its lease ends', async () => {
    const [n1, , n3] = await openThree();
    await kill(n3);
    await until(async () => (await redis.pubsub('NUMSUB', 'test/live/n3'))[1] === 0, DEADLINE_MS);
    await expect(n1.bus.request('n3', request)).rejects.toMatchObject({ code: 'NODE_AWAY' });
  });
});

describe('a dead node', () => {
  it('is noticed; its routes and inbox stay until it is forgotten', async () => {
    const [n1, n2, n3] = await openThree();
    await n3.bus.announceRoutes([add('c')]);
    n3.handler.takesFrames = false;
    const dead = await kill(n3);
    await until(() => n1.handler.events.includes('left n3'), DEADLINE_MS);
    await until(() => n2.handler.events.includes('left n3'), DEADLINE_MS);
    expect([n1.bus.isAlive(dead), n1.bus.nodes().length]).toEqual([false, 2]);
    expect(n1.handler.filtersOf(dead)).toEqual(['c']);
    await n2.bus.sendDurable(dead, text('for the dead'));

    const claims = await Promise.all([n1.bus.claimDead(dead), n2.bus.claimDead(dead)]);
    expect(claims.filter(Boolean)).toHaveLength(1);
    const [claimer, other] = claims[0] === true ? [n1, n2] : [n2, n1];
    expect(await claimer.bus.claimDead(dead)).toBe(true);
    expect(await other.bus.claimDead(dead)).toBe(false);
    await expect(other.bus.forgetNode(dead)).rejects.toMatchObject({ code: 'CLAIM_LOST' });

    await claimer.bus.drainInbox(dead);
    expect(claimer.handler.durableTexts()).toEqual(['for the dead']);
    await n2.bus.sendDurable(dead, text('just before'));
    await claimer.bus.forgetNode(dead);
    await other.bus.sendDurable(dead, text('just after'));
    await until(() => claimer.handler.durable.length === 3, DEADLINE_MS);
    expect(claimer.handler.durableTexts().slice(1)).toEqual(['just before', 'just after']);
    await until(() => n1.handler.events.includes('forgotten n3'), DEADLINE_MS);
    await until(() => n2.handler.events.includes('forgotten n3'), DEADLINE_MS);
    expect(n1.handler.filtersOf(dead)).toBeUndefined();
    expect((await redis.keys(`*${keyOf(dead)}*`)).sort()).toEqual([
      `test:{test:bus}:heir:${keyOf(dead)}`,
    ]);
    expect(await other.bus.claimDead(dead)).toBe(false);
  });

  it('is forgotten only after all but a few of the frames left in its inbox are drained', async () => {
    const [n1, n2, n3] = await openThree();
    n3.handler.takesFrames = false;
    const dead = await kill(n3);
    const names = Array.from({ length: 2_000 }, (_, index) => `m${String(index)}`);
    await Promise.all(names.map((name) => n2.bus.sendDurable(dead, text(name))));
    await until(() => n1.bus.claimDead(dead), DEADLINE_MS);
    await n1.bus.forgetNode(dead);
    await until(() => n1.handler.durable.length === 2_000, DEADLINE_MS);
    expect(n1.handler.durableTexts()).toEqual(names);
  });

  it('keeps its claim as long as the claimer lives, and no longer', async () => {
    const [n1, n2, n3] = await openThree();
    const dead = await kill(n3);
    await until(() => n1.handler.events.includes('left n3'), DEADLINE_MS);
    expect(await n1.bus.claimDead(dead)).toBe(true);
    let looks = 0;
    const stillClaimed = async (): Promise<boolean> => {
      looks += 1;
      expect(await n2.bus.claimDead(dead)).toBe(false);
      return looks > 5;
    };
    const since = performance.now();
    await until(
      async () => (await stillClaimed()) && performance.now() - since > 2 * LEASE_MS,
      9_000,
    );
    await kill(n1);
    await until(() => n2.bus.claimDead(dead), DEADLINE_MS);
  });

  it('is known dead at once when it says goodbye, and announcements do not wait for it', async () => {
    const [n1, n2, n3] = await openThree();
    const { self } = n3.bus;
    await n3.bus.announceRoutes([add('c')]);
    await n3.bus.close();
    await until(() => n1.handler.events.includes('left n3'), DEADLINE_MS);
    await n1.bus.announceRoutes([add('a')]);
    expect(n2.handler.filtersOf(self)).toEqual(['c']);
  });

  it('is not claimed while it lives', async () => {
    const [n1, n2] = await openThree();
    expect(await n1.bus.claimDead(n2.bus.self)).toBe(false);
  });
});

describe('a node id', () => {
  it('is refused to a second live node', async () => {
    await openNode('n1');
    const second = await makeNode('n1');
    await expect(second.bus.open(second.handler)).rejects.toMatchObject({ code: 'NODE_ID_IN_USE' });
  });

  it('is taken by the successor of a killed node, whose routes stay beside', async () => {
    const n1 = await openNode('n1');
    const n2 = await openNode('n2');
    await n1.bus.announceRoutes([add('a')]);
    const dead = await kill(n1);
    const successor = await openNode('n1');
    expect(successor.bus.self.incarnation).toBeGreaterThan(dead.incarnation);
    expect([...successor.handler.events].sort()).toEqual(['joined n1', 'joined n2', 'left n1']);
    expect(successor.handler.filtersOf(dead)).toEqual(['a']);
    await until(() => n2.bus.isAlive(successor.bus.self), DEADLINE_MS);
    expect([n2.bus.isAlive(dead), n2.handler.filtersOf(dead)]).toEqual([false, ['a']]);
  });

  it('shows the state of its node to the others', async () => {
    const [n1, n2] = await openThree();
    await n2.bus.setState('draining');
    const seen = () => n1.bus.nodes().find(({ nodeId }) => nodeId === 'n2')?.state;
    await until(() => seen() === 'draining', DEADLINE_MS);
    expect(n2.bus.nodes()[0]?.state).toBe('draining');
  });
});

function keyOf({ nodeId, incarnation }: NodeRef): string {
  return `${nodeId}#${String(incarnation)}`;
}
