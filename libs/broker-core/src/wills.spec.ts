import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import { REASON, type Will } from '#libs/mqtt-codec';
import {
  DURABLE,
  fakeClock,
  MemoryFleet,
  quiet,
  type FakeClock,
  type FleetNode,
  type MemoryClient,
} from '#libs/testkit';
import { storedWillOf } from './wills.ts';

let clock: FakeClock;
let fleet: MemoryFleet;
let a: FleetNode;
let b: FleetNode;
let watcher: MemoryClient;

beforeEach(async () => {
  clock = fakeClock();
  fleet = new MemoryFleet(clock);
  a = await fleet.join('node-a');
  b = await fleet.join('node-b');
  watcher = await b.connected('watcher');
  await watcher.subscribe('will/#');
});

function will(delaySeconds = 0, qos: 0 | 1 = 1): Will {
  const properties = { willDelayInterval: delaySeconds };
  return { topic: 'will/client', payload: Buffer.from('gone'), qos, retain: false, properties };
}

/** Moves the clock; the nodes that live sweep. */
async function pass(ms: number, ...members: readonly FleetNode[]): Promise<void> {
  clock.advance(ms);
  for (const { node } of members) node.sweep();
  await quiet(30);
}

describe('the will of a client whose node dies', () => {
  it.each([
    ['of a session that ends with it', {}],
    ['of a durable session', DURABLE],
  ])('%s is published by the heir, once', async (_, session) => {
    await a.connected('client', { ...session, will: will() });
    a.bus.kill();
    await quiet(30);
    await pass(1_000, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
    const c = await fleet.join('node-c');
    await pass(60_000, b, c);
    b.bus.kill();
    await quiet(30);
    await pass(60_000, c);
    const late = await c.connected('late');
    expect(late.take()).toEqual([]);
  });

  it('waits for its delay from the time at which the heir took the session', async () => {
    await a.connected('client', { ...DURABLE, will: will(30) });
    a.bus.kill();
    await quiet(30);
    await pass(29_000, b);
    expect(watcher.take()).toEqual([]);
    await pass(1_000, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it('waits no longer because a second node dies', async () => {
    await a.connected('client', { ...DURABLE, will: will(30) });
    const c = await fleet.join('node-c');
    const observer = await c.connected('observer');
    await observer.subscribe('will/#');
    a.bus.kill();
    await quiet(30);
    clock.advance(20_000);
    expect(b.node.admin.client('client')).toBeDefined();
    b.bus.kill();
    await quiet(30);
    await pass(10_000, c);
    expect(observer.takeTexts()).toEqual(['gone']);
  });

  it('is published when its session is over before its delay', async () => {
    const properties = { sessionExpiryInterval: 5 };
    await a.connected('client', { cleanStart: false, properties, will: will(30) });
    a.bus.kill();
    await quiet(30);
    await pass(5_000, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
    expect(await fleet.sessions.load('client')).toBeUndefined();
  });

  it('that was waiting already is published when it was due', async () => {
    (await a.connected('client', { ...DURABLE, will: will(30) })).cut();
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
    await a.connected('client', { will: will() });
    a.bus.isUp = false;
    await b.connected('client');
    await quiet(30);
    expect(watcher.takeTexts()).toEqual(['gone']);
    for (const { handler } of fleet.cluster.othersOf(a.bus.self)) handler?.nodeLeft(a.bus.self);
    await quiet(30);
    await pass(1_000, b);
    expect(watcher.take()).toEqual([]);
  });

  it('without a delay is published, even if its heir gives the session to a node whose clock is behind', async () => {
    await a.connected('client', { ...DURABLE, will: will() });
    const slow = fakeClock();
    clock.advance(5_000);
    const c = await fleet.join('node-c', { clock: slow });
    a.bus.kill();
    await quiet(30);
    await c.connected('client', DURABLE);
    await pass(1_000, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it('is dropped when the client comes back before its delay has passed', async () => {
    await a.connected('client', { ...DURABLE, will: will(30) });
    a.bus.isUp = false;
    await b.connected('client', DURABLE);
    await pass(60_000, b);
    expect(watcher.take()).toEqual([]);
  });

  it('is published when the client ends the session by a clean start', async () => {
    await a.connected('client', { ...DURABLE, will: will(30) });
    a.bus.isUp = false;
    await b.connected('client');
    await quiet(30);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it('is not published after DISCONNECT', async () => {
    for (const session of [{}, DURABLE]) {
      const client = await a.connected('client', { ...session, will: will() });
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
      await a.connected('client', { ...session, will: will() });
      await b.connected('client', session);
      await pass(1_000, a, b);
      expect(watcher.takeTexts()).toEqual(['gone']);
      (await a.connected('client')).cut();
      await quiet();
    }
  });

  it('is dropped when it has a delay and the session goes on', async () => {
    await a.connected('client', { ...DURABLE, will: will(30) });
    await b.connected('client', DURABLE);
    await pass(60_000, a, b);
    expect(watcher.take()).toEqual([]);
  });

  it('is published when it has a delay and the session ends', async () => {
    await a.connected('client', { ...DURABLE, will: will(30) });
    await b.connected('client');
    await pass(1_000, a, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it.each([{}, DURABLE])('is published once when its node cannot do so (%j)', async (session) => {
    const client = await a.connected('client', { ...session, will: will() });
    const isAlive = a.bus.isAlive.bind(a.bus);
    a.bus.isAlive = () => false;
    client.cut();
    await quiet();
    expect(watcher.take()).toEqual([]);
    await b.connected('client', session);
    a.bus.isAlive = isAlive;
    await pass(1_000, a, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });

  it('is published once when its node does not answer', async () => {
    await a.connected('client', { will: will() });
    a.bus.isDeaf = true;
    await b.connected('client');
    await quiet(30);
    await pass(1_000, a, b);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });
});

describe('a node', () => {
  it('publishes no will while its lease is in doubt, and none when it is lost', async () => {
    const doubting = await a.connected('client', { will: will() });
    await a.connected('durable', { ...DURABLE, will: will() });
    a.bus.isUp = false;
    doubting.cut();
    await pass(1_000, a);
    a.node.abandon();
    await pass(1_000, a);
    expect(watcher.take()).toEqual([]);
    for (const { handler } of fleet.cluster.othersOf(a.bus.self)) handler?.nodeLeft(a.bus.self);
    await quiet(30);
    await pass(1_000, b);
    expect(watcher.takeTexts()).toEqual(['gone', 'gone']);
  });

  it('publishes what was due as soon as its lease is certain', async () => {
    const clients = [
      await a.connected('client', { will: will() }),
      await a.connected('durable', { ...DURABLE, will: will() }),
    ];
    a.bus.isUp = false;
    for (const client of clients) client.cut();
    await pass(1_000, a);
    expect(watcher.take()).toEqual([]);
    a.bus.isUp = true;
    await pass(1_000, a);
    expect(watcher.takeTexts()).toEqual(['gone', 'gone']);
    expect(await fleet.sessions.load('client')).toBeUndefined();
    await pass(1_000, a);
    expect(watcher.take()).toEqual([]);
  });

  it('publishes a will again that could not be taken', async () => {
    const client = await a.connected('client', { will: will() });
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
    await a.connected('client', { ...DURABLE, will: will() });
    a.bus.isCurrent = false;
    let isStopped = false;
    void a.node.stop().then(() => (isStopped = true));
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
      const client = await a.connected('client', { ...DURABLE, will: will() });
      const mover = await a.connected('mover', DURABLE);
      await mover.subscribe('will/#');
      a.bus.isDeaf = true;
      a.bus.isPaused = true;
      await b.connected('mover', DURABLE);
      const load = fleet.sessions.load.bind(fleet.sessions);
      fleet.sessions.load = () => Promise.reject(new StoreUnavailableError('away'));
      if (isDue) client.cut();
      await pass(1_000, a);
      let isStopped = false;
      void a.node.stop().then(() => (isStopped = true));
      await quiet(30);
      expect([isStopped, watcher.takeTexts()]).toEqual([true, ['gone']]);
      fleet.sessions.load = load;
      await pass(6_000, b);
      await pass(1_000, b);
      // Of QoS 1: those whom the former node had reached get it again.
      expect(watcher.takeTexts()).toEqual(['gone']);
    },
  );

  it.each(['node-a', 'node-b'])(
    'that stops while it does not know who has a session of %s keeps no will for it',
    async (home) => {
      const before = await (home === 'node-a' ? a : b).connected('mover', DURABLE);
      await before.subscribe('will/#');
      await a.connected('client', { ...DURABLE, will: will() });
      const take = fleet.sessions.take.bind(fleet.sessions);
      fleet.sessions.take = async (request) => {
        if (home === 'node-b' && request.replacesEpoch === undefined) return await take(request);
        fleet.sessions.load = () => Promise.reject(new StoreUnavailableError('away'));
        throw new StoreUnavailableError('away');
      };
      const refused = a.client();
      expect(await refused.connect({ clientId: 'mover', ...DURABLE })).toMatchObject({
        reasonCode: REASON.serverUnavailable,
      });
      let isStopped = false;
      void a.node.stop().then(() => (isStopped = true));
      await quiet(30);
      expect([isStopped, watcher.takeTexts()]).toEqual([true, ['gone']]);
    },
  );

  it('that stops while it reads the inbox of a dead node keeps no will behind that', async () => {
    const c = await fleet.join('node-c');
    (await c.connected('heir', DURABLE)).cut();
    const heir = await c.connected('heir', DURABLE);
    await heir.subscribe('will/#');
    await a.connected('client', { ...DURABLE, will: will() });
    for (const { bus } of [a, b]) bus.drainInbox = () => new Promise(() => undefined);
    c.bus.kill();
    await quiet(30);
    expect(a.node.admin.client('heir')).toBeDefined();
    let isStopped = false;
    void a.node.stop().then(() => (isStopped = true));
    await quiet(30);
    expect([isStopped, watcher.takeTexts()]).toEqual([true, ['gone']]);
  });

  it('that stops while it takes the sessions of a dead node keeps no will behind its inbox', async () => {
    const c = await fleet.join('node-c');
    const away = await c.connected('heir', DURABLE);
    await away.subscribe('will/#');
    away.cut();
    await a.connected('client', { ...DURABLE, will: will() });
    for (const { bus } of [a, b]) bus.drainInbox = () => new Promise(() => undefined);
    b.bus.claimDead = async () => false;
    const held: (() => void)[] = [];
    const hold = (): Promise<void> => new Promise((resolve) => void held.push(resolve));
    const { take, write } = {
      take: fleet.sessions.take.bind(fleet.sessions),
      write: fleet.sessions.write.bind(fleet.sessions),
    };
    fleet.sessions.take = async (request) => {
      if (request.replacesEpoch !== undefined) await hold();
      return await take(request);
    };
    c.bus.kill();
    await quiet(30);
    fleet.sessions.write = async (operations) => {
      await hold();
      return await write(operations);
    };
    let isStopped = false;
    void a.node.stop().then(() => (isStopped = true));
    for (let turn = 0; turn < 30; turn += 1) {
      await quiet();
      held.shift()?.();
    }
    expect(await fleet.sessions.load('heir')).toMatchObject({
      owner: a.bus.self,
      queueMessages: 1,
    });
    expect([isStopped, watcher.takeTexts()]).toEqual([true, ['gone']]);
  });

  it('that comes back alone publishes the wills of its former life', async () => {
    await a.connected('client', { will: will() });
    await a.connected('durable', { ...DURABLE, will: will(30) });
    a.bus.isUp = false;
    b.bus.isUp = false;
    const later = await fleet.join('node-a');
    const observer = await later.connected('observer');
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
    await a.connected('client', { ...DURABLE, will: will(30) });
    const ending = { reasonCode: 0x98, withWill: true, endSession: true };
    expect(await a.node.admin.sessions.disconnect('client', ending)).toBe(true);
    await quiet(30);
    expect(watcher.takeTexts()).toEqual(['gone']);
  });
  it.each([
    ['connected', false],
    ['away, and its will waits', true],
  ])('keeps the will of a client that is %s from being published', async (_, isAway) => {
    const client = await a.connected('client', { ...DURABLE, will: will(isAway ? 30 : 0) });
    if (isAway) client.cut();
    await quiet();
    const silently = { reasonCode: 0x98, withWill: false, endSession: true };
    expect(await a.node.admin.sessions.disconnect('client', silently)).toBe(true);
    await quiet(30);
    expect(watcher.takeTexts()).toEqual([]);
    expect(await fleet.sessions.load('client')).toBeUndefined();
  });
});
