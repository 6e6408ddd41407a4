import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import {
  DURABLE,
  MemoryFleet,
  quiet,
  RecordingClusterHandler,
  WIDE_LIMITS,
  type FleetNode,
  type MemoryClient,
} from '#libs/testkit';
import { encodeFrame } from './frame.ts';

let fleet: MemoryFleet;
let a: FleetNode;
let b: FleetNode;

beforeEach(async () => {
  fleet = new MemoryFleet();
  a = await fleet.join('a');
  b = await fleet.join('b');
});

/** Publishes with QoS 1 and gives the reason code of PUBACK. */
async function acknowledged(publisher: MemoryClient, text: string): Promise<number> {
  publisher.publish('t', text, { qos: 1 });
  return (await publisher.next('puback')).reasonCode;
}

describe('what is wanted', () => {
  it('is known of sessions everywhere, connected or durable', async () => {
    expect(a.node.mayWant('devices/#')).toBe(false);
    expect(a.node.mayWant('devices/1')).toBe(false);
    const device = await b.connected('d1', DURABLE);
    await device.subscribe('devices/1');
    device.cut();
    const member = await b.connected('d2');
    await member.subscribe('$share/g/jobs/+');
    for (const { node } of [a, b]) {
      expect(node.mayWant('devices/#')).toBe(true);
      expect(node.mayWant('devices/1')).toBe(true);
      expect(node.mayWant('devices/2')).toBe(false);
      expect(node.mayWant('jobs/#')).toBe(true);
      expect(node.mayWant('other/#')).toBe(false);
    }
  });
});

describe('gauges', () => {
  it('show the sessions of all nodes at one of them', async () => {
    await a.connected('c1');
    const device = await b.connected('d1', DURABLE);
    device.cut();
    await quiet();
    const count = ({ node }: FleetNode) =>
      node
        .gauges()
        .clusterSessions.filter((each) => each.count > 0)
        .map((each) => `${each.state} ${String(each.persistent)} ${String(each.count)}`);
    // What a node has is known to the others when it has looked at itself.
    expect(count(b)).toEqual([]);
    expect(count(a)).toEqual(['connected false 1', 'disconnected true 1']);
    await b.bus.close();
    expect(count(a)).toEqual(['connected false 1']);
  });

  it('show what waits for other nodes until Redis has it, or refuses it', async () => {
    const receiver = await b.connected('receiver');
    await receiver.subscribe('t');
    const publisher = await a.connected('publisher');
    const backlog = () => a.node.gauges().clusterBacklog;
    let store = () => {};
    const sendDurable = a.bus.sendDurable.bind(a.bus);
    a.bus.sendDurable = (...sent) =>
      new Promise<void>((resolve) => (store = resolve)).then(() => sendDurable(...sent));
    publisher.publish('t', 'x', { qos: 1 });
    await quiet();
    expect(backlog()).toEqual({ alive: 1, draining: 0, left: 0 });
    await b.bus.setState('draining');
    expect(backlog()).toEqual({ alive: 0, draining: 1, left: 0 });
    store();
    await publisher.next('puback');
    expect(backlog()).toEqual({ alive: 0, draining: 0, left: 0 });
  });
});

describe('messages', () => {
  it('reach subscribers of other nodes after SUBACK, in order', async () => {
    const receiver = await b.connected('receiver');
    await receiver.subscribe('t');
    const publisher = await a.connected('publisher');
    for (const text of ['1', '2', '3']) expect(await acknowledged(publisher, text)).toBe(0);
    publisher.publish('t', 'live');
    await quiet();
    expect(receiver.takeTexts()).toEqual(['1', '2', '3', 'live']);
    receiver.write({ kind: 'unsubscribe', packetId: 77, filters: ['t'] });
    await receiver.next('unsuback');
    await quiet();
    expect(await acknowledged(publisher, 'nobody')).toBe(0);
    expect(a.drops.get('no_subscribers')).toBe(1);
  });

  it('are not acknowledged before the other node’s inbox has them [MQTT-4.3.2-4]', async () => {
    const receiver = await b.connected('receiver');
    await receiver.subscribe('t');
    const publisher = await a.connected('publisher');
    const place = fleet.cluster.placeOf(b.bus.self);
    if (place === undefined) throw new Error('b is not there');
    place.isFull = true;
    expect(await acknowledged(publisher, 'lost')).toBe(0x97);
    place.isFull = false;
    b.bus.isPaused = true;
    expect(await acknowledged(publisher, 'kept')).toBe(0);
    b.bus.resume();
    expect(await receiver.nextText()).toBe('kept');
    await quiet();
    expect(place.inbox.size).toBe(0);
  });

  it('wait while it is not known who wants them, in their order; QoS 0 does not', async () => {
    const publisher = await a.connected('publisher');
    const local = await a.connected('local');
    await local.subscribe('t', { qos: 1 });
    a.bus.isCurrent = false;
    publisher.publish('t', '1', { qos: 1 });
    publisher.publish('t', 'live');
    await quiet();
    expect([publisher.take(), local.takeTexts()]).toEqual([[], ['live']]);
    const late = await b.connected('late');
    await late.subscribe('t');
    a.bus.isCurrent = true;
    publisher.publish('t', '2', { qos: 1 });
    await quiet();
    expect(publisher.take()).toEqual([]);
    a.sweepAfter(1000);
    await quiet();
    expect(publisher.take().map(({ kind }) => kind)).toEqual(['puback', 'puback']);
    expect([local.takeTexts(), late.takeTexts()]).toEqual([
      ['1', '2'],
      ['1', '2'],
    ]);
  });

  it('that waited too long are refused and go nowhere', async () => {
    const publisher = await a.connected('publisher');
    const local = await a.connected('local');
    await local.subscribe('t', { qos: 1 });
    a.bus.isCurrent = false;
    publisher.publish('t', 'x', { qos: 1 });
    a.sweepAfter(WIDE_LIMITS.publishDeadlineMs);
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0x97 });
    a.bus.isCurrent = true;
    a.sweepAfter(1000);
    await quiet();
    expect([publisher.take(), local.take()]).toEqual([[], []]);
  });

  it('of QoS 0 count one by one when the node is gone to which they go together', async () => {
    const receiver = await b.connected('receiver');
    await receiver.subscribe('t');
    const publisher = await a.connected('publisher');
    b.bus.isUp = false;
    for (const text of ['1', '2', '3']) publisher.publish('t', text);
    await quiet();
    expect(a.bus.lostLive).toBe(3);
  });

  it('that are no frames are refused and forgotten', async () => {
    await a.bus.sendDurable(b.bus.self, Buffer.from('garbage'));
    a.bus.sendLive('b', Buffer.from('garbage'), 1);
    await quiet();
    expect(b.log.of('cluster-frame-invalid')).toHaveLength(2);
    expect(fleet.cluster.placeOf(b.bus.self)?.inbox.size).toBe(0);
  });
});

describe('a client that moves to another node', () => {
  it('takes its session, its queue and its subscriptions along', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    const publisher = await a.connected('publisher');
    await acknowledged(publisher, 'unacknowledged');
    await before.nextText();
    const after = b.client();
    const connack = await after.connect({ clientId: 'client', ...DURABLE });
    expect(connack).toMatchObject({ sessionPresent: true });
    expect(await before.next('disconnect')).toMatchObject({ reasonCode: 0x8e });
    expect(await after.next('publish')).toMatchObject({ dup: true, packetId: 1 });
    expect(await acknowledged(publisher, 'next')).toBe(0);
    expect(await after.nextText()).toBe('next');
    expect(a.node.admin.status()).toMatchObject({ sessions: 1, subscriptions: 0 });
  });

  it('gets what comes while the cluster is told of it', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    before.cut();
    await quiet();
    const publisher = await b.connected('publisher');
    let goOn = (): void => undefined;
    fleet.cluster.announced = new Promise((resolve) => (goOn = resolve));
    const after = b.client();
    after.write(after.connectPacket({ clientId: 'client', ...DURABLE }));
    await quiet();
    expect(await acknowledged(publisher, 'early')).toBe(0);
    b.sweepAfter(2000);
    goOn();
    expect(await after.next('connack')).toMatchObject({ sessionPresent: true });
    expect(await acknowledged(publisher, 'late')).toBe(0);
    await quiet();
    // Both places were known to the publisher for a while: the message may come from each of them.
    expect([...new Set(after.takeTexts())]).toEqual(['early', 'late']);
  });

  it('is routed to at every moment, for whoever publishes', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    const c = await fleet.join('c');
    const wanting = new Set(['a']);
    const seen: string[] = [];
    const { handler } = c.bus;
    if (handler === undefined) throw new Error('c is not open');
    const apply = handler.routesChanged.bind(handler);
    handler.routesChanged = (node, changes) => {
      apply(node, changes);
      for (const { kind } of changes) {
        if (kind === 'add') wanting.add(node.nodeId);
        else wanting.delete(node.nodeId);
      }
      seen.push([...wanting].join('+'));
    };
    for (const member of [b, a, b]) {
      await member.client().connect({ clientId: 'client', ...DURABLE });
      await quiet();
    }
    expect(seen).toEqual(['a+b', 'b', 'b+a', 'a', 'a+b', 'b']);
  });

  it('gets what comes while neither node has it', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    const local = await b.connected('local');
    const remote = await (await fleet.join('c')).connected('remote');
    const take = fleet.sessions.take.bind(fleet.sessions);
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    fleet.sessions.take = async (request) => {
      if (request.replacesEpoch !== undefined) await held;
      return take(request);
    };
    const after = b.client();
    after.write(after.connectPacket({ clientId: 'client', ...DURABLE }));
    await before.closed();
    await quiet();
    local.publish('t', 'from here', { qos: 1 });
    expect(await acknowledged(remote, 'from there')).toBe(0);
    await quiet();
    goOn();
    expect(await after.next('connack')).toMatchObject({ sessionPresent: true });
    expect(await local.next('puback')).toMatchObject({ reasonCode: 0 });
    await quiet();
    expect(after.takeTexts().sort()).toEqual(['from here', 'from there']);
  });

  it('leaves no route where it was expected and did not come', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    const take = fleet.sessions.take.bind(fleet.sessions);
    fleet.sessions.take = (request) =>
      request.replacesEpoch === undefined
        ? take(request)
        : Promise.reject(new StoreUnavailableError('away'));
    const refused = b.client();
    const connack = await refused.connect({ clientId: 'client', ...DURABLE });
    expect(connack.reasonCode).toBe(0x88);
    await quiet();
    b.sweepAfter(1000);
    await quiet();
    expect(fleet.cluster.placeOf(b.bus.self)?.filters.size).toBe(0);
  });

  it('is let go by an owner that was silent, once it hears of it', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    a.bus.isDeaf = true;
    a.bus.isPaused = true;
    await b.connected('client', DURABLE);
    expect(before.isEnded).toBe(false);
    a.bus.resume();
    expect(await before.next('disconnect')).toMatchObject({ reasonCode: 0x8e });
    await quiet();
    expect(a.node.admin.status()).toMatchObject({ sessions: 0, subscriptions: 0 });
    // A late word of an earlier move does not end a session that has come back since.
    const back = await a.connected('client', DURABLE);
    const frame = encodeFrame({ kind: 'taken', clientId: 'client', epoch: 1 });
    await b.bus.sendDurable(a.bus.self, frame);
    await quiet();
    expect(back.isEnded).toBe(false);
  });

  it('is let go by an owner that was thought dead and goes on', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    b.bus.isAlive = ({ nodeId }) => nodeId !== 'a';
    await b.connected('client', DURABLE);
    expect(await before.next('disconnect')).toMatchObject({ reasonCode: 0x8e });
    await quiet();
    expect(a.node.admin.status()).toMatchObject({ sessions: 0, subscriptions: 0 });
    expect(fleet.cluster.placeOf(a.bus.self)?.filters.size).toBe(0);
  });

  it('is taken from an owner that does not answer, whose late messages are passed on', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    a.bus.isDeaf = true;
    const after = await b.connected('client', DURABLE);
    const publisher = await a.connected('publisher');
    // The former owner still has the subscription: it tries, is refused, and hands the message to the new owner.
    expect(await acknowledged(publisher, 'x')).toBe(0);
    expect(await before.next('disconnect')).toMatchObject({ reasonCode: 0x8e });
    await quiet();
    expect(after.takeTexts()).toContain('x');
    expect(a.node.admin.client('client')).toBeUndefined();
  });

  it('gets what is still in the inbox of the node it came from', async () => {
    const before = await a.connected('client', DURABLE);
    await before.subscribe('t');
    a.bus.isPaused = true;
    const publisher = await b.connected('publisher');
    expect(await acknowledged(publisher, 'x')).toBe(0);
    const after = await b.connected('client', DURABLE);
    const bystander = await a.connected('bystander');
    await bystander.subscribe('t');
    a.bus.resume();
    expect(await after.nextText()).toBe('x');
    // Who publishes now knows the new place, so nothing is passed on.
    a.clock.advance(6000);
    b.clock.advance(6000);
    expect(await acknowledged(publisher, 'y')).toBe(0);
    await quiet(40);
    expect(after.takeTexts()).toEqual(['y']);
    expect(bystander.takeTexts()).toContain('y');
    a.sweepAfter(60_000);
    expect(fleet.cluster.placeOf(a.bus.self)?.inbox.size).toBe(0);
  });

  it('gets a message for itself alone, also when it has moved on', async () => {
    const client = await a.connected('client', DURABLE);
    await client.subscribe('t');
    const bystander = await b.connected('bystander');
    await bystander.subscribe('t');
    a.bus.isDeaf = true;
    b.bus.isPaused = true;
    const second = await b.connected('client', DURABLE);
    const publisher = await a.connected('publisher');
    publisher.publish('t', 'x', { qos: 1 });
    await publisher.next('puback');
    b.bus.isDeaf = true;
    a.bus.isDeaf = false;
    b.bus.isDeaf = false;
    const third = await a.connected('client', DURABLE);
    await second.closed();
    b.bus.resume();
    await quiet(40);
    expect(third.takeTexts()).toContain('x');
    expect(bystander.takeTexts().filter((text) => text === 'x')).toEqual(['x']);
  });
});

describe('a node that dies', () => {
  it('leaves its offline sessions and its inbox to a survivor', async () => {
    const client = await b.connected('client', DURABLE);
    await client.subscribe('t');
    client.cut();
    await quiet();
    const publisher = await a.connected('publisher');
    expect(await acknowledged(publisher, 'queued')).toBe(0);
    await quiet();
    b.bus.isPaused = true;
    expect(await acknowledged(publisher, 'in the inbox')).toBe(0);
    b.bus.kill();
    await quiet();
    expect(a.node.admin.client('client')).toMatchObject({
      state: 'disconnected',
      queueMessages: 2,
    });
    expect(await acknowledged(publisher, 'after')).toBe(0);
    const back = await a.connected('client', DURABLE);
    await quiet();
    expect(back.takeTexts()).toEqual(['queued', 'in the inbox', 'after']);
    expect(fleet.cluster.placeOf(b.bus.self)).toBeUndefined();
  });

  it('does not take from a survivor what has come to it meanwhile', async () => {
    for (const clientId of ['one', 'two']) {
      const client = await b.connected(clientId, DURABLE);
      await client.subscribe('t');
    }
    await quiet();
    b.bus.isUp = false;
    const moved = await a.connected('one', DURABLE);
    fleet.sessions.ownedBy = async () => ['one', 'two'];
    b.bus.kill();
    await quiet();
    const publisher = await a.connected('publisher');
    expect(await acknowledged(publisher, 'x')).toBe(0);
    expect(await moved.nextText()).toBe('x');
    expect(moved.isEnded).toBe(false);
    const second = await a.connected('two', DURABLE);
    expect(await second.nextText()).toBe('x');
  });

  it('leaves its inbox to its next life but one, when the next one has died with the session', async () => {
    const client = await b.connected('client', DURABLE);
    await client.subscribe('t');
    const publisher = await a.connected('publisher');
    b.bus.isPaused = true;
    expect(await acknowledged(publisher, 'x')).toBe(0);
    a.bus.claimDead = () => Promise.resolve(false);
    b.bus.kill();
    const next = fleet.cluster.bus('b');
    await next.open(new RecordingClusterHandler());
    const take = fleet.sessions.take.bind(fleet.sessions);
    const epoch = (await fleet.sessions.load('client'))?.epoch ?? 0;
    await take({
      ...{ clientId: 'client', node: next.self, cleanStart: false, connected: false },
      nowMs: b.clock.now(),
      ...{ durable: true, expiryIntervalSeconds: 3600, replacesEpoch: epoch },
    });
    next.kill();
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    fleet.sessions.take = async (request) => {
      if (request.replacesEpoch !== undefined) await held;
      return await take(request);
    };
    fleet.sessions.ownedBy = async () => ['client'];
    const last = await fleet.join('b');
    await quiet(40);
    goOn();
    await quiet(40);
    const back = await last.connected('client', DURABLE);
    expect(await back.nextText()).toBe('x');
  });

  it('is found by a cluster that was down as a whole', async () => {
    const client = await b.connected('client', DURABLE);
    await client.subscribe('t');
    client.cut();
    await quiet();
    b.bus.isUp = false;
    a.bus.isUp = false;
    const c = await fleet.join('c');
    await quiet();
    expect(c.node.admin.client('client')).toMatchObject({ subscriptionCount: 1 });
  });

  it('ends its connections when its lease is lost', async () => {
    const client = await a.connected('client', DURABLE);
    a.bus.handler?.leaseLost();
    expect(a.leasesLost).toBe(1);
    a.node.abandon();
    await quiet();
    expect(client.isEnded).toBe(true);
  });
});

describe('a node whose lease is in doubt', () => {
  it('takes no session from another node', async () => {
    const before = await a.connected('client', DURABLE);
    const isAlive = b.bus.isAlive.bind(b.bus);
    b.bus.isAlive = (node) => node.nodeId !== 'b' && isAlive(node);
    const refused = b.client();
    expect((await refused.connect({ clientId: 'client', ...DURABLE })).reasonCode).toBe(0x88);
    expect(before.isEnded).toBe(false);
  });
});

describe('a session that another node has taken unnoticed', () => {
  it('is let go when its connection ends', async () => {
    const client = await a.connected('client', DURABLE);
    await client.subscribe('t');
    const { epoch = 0 } = (await fleet.sessions.load('client')) ?? {};
    await fleet.sessions.take({
      ...{ clientId: 'client', node: b.bus.self, cleanStart: false, connected: true },
      ...{ nowMs: a.clock.now(), durable: true, expiryIntervalSeconds: 3600 },
      replacesEpoch: epoch,
    });
    client.cut();
    await quiet();
    expect(a.node.admin.status()).toMatchObject({ sessions: 0, subscriptions: 0 });
  });
});
