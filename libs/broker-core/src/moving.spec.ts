import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import {
  DURABLE,
  MemoryFleet,
  MemoryNode,
  quiet,
  type FleetNode,
  type MemoryClient,
} from '#libs/testkit';

let fleet: MemoryFleet;
let a: FleetNode;
let b: FleetNode;
let c: FleetNode;

beforeEach(async () => {
  fleet = new MemoryFleet();
  a = await fleet.join('a');
  b = await fleet.join('b');
  c = await fleet.join('c');
});

async function acknowledged(publisher: MemoryClient, text: string): Promise<number> {
  publisher.publish('t', text, { qos: 1 });
  return (await publisher.next('puback')).reasonCode;
}

describe('a durable session between its release and its take', () => {
  it('is not lost when the taker cannot reach the store', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    const publisher = await c.connected('publisher');
    const take = b.store.take.bind(b.store);
    b.store.take = (request) =>
      request.replacesEpoch === undefined
        ? take(request)
        : Promise.reject(new StoreUnavailableError('away'));
    const refused = b.client();
    expect((await refused.connect({ clientId: 'client', ...DURABLE })).reasonCode).toBe(0x88);
    b.store.take = take;
    await quiet();
    a.sweepAfter(1000);
    a.sweepAfter(1000);
    b.sweepAfter(1000);
    await quiet();
    const code = await acknowledged(publisher, 'acknowledged');
    const after = await b.connected('client', DURABLE);
    await quiet(40);
    expect([code, after.takeTexts()]).toEqual([0, ['acknowledged']]);
  });

  it('misses nothing that is published before anybody knows who has it', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    const publisher = await c.connected('publisher');
    const take = b.store.take.bind(b.store);
    b.store.take = (request) =>
      request.replacesEpoch === undefined
        ? take(request)
        : Promise.reject(new StoreUnavailableError('away'));
    const refused = b.client();
    expect((await refused.connect({ clientId: 'client', ...DURABLE })).reasonCode).toBe(0x88);
    const code = await acknowledged(publisher, 'meanwhile');
    await quiet(40);
    const after = await c.connected('client', DURABLE);
    await quiet(40);
    expect([code, after.takeTexts()]).toEqual([0, ['meanwhile']]);
  });

  it('is routed to its new node alone when that has it', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    await b.connected('client', DURABLE);
    await quiet();
    const routed = [a, b, c].map(({ bus }) => fleet.cluster.placeOf(bus.self)?.filters.size);
    expect(routed).toEqual([0, 1, 0]);
  });

  it('is not lost when the taker dies', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    const publisher = await c.connected('publisher');
    const take = b.store.take.bind(b.store);
    b.store.take = (request) =>
      request.replacesEpoch === undefined ? take(request) : new Promise(() => undefined);
    const refused = b.client();
    refused.write(refused.connectPacket({ clientId: 'client', ...DURABLE }));
    await before.closed();
    await quiet();
    b.bus.kill();
    await quiet(40);
    a.sweepAfter(1000);
    a.sweepAfter(1000);
    c.sweepAfter(1000);
    await quiet(40);
    const code = await acknowledged(publisher, 'acknowledged');
    const after = await c.connected('client', DURABLE);
    await quiet(40);
    expect([code, after.takeTexts()]).toEqual([0, ['acknowledged']]);
  });
});

describe('a take that was carried out and whose reply was lost', () => {
  beforeEach(() => {
    const take = b.store.take.bind(b.store);
    let left = 1;
    b.store.take = async (request) => {
      const result = await take(request);
      if (result.kind === 'taken' && request.clientId === 'client' && left > 0) {
        left -= 1;
        throw new StoreUnavailableError('reply lost');
      }
      return result;
    };
  });

  it('loses nothing that is acknowledged afterwards', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    before.cut();
    const publisher = await c.connected('publisher');
    const refused = b.client();
    expect((await refused.connect({ clientId: 'client', ...DURABLE })).reasonCode).toBe(0x88);
    await quiet();
    for (const member of [a, b, c]) member.sweepAfter(10_000);
    await quiet(40);
    const code = await acknowledged(publisher, 'acknowledged');
    const after = await b.connected('client', DURABLE);
    await quiet(40);
    expect([code, new Set(after.takeTexts())]).toEqual([0, new Set(['acknowledged'])]);
  });

  it('does not stop up the inbox of the node', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    before.cut();
    await quiet();
    const publisher = await c.connected('publisher');
    // What is in a's inbox when the session leaves it is for the new owner, which is b and does not know it.
    a.bus.isPaused = true;
    expect(await acknowledged(publisher, 'x')).toBe(0);
    const refused = b.client();
    expect((await refused.connect({ clientId: 'client', ...DURABLE })).reasonCode).toBe(0x88);
    a.bus.resume();
    await quiet(40);
    for (let minute = 0; minute < 60; minute += 1) {
      for (const member of [a, b, c]) member.sweepAfter(60_000);
      await quiet(4);
    }
    const inbox = (node: FleetNode): number =>
      fleet.cluster.placeOf(node.bus.self)?.inbox.size ?? -1;
    expect([inbox(a), inbox(b)]).toEqual([0, 0]);
  });
});

describe('a release that comes while the session is still being taken', () => {
  it('passes on what is in the inbox of the node in between', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    const publisher = await a.connected('publisher');
    const take = b.store.take.bind(b.store);
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    // b's take is carried out, its reply comes late.
    b.store.take = async (request) => {
      const result = await take(request);
      if (result.kind === 'taken') await held;
      return result;
    };
    b.bus.isPaused = true;
    const middle = b.client();
    middle.write(middle.connectPacket({ clientId: 'client', ...DURABLE }));
    await before.closed();
    await quiet();
    // Only b is known as the place of the session now.
    expect(await acknowledged(publisher, 'x')).toBe(0);
    const after = c.client();
    after.write(after.connectPacket({ clientId: 'client', ...DURABLE }));
    await quiet();
    goOn();
    expect(await after.next('connack')).toMatchObject({ sessionPresent: true });
    b.bus.resume();
    await quiet(40);
    for (const member of [a, b, c]) member.sweepAfter(1000);
    await quiet(40);
    expect(after.takeTexts()).toContain('x');
  });
});

describe('a session that moves while messages are on their way', () => {
  it('gets them in their order: first what its former node has, then what came here meanwhile', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    const publisher = await c.connected('publisher');
    const take = b.store.take.bind(b.store);
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    b.store.take = async (request) => {
      if (request.replacesEpoch !== undefined) await held;
      return await take(request);
    };
    const load = b.store.load.bind(b.store);
    b.store.load = async (clientId) => {
      await quiet(2);
      return await load(clientId);
    };
    const after = b.client();
    after.write(after.connectPacket({ clientId: 'client', ...DURABLE }));
    await before.closed();
    const texts = Array.from({ length: 30 }, (_, index) => String(index));
    for (const text of texts.slice(0, 20)) publisher.publish('t', text, { qos: 1 });
    await quiet();
    goOn();
    for (const text of texts.slice(20)) publisher.publish('t', text, { qos: 1 });
    await after.next('connack');
    await quiet(60);
    expect(after.takeTexts()).toEqual(texts);
  });
});

describe('a message for a session that nobody can find', () => {
  it('comes once to those that are here', async () => {
    const stays = await a.connected('stays', DURABLE);
    await stays.subscribe('t');
    const before = await b.connected('client', DURABLE);
    await before.subscribe('t');
    const publisher = await c.connected('publisher');
    const take = a.store.take.bind(a.store);
    const load = a.store.load.bind(a.store);
    let fail = (): void => undefined;
    const failed = new Promise<void>((resolve) => (fail = resolve));
    a.store.take = async (request) => {
      if (request.replacesEpoch !== undefined) await failed;
      if (request.replacesEpoch !== undefined) throw new StoreUnavailableError('away');
      return await take(request);
    };
    const refused = a.client();
    refused.write(refused.connectPacket({ clientId: 'client', ...DURABLE }));
    await before.closed();
    expect(await acknowledged(publisher, 'x')).toBe(0);
    a.store.load = () => Promise.reject(new StoreUnavailableError('away'));
    fail();
    expect((await refused.next('connack')).reasonCode).toBe(0x88);
    await quiet(40);
    for (let second = 0; second < 3; second += 1) {
      for (const member of [a, b, c]) member.sweepAfter(1000);
      await quiet(40);
    }
    a.store.load = load;
    a.sweepAfter(1000);
    await quiet(40);
    expect(stays.takeTexts()).toEqual(['x']);
    const after = await b.connected('client', DURABLE);
    await quiet(40);
    expect(after.takeTexts()).toContain('x');
  });
});

describe('a session that was lost to another owner', () => {
  it('is let go, and its message is passed on', async () => {
    const { retained, sessions: store } = new MemoryFleet();
    const alone = new MemoryNode({ sessions: store, retained });
    const receiver = await alone.connected('receiver', DURABLE);
    await receiver.subscribe('t');
    const record = await store.load('receiver');
    await store.take({
      clientId: 'receiver',
      node: { nodeId: 'node-b', incarnation: 1 },
      nowMs: 0,
      cleanStart: false,
      durable: true,
      expiryIntervalSeconds: 3600,
      connected: true,
      replacesEpoch: record?.epoch ?? 0,
    });
    const publisher = await alone.connected('publisher');
    publisher.publish('t', 'x', { qos: 1 });
    await quiet();
    // The other node cannot be reached from a node that runs alone: the message is not taken.
    alone.sweepAfter(30_001);
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0x97 });
    expect(await receiver.next('disconnect')).toMatchObject({ reasonCode: 0x8e });
    await receiver.closed();
    expect(alone.node.admin.client('receiver')).toBeUndefined();
  });
});

describe('a session that is lost while its connection is being joined', () => {
  it('leaves no connected client without a session', async () => {
    const before = await b.connected('client', DURABLE);
    await before.subscribe('t');
    before.cut();
    const other = await b.connected('other');
    await quiet();
    // b waits until the others have applied a route of another client.
    let goOn = (): void => undefined;
    fleet.cluster.announced = new Promise<void>((resolve) => (goOn = resolve));
    const suback = other.subscribe('u');
    await quiet();
    fleet.cluster.announced = Promise.resolve();
    const zombie = b.client();
    zombie.write(zombie.connectPacket({ clientId: 'client', ...DURABLE }));
    await quiet();
    expect(zombie.take()).toEqual([]);
    b.bus.isDeaf = true;
    const after = await c.connected('client', DURABLE);
    await quiet();
    expect(b.node.admin.client('client')).toBeUndefined();
    goOn();
    await suback;
    await quiet();
    for (const member of [a, b, c]) member.sweepAfter(60_000);
    await quiet(40);
    // b has no such session, and yet its client has its CONNACK with session present, while the client at c lives.
    const connack = zombie.take().find((packet) => packet.kind === 'connack');
    expect([connack?.reasonCode ?? 0x88, after.isEnded]).not.toEqual([0, false]);
  });
});

describe('routes that could not be written down', () => {
  it('do not count as announced when a session moves: it stays where it is', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    const publisher = await c.connected('publisher');
    const announceRoutes = b.bus.announceRoutes.bind(b.bus);
    b.bus.announceRoutes = () => Promise.reject(new StoreUnavailableError('away'));
    const refused = await b.client().connect({ clientId: 'client', ...DURABLE });
    expect(refused.reasonCode).toBe(0x88);
    expect(await acknowledged(publisher, 'x')).toBe(0);
    expect(await before.nextText()).toBe('x');
    b.bus.announceRoutes = announceRoutes;
    const after = await b.connected('client', DURABLE);
    expect(await after.nextText()).toBe('x');
  });

  it('do not count as announced for the next subscriber', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    const publisher = await c.connected('publisher');
    const announceRoutes = b.bus.announceRoutes.bind(b.bus);
    b.bus.announceRoutes = () => Promise.reject(new StoreUnavailableError('away'));
    await b.connected('client', DURABLE);
    await quiet();
    b.bus.announceRoutes = announceRoutes;
    const next = await b.connected('next');
    const suback = await next.subscribe('t');
    const code = await acknowledged(publisher, 'x');
    await quiet(40);
    expect([suback, code, next.takeTexts()]).toEqual([1, 0, ['x']]);
  });
});

describe('inheritance', () => {
  it('takes sessions beside each other, and each once', async () => {
    const clientIds = Array.from({ length: 200 }, (_, index) => `c${String(index)}`);
    for (const clientId of clientIds) (await b.connected(clientId, DURABLE)).cut();
    await quiet();
    const take = a.store.take.bind(a.store);
    const asked: string[] = [];
    let [underWay, most] = [0, 0];
    a.store.take = async (request) => {
      if (request.replacesEpoch !== undefined) asked.push(request.clientId);
      underWay += 1;
      most = Math.max(most, underWay);
      await quiet(1);
      underWay -= 1;
      return take(request);
    };
    c.bus.kill();
    await quiet();
    b.bus.kill();
    await quiet(40);

    expect(asked.toSorted()).toEqual(clientIds.toSorted());
    expect(most).toBe(64);
    expect(a.node.admin.status().sessions).toBe(200);
  });

  it('goes on when one session of the dead node cannot be read', async () => {
    for (const clientId of ['bad', 'good']) {
      const client = await b.connected(clientId, DURABLE);
      await client.subscribe('t');
      client.cut();
    }
    await quiet();
    const take = a.store.take.bind(a.store);
    for (const store of [a.store]) {
      store.take = (request) =>
        request.clientId === 'bad'
          ? Promise.reject(new StoreUnavailableError('Redis: WRONGTYPE'))
          : take(request);
    }
    c.bus.kill();
    await quiet();
    b.bus.kill();
    await quiet(40);
    for (let second = 0; second < 5; second += 1) {
      a.sweepAfter(1000);
      await quiet(20);
    }
    expect(a.node.admin.client('good')).toBeDefined();
  });
});

describe('what moved sessions cost', () => {
  it('does not read the store for each message and each moved session', async () => {
    for (let index = 0; index < 50; index += 1) {
      const client = await a.connected(`c${index}`, DURABLE);
      await client.subscribe('t');
    }
    for (let index = 0; index < 50; index += 1) await b.connected(`c${index}`, DURABLE);
    await quiet();
    const publisher = await a.connected('publisher');
    let loads = 0;
    const load = a.store.load.bind(a.store);
    a.store.load = (clientId) => {
      loads += 1;
      return load(clientId);
    };
    for (let index = 0; index < 20; index += 1) await acknowledged(publisher, 'x');
    expect(loads).toBeLessThan(100);
  });
});

describe('an administrator who disconnects a client that is moving', () => {
  it.each([
    ['is', false],
    ['is, with its session,', true],
  ])('sees that it %s gone, wherever it was going', async (_, endSession) => {
    const before = await a.connected('client', DURABLE);
    const request = b.bus.request.bind(b.bus);
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    b.bus.request = async (...call) => {
      const answer = await request(...call);
      await held;
      return answer;
    };
    const after = b.client();
    const connecting = after.connect({ clientId: 'client', ...DURABLE });
    await before.closed();
    const kicked = Promise.all(
      [a, b, c].map(({ node }) =>
        node.admin.sessions.disconnect('client', {
          ...{ reasonCode: 0x98, withWill: true, endSession },
        }),
      ),
    );
    goOn();
    await connecting;
    expect(await kicked).toEqual([false, true, false]);
    expect(await after.next('disconnect')).toMatchObject({ reasonCode: 0x98 });
    await quiet();
    expect((await fleet.sessions.load('client')) === undefined).toBe(endSession);
    const later = await c.connected('client', DURABLE);
    await quiet();
    expect(later.isEnded).toBe(false);
  });
});
