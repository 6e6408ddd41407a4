import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import { REASON, type ConnectPacket, type Will } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  fakeClock,
  MemoryCluster,
  MemoryNode,
  quiet,
  type FakeClock,
  type MemoryBus,
  type MemoryClient,
} from '#libs/testkit';
import { storedWillOf } from './wills.ts';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };

interface Member {
  readonly memory: MemoryNode;
  readonly bus: MemoryBus;
}

let clock: FakeClock;
let cluster: MemoryCluster;
let sessions: LocalSessionStore;
let retained: LocalRetainedStore;
let a: Member;
let b: Member;
let watcher: MemoryClient;

beforeEach(async () => {
  clock = fakeClock();
  cluster = new MemoryCluster();
  sessions = new LocalSessionStore({ clock: clock.now });
  retained = new LocalRetainedStore({ clock: clock.now });
  a = await join('node-a');
  b = await join('node-b');
  watcher = await connected(b, 'watcher');
  await watcher.subscribe('will/#');
});

async function join(nodeId: string): Promise<Member> {
  const bus = cluster.bus(nodeId);
  const memory = new MemoryNode({ sessions, retained, clock, bus });
  await memory.node.start();
  return { memory, bus };
}

async function connected(
  { memory }: Member,
  clientId: string,
  options: Partial<ConnectPacket> = {},
): Promise<MemoryClient> {
  const client = memory.client();
  await client.connect({ clientId, ...options });
  return client;
}

function will(delaySeconds = 0, qos: 0 | 1 = 1): Will {
  const properties = { willDelayInterval: delaySeconds };
  return { topic: 'will/client', payload: Buffer.from('gone'), qos, retain: false, properties };
}

/** Moves the clock; the nodes that live sweep. */
async function pass(ms: number, ...members: readonly Member[]): Promise<void> {
  clock.advance(ms);
  for (const { memory } of members) memory.node.sweep();
  await quiet(30);
}

describe('the will of a client whose node dies', () => {
  it.each([
    ['of a session that ends with it', {}],
    ['of a durable session', DURABLE],
  ])('%s is published by the heir, once', async (_, session) => {
    await connected(a, 'client', { ...session, will: will() });
    a.bus.kill();
    await quiet(30);
    await pass(1_000, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
    const c = await join('node-c');
    await pass(60_000, b, c);
    b.bus.kill();
    await quiet(30);
    await pass(60_000, c);
    const late = await connected(c, 'late');
    expect(late.take()).toEqual([]);
  });

  it('waits for its delay from the time at which the heir took the session', async () => {
    await connected(a, 'client', { ...DURABLE, will: will(30) });
    a.bus.kill();
    await quiet(30);
    await pass(29_000, b);
    expect(watcher.take()).toEqual([]);
    await pass(1_000, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it('waits no longer because a second node dies', async () => {
    await connected(a, 'client', { ...DURABLE, will: will(30) });
    const c = await join('node-c');
    const observer = await connected(c, 'observer');
    await observer.subscribe('will/#');
    a.bus.kill();
    await quiet(30);
    clock.advance(20_000);
    expect(b.memory.node.admin.client('client')).toBeDefined();
    b.bus.kill();
    await quiet(30);
    await pass(10_000, c);
    expect(observer.takeTexts()).toEqual(['gone']);
  });

  it('is published when its session is over before its delay', async () => {
    const properties = { sessionExpiryInterval: 5 };
    await connected(a, 'client', { cleanStart: false, properties, will: will(30) });
    a.bus.kill();
    await quiet(30);
    await pass(5_000, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
    expect(await sessions.load('client')).toBeUndefined();
  });

  it('that was waiting already is published when it was due', async () => {
    (await connected(a, 'client', { ...DURABLE, will: will(30) })).cut();
    await quiet();
    clock.advance(20_000);
    a.bus.kill();
    await quiet(30);
    await pass(9_000, b);
    expect(watcher.take()).toEqual([]);
    await pass(1_000, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it('is published by the node that the client comes to before there is an heir', async () => {
    await connected(a, 'client', { will: will() });
    a.bus.isUp = false;
    await connected(b, 'client');
    await quiet(30);
    expect(watcher.takeTexts()).toEqual(['gone']);
    for (const { handler } of cluster.othersOf(a.bus.self)) handler?.nodeLeft(a.bus.self);
    await quiet(30);
    await pass(1_000, b);
    expect(watcher.take()).toEqual([]);
  });

  it('without a delay is published, even if its heir gives the session to a node whose clock is behind', async () => {
    await connected(a, 'client', { ...DURABLE, will: will() });
    const slow = fakeClock();
    clock.advance(5_000);
    const memory = new MemoryNode({ sessions, retained, clock: slow, bus: cluster.bus('node-c') });
    await memory.node.start();
    a.bus.kill();
    await quiet(30);
    await memory.client().connect({ clientId: 'client', ...DURABLE });
    await pass(1_000, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it('is dropped when the client comes back before its delay has passed', async () => {
    await connected(a, 'client', { ...DURABLE, will: will(30) });
    a.bus.isUp = false;
    await connected(b, 'client', DURABLE);
    await pass(60_000, b);
    expect(watcher.take()).toEqual([]);
  });

  it('is published when the client ends the session by a clean start', async () => {
    await connected(a, 'client', { ...DURABLE, will: will(30) });
    a.bus.isUp = false;
    await connected(b, 'client');
    await quiet(30);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it('is not published after DISCONNECT', async () => {
    for (const session of [{}, DURABLE]) {
      const client = await connected(a, 'client', { ...session, will: will() });
      client.write({ kind: 'disconnect', reasonCode: REASON.success });
      await quiet();
    }
    a.bus.kill();
    await quiet(30);
    await pass(60_000, b);
    expect(watcher.take()).toEqual([]);
  });
});

describe('the will of a client that changes nodes', () => {
  it('is published once by the node it leaves, when it has no delay', async () => {
    for (const session of [{}, DURABLE]) {
      await connected(a, 'client', { ...session, will: will() });
      await connected(b, 'client', session);
      await pass(1_000, a, b);
      expect(watcher.takeTexts()).toEqual(['gone']);
      (await connected(a, 'client')).cut();
      await quiet();
    }
  });

  it('is dropped when it has a delay and the session goes on', async () => {
    await connected(a, 'client', { ...DURABLE, will: will(30) });
    await connected(b, 'client', DURABLE);
    await pass(60_000, a, b);
    expect(watcher.take()).toEqual([]);
  });

  it('is published when it has a delay and the session ends', async () => {
    await connected(a, 'client', { ...DURABLE, will: will(30) });
    await connected(b, 'client');
    await pass(1_000, a, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it.each([{}, DURABLE])('is published once when its node cannot do so (%j)', async (session) => {
    const client = await connected(a, 'client', { ...session, will: will() });
    const isAlive = a.bus.isAlive.bind(a.bus);
    a.bus.isAlive = () => false;
    client.cut();
    await quiet();
    expect(watcher.take()).toEqual([]);
    await connected(b, 'client', session);
    a.bus.isAlive = isAlive;
    await pass(1_000, a, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it('is published once when its node does not answer', async () => {
    await connected(a, 'client', { will: will() });
    a.bus.isDeaf = true;
    await connected(b, 'client');
    await quiet(30);
    await pass(1_000, a, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });
});

describe('a node', () => {
  it('publishes no will while its lease is in doubt, and none when it is lost', async () => {
    const doubting = await connected(a, 'client', { will: will() });
    await connected(a, 'durable', { ...DURABLE, will: will() });
    a.bus.isUp = false;
    doubting.cut();
    await pass(1_000, a);
    a.memory.node.abandon();
    await pass(1_000, a);
    expect(watcher.take()).toEqual([]);
    for (const { handler } of cluster.othersOf(a.bus.self)) handler?.nodeLeft(a.bus.self);
    await quiet(30);
    await pass(1_000, b);
    expect(watcher.takeTexts()).toEqual(['gone', 'gone']);
  });

  it('publishes what was due as soon as its lease is certain', async () => {
    const clients = [
      await connected(a, 'client', { will: will() }),
      await connected(a, 'durable', { ...DURABLE, will: will() }),
    ];
    a.bus.isUp = false;
    for (const client of clients) client.cut();
    await pass(1_000, a);
    expect(watcher.take()).toEqual([]);
    a.bus.isUp = true;
    await pass(1_000, a);
    expect(watcher.takeTexts()).toEqual(['gone', 'gone']);
    expect(await sessions.load('client')).toBeUndefined();
    await pass(1_000, a);
    expect(watcher.take()).toEqual([]);
  });

  it('publishes a will again that could not be taken', async () => {
    const client = await connected(a, 'client', { will: will() });
    const durable = a.bus.sendDurable.bind(a.bus);
    a.bus.sendDurable = () => Promise.reject(new StoreUnavailableError('full'));
    client.cut();
    await pass(1_000, a);
    expect(watcher.take()).toEqual([]);
    a.bus.sendDurable = durable;
    await pass(1_000, a);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it('that stops while it does not know who wants a will leaves that to its heir', async () => {
    await connected(a, 'client', { ...DURABLE, will: will() });
    a.bus.isCurrent = false;
    let isStopped = false;
    void a.memory.node.stop().then(() => (isStopped = true));
    await quiet(30);
    expect([isStopped, watcher.takeTexts()]).toEqual([true, []]);
    await pass(1_000, b);
    await pass(1_000, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it.each([
    ['that is due now', false],
    ['that was due before', true],
  ])(
    'that stops while a will %s cannot follow a session leaves it to its heir',
    async (_, isDue) => {
      const client = await connected(a, 'client', { ...DURABLE, will: will() });
      const mover = await connected(a, 'mover', DURABLE);
      await mover.subscribe('will/#');
      a.bus.isDeaf = true;
      a.bus.isPaused = true;
      await connected(b, 'mover', DURABLE);
      const load = sessions.load.bind(sessions);
      sessions.load = () => Promise.reject(new StoreUnavailableError('away'));
      if (isDue) client.cut();
      await pass(1_000, a);
      let isStopped = false;
      void a.memory.node.stop().then(() => (isStopped = true));
      await quiet(30);
      expect([isStopped, watcher.takeTexts()]).toEqual([true, ['gone']]);
      sessions.load = load;
      await pass(6_000, b);
      await pass(1_000, b);
      // Of QoS 1: those whom the former node had reached get it again.
      expect(watcher.takeTexts()).toEqual(['gone']);
    },
  );

  it.each(['node-a', 'node-b'])(
    'that stops while it does not know who has a session of %s keeps no will for it',
    async (home) => {
      const before = await connected(home === 'node-a' ? a : b, 'mover', DURABLE);
      await before.subscribe('will/#');
      await connected(a, 'client', { ...DURABLE, will: will() });
      const take = sessions.take.bind(sessions);
      sessions.take = async (request) => {
        if (home === 'node-b' && request.replacesEpoch === undefined) return await take(request);
        sessions.load = () => Promise.reject(new StoreUnavailableError('away'));
        throw new StoreUnavailableError('away');
      };
      const refused = a.memory.client();
      expect(await refused.connect({ clientId: 'mover', ...DURABLE })).toMatchObject({
        reasonCode: REASON.serverUnavailable,
      });
      let isStopped = false;
      void a.memory.node.stop().then(() => (isStopped = true));
      await quiet(30);
      expect([isStopped, watcher.takeTexts()]).toEqual([true, ['gone']]);
    },
  );

  it('that stops while it reads the inbox of a dead node keeps no will behind that', async () => {
    const c = await join('node-c');
    (await connected(c, 'heir', DURABLE)).cut();
    const heir = await connected(c, 'heir', DURABLE);
    await heir.subscribe('will/#');
    await connected(a, 'client', { ...DURABLE, will: will() });
    for (const { bus } of [a, b]) bus.drainInbox = () => new Promise(() => undefined);
    c.bus.kill();
    await quiet(30);
    expect(a.memory.node.admin.client('heir')).toBeDefined();
    let isStopped = false;
    void a.memory.node.stop().then(() => (isStopped = true));
    await quiet(30);
    expect([isStopped, watcher.takeTexts()]).toEqual([true, ['gone']]);
  });

  it('that stops while it takes the sessions of a dead node keeps no will behind its inbox', async () => {
    const c = await join('node-c');
    const away = await connected(c, 'heir', DURABLE);
    await away.subscribe('will/#');
    away.cut();
    await connected(a, 'client', { ...DURABLE, will: will() });
    for (const { bus } of [a, b]) bus.drainInbox = () => new Promise(() => undefined);
    b.bus.claimDead = async () => false;
    const held: (() => void)[] = [];
    const hold = (): Promise<void> => new Promise((resolve) => void held.push(resolve));
    const { take, write } = {
      take: sessions.take.bind(sessions),
      write: sessions.write.bind(sessions),
    };
    sessions.take = async (request) => {
      if (request.replacesEpoch !== undefined) await hold();
      return await take(request);
    };
    c.bus.kill();
    await quiet(30);
    sessions.write = async (operations) => {
      await hold();
      return await write(operations);
    };
    let isStopped = false;
    void a.memory.node.stop().then(() => (isStopped = true));
    for (let turn = 0; turn < 30; turn += 1) {
      await quiet();
      held.shift()?.();
    }
    expect(await sessions.load('heir')).toMatchObject({ owner: a.bus.self, queueMessages: 1 });
    expect([isStopped, watcher.takeTexts()]).toEqual([true, ['gone']]);
  });

  it('that comes back alone publishes the wills of its former life', async () => {
    await connected(a, 'client', { will: will() });
    await connected(a, 'durable', { ...DURABLE, will: will(30) });
    a.bus.isUp = false;
    b.bus.isUp = false;
    const later = await join('node-a');
    const observer = await connected(later, 'observer');
    await observer.subscribe('will/#');
    await quiet(30);
    await pass(1_000, later);
    expect(observer.takeTexts()).toEqual(['gone']);
    await pass(30_000, later);
    expect(observer.takeTexts()).toEqual(['gone']);
  });
});

describe('a will that is held', () => {
  it('keeps its own bytes, not the chunk that its CONNECT came in', () => {
    const chunk = new Uint8Array(65_536);
    const held = storedWillOf(
      {
        ...will(),
        payload: chunk.subarray(5, 7),
        properties: { correlationData: chunk.subarray(1, 4) },
      },
      {
        client: { clientId: 'c', username: undefined, listener: 'tcp', remoteAddress: '' },
        identity: { source: a.bus.self, sequence: 1 },
      },
    );
    const { payload, properties } = held.message;
    expect(payload?.buffer.byteLength).toBe(2);
    expect(properties?.correlationData?.buffer.byteLength).toBe(3);
  });
});

describe('an administrator who ends a session', () => {
  it('makes its will due', async () => {
    await connected(a, 'client', { ...DURABLE, will: will(30) });
    expect(await a.memory.node.admin.disconnect('client', true)).toBe(true);
    await quiet(30);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });
});
