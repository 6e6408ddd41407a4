import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError, encodeBatch, type SessionOperation } from '#libs/broker-ports';
import {
  DURABLE,
  MemoryFleet,
  messageOf,
  quiet,
  type FleetNode,
  type MemoryClient,
} from '#libs/testkit';
import { encodeFrame } from './frame.ts';

const TWICE = { qos: 2, packetId: 7 } as const;
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

async function subscribed(
  member: FleetNode,
  clientId: string,
  options = {},
): Promise<MemoryClient> {
  const client = await member.connected(clientId, options);
  await client.subscribe('t', { qos: 2 });
  return client;
}

/** Lets a node's writes be carried out and never answered. */
function muteWrites({ store }: FleetNode, kind: SessionOperation['kind']): void {
  const write = store.write.bind(store);
  store.write = async (operations) => {
    const outcomes = await write(operations);
    if (operations.some((operation) => operation.kind === kind)) await new Promise(() => undefined);
    return outcomes;
  };
}

/** Lets a node's writes of a kind get lost. */
function loseWrites({ store }: FleetNode, lost: SessionOperation['kind']): void {
  const write = store.write.bind(store);
  store.write = (operations) => write(operations.filter(({ kind }) => kind !== lost));
}

async function die({ bus }: FleetNode): Promise<void> {
  bus.kill();
  await quiet(40);
}

describe('a QoS 2 message that its publisher has to send again', () => {
  it('comes once to a member of a shared subscription, and once for each way to it', async () => {
    const member = await b.connected('member', DURABLE);
    await member.subscribe('$share/group/t', { qos: 2 });
    const both = await b.connected('both', DURABLE);
    for (const filter of ['u', '$share/group/u']) await both.subscribe(filter, { qos: 2 });
    const publisher = await a.connected('publisher', DURABLE);
    loseWrites(a, 'receive');
    publisher.publish('t', 'x', TWICE);
    publisher.publish('u', 'y', { qos: 2, packetId: 8 });
    for (let count = 0; count < 2; count += 1) await publisher.next('pubrec');
    await die(a);
    const again = await c.connected('publisher', DURABLE);
    again.publish('t', 'x', { ...TWICE, dup: true });
    await again.next('pubrec');
    await quiet(40);
    expect([member.takeTexts(), both.takeTexts()]).toEqual([['x'], ['y', 'y']]);
  });

  it('is delivered once when its node died after it had gone on its way', async () => {
    const receivers = [
      await subscribed(b, 'durable', DURABLE),
      await subscribed(b, 'in memory'),
      await subscribed(c, 'elsewhere', DURABLE),
    ];
    const publisher = await a.connected('publisher', DURABLE);
    loseWrites(a, 'receive');
    publisher.publish('t', 'x', TWICE);
    await publisher.next('pubrec');
    await die(a);
    const back = await b.connected('publisher', DURABLE);
    back.publish('t', 'x', { ...TWICE, dup: true });
    expect(await back.next('pubrec')).toMatchObject({ packetId: 7, reasonCode: 0 });
    back.publish('t', 'y', { qos: 2, packetId: 8 });
    await quiet(40);
    expect(receivers.map((receiver) => receiver.takeTexts())).toEqual([
      ['x', 'y'],
      ['x', 'y'],
      ['x', 'y'],
    ]);
  });

  it('is delivered when its node died before it had gone on its way', async () => {
    const receiver = await subscribed(b, 'receiver', DURABLE);
    const publisher = await a.connected('publisher', DURABLE);
    muteWrites(a, 'begin');
    publisher.publish('t', 'x', TWICE);
    await quiet();
    await die(a);
    const back = await b.connected('publisher', DURABLE);
    back.publish('t', 'x', { ...TWICE, dup: true });
    expect(await back.next('pubrec')).toMatchObject({ packetId: 7, reasonCode: 0 });
    await quiet();
    expect(receiver.takeTexts()).toEqual(['x']);
  });

  it('reaches those who have not had it, and them alone', async () => {
    const near = await subscribed(a, 'near', DURABLE);
    const far = await subscribed(b, 'far', DURABLE);
    const publisher = await a.connected('publisher', { cleanStart: false, version: 4 });
    const inbox = fleet.cluster.placeOf(b.bus.self);
    if (inbox === undefined) throw new Error('b is not there');
    inbox.isFull = true;
    publisher.publish('t', 'x', TWICE);
    await publisher.closed();
    expect(near.takeTexts()).toEqual(['x']);
    inbox.isFull = false;
    const back = await a.connected('publisher', { cleanStart: false, version: 4 });
    back.publish('t', 'x', { ...TWICE, dup: true });
    expect(await back.next('pubrec')).toMatchObject({ packetId: 7 });
    await quiet();
    expect([near.takeTexts(), far.takeTexts()]).toEqual([[], ['x']]);
  });

  it('is the same message when its refusal reached nobody', async () => {
    const near = await subscribed(a, 'near', DURABLE);
    const far = await subscribed(b, 'far', DURABLE);
    const publisher = await a.connected('publisher', DURABLE);
    const inbox = fleet.cluster.placeOf(b.bus.self);
    if (inbox === undefined) throw new Error('b is not there');
    inbox.isFull = true;
    publisher.publish('t', 'x', TWICE);
    publisher.cut();
    await quiet();
    expect(near.takeTexts()).toEqual(['x']);
    inbox.isFull = false;
    const back = await c.connected('publisher', DURABLE);
    back.publish('t', 'x', { ...TWICE, dup: true });
    expect(await back.next('pubrec')).toMatchObject({ reasonCode: 0 });
    await quiet();
    expect([near.takeTexts(), far.takeTexts()]).toEqual([[], ['x']]);
  });

  it('is released at another node when only its PUBREC was seen', async () => {
    const publisher = await a.connected('publisher', DURABLE);
    loseWrites(a, 'receive');
    publisher.publish('t', 'x', TWICE);
    await publisher.next('pubrec');
    await die(a);
    const back = await b.connected('publisher', DURABLE);
    back.write({ kind: 'pubrel', packetId: 7, reasonCode: 0 });
    expect(await back.next('pubcomp')).toMatchObject({ packetId: 7, reasonCode: 0 });
    expect(await fleet.sessions.load('publisher')).toMatchObject({ receiving: [] });
  });

  it.each([{ dup: false }, { dup: true }])(
    'is another message when it has other content, after one that was refused: $dup',
    async ({ dup }) => {
      const near = await subscribed(a, 'near', DURABLE);
      await subscribed(b, 'far', DURABLE);
      const publisher = await a.connected('publisher', DURABLE);
      const inbox = fleet.cluster.placeOf(b.bus.self);
      if (inbox === undefined) throw new Error('b is not there');
      inbox.isFull = true;
      publisher.publish('t', 'x', TWICE);
      expect(await publisher.next('pubrec')).toMatchObject({ reasonCode: 0x97 });
      inbox.isFull = false;
      // With DUP its first transmission got lost on the way.
      const back = await c.connected('publisher', DURABLE);
      back.publish('t', 'y', { ...TWICE, dup });
      expect(await back.next('pubrec')).toMatchObject({ reasonCode: 0 });
      await quiet();
      expect(near.takeTexts()).toEqual(['x', 'y']);
    },
  );
});

describe('a message in the inbox of a node that died', () => {
  it('is not queued again for a session that had it, and is for one that had not', async () => {
    const receiver = await subscribed(b, 'receiver', DURABLE);
    const other = await subscribed(b, 'other', DURABLE);
    const publisher = await a.connected('publisher');
    const write = b.store.write.bind(b.store);
    b.store.write = async (operations) => {
      await write(operations.filter(({ clientId }) => clientId === 'receiver'));
      return await new Promise(() => undefined);
    };
    publisher.publish('t', 'x', { qos: 2 });
    await publisher.next('pubrec');
    await quiet();
    for (const client of [receiver, other]) client.cut();
    await die(b);
    const texts = [];
    for (const clientId of ['receiver', 'other']) {
      const back = await c.connected(clientId, DURABLE);
      await quiet(40);
      texts.push(back.takeTexts());
    }
    expect(texts).toEqual([['x'], ['x']]);
  });

  it.each([1, 2] as const)('comes once to those who are at its heir (QoS %i)', async (qos) => {
    const gone = await subscribed(b, 'gone', DURABLE);
    const here = [await subscribed(a, 'durable', DURABLE), await subscribed(a, 'in memory')];
    const publisher = await c.connected('publisher');
    b.bus.isPaused = true;
    publisher.publish('t', 'x', { qos });
    await publisher.next(qos === 1 ? 'puback' : 'pubrec');
    await quiet();
    gone.cut();
    await die(b);
    expect(a.log.of('inherit-finished')).toHaveLength(1);
    expect(here.map((receiver) => receiver.takeTexts())).toEqual([['x'], ['x']]);
  });
});

describe('a message that comes by two ways', () => {
  it.each([1, 2] as const)('is delivered once (QoS %i)', async (qos) => {
    const before = await subscribed(b, 'client', DURABLE);
    const publisher = await c.connected('publisher');
    b.bus.isDeaf = true;
    b.bus.isPaused = true;
    const after = await c.connected('client', DURABLE);
    for (const text of ['x', 'y']) publisher.publish('t', text, { qos });
    await quiet();
    before.cut();
    // As in Redis, where a session that was taken stays in its former owner's list.
    a.store.ownedBy = () => Promise.resolve(['client']);
    await die(b);
    expect(a.log.of('inherit-finished')).toHaveLength(1);
    expect(after.takeTexts()).toEqual(['x', 'y']);
  });
});

describe('a session that is taken from a node that does not answer', () => {
  it.each(['t', '+', '#'])('gets first what lies in its inbox (%s)', async (filter) => {
    const before = await b.connected('client', DURABLE);
    await before.subscribe(filter, { qos: 1 });
    const other = await b.connected('other', DURABLE);
    await other.subscribe('other', { qos: 1 });
    const publisher = await c.connected('publisher');
    b.bus.isDeaf = true;
    b.bus.isPaused = true;
    for (const text of ['1', '2']) publisher.publish('t', text, { qos: 1 });
    for (const client of [before, other]) client.cut();
    const after = await c.connected('client', DURABLE);
    const empty = await c.connected('other', DURABLE);
    publisher.publish('t', '3', { qos: 1 });
    await quiet();
    expect([after.takeTexts(), empty.takeTexts()]).toEqual([['1', '2', '3'], []]);
    publisher.publish('t', '4', { qos: 1 });
    a.store.ownedBy = () => Promise.resolve(['client', 'other']);
    await die(b);
    await quiet(40);
    expect([after.takeTexts(), empty.takeTexts()]).toEqual([['4'], []]);
  });

  it('gets from its heir what lies behind 64 MiB of others’ messages', async () => {
    await subscribed(b, 'client', DURABLE);
    const publisher = await c.connected('publisher');
    b.bus.isDeaf = true;
    b.bus.isPaused = true;
    for (const text of ['1', '2']) {
      publisher.publish('t', text, { qos: 1 });
      await quiet();
    }
    const large = messageOf({ topic: 'other', payload: new Uint8Array(1024 * 1024) });
    const frame = encodeFrame({ kind: 'routed', batch: encodeBatch([large]) });
    const peek = c.bus.peekInbox.bind(c.bus);
    let looks = 0;
    c.bus.peekInbox = async (node, after) => {
      looks += 1;
      const { batches, last } = await peek(node, after);
      const between = Array.from({ length: 64 }, () => ({ from: a.bus.self, frame, inbox: node }));
      return { batches: batches.flatMap((batch) => [batch, ...between]), last };
    };
    const after = await c.connected('client', DURABLE);
    publisher.publish('t', '3', { qos: 1 });
    await quiet();
    expect([after.takeTexts(), looks]).toEqual([['1', '3'], 1]);
    a.store.ownedBy = () => Promise.resolve(['client']);
    await die(b);
    expect(after.takeTexts()).toEqual(['2']);
  });

  it('is served from its heir when the inbox cannot be read', async () => {
    await subscribed(b, 'client', DURABLE);
    const publisher = await c.connected('publisher');
    b.bus.isDeaf = true;
    b.bus.isPaused = true;
    publisher.publish('t', '1', { qos: 1 });
    c.bus.peekInbox = () => Promise.reject(new StoreUnavailableError('away'));
    const after = await c.connected('client', DURABLE);
    expect(c.log.of('inbox-unread')).toHaveLength(1);
    a.store.ownedBy = () => Promise.resolve(['client']);
    await die(b);
    expect(await after.nextText()).toBe('1');
  });
});

describe('a session that is inherited', () => {
  it('gets what lay in the dead node’s inbox before what comes directly, each once', async () => {
    const gone = await subscribed(b, 'client', DURABLE);
    const publisher = await a.connected('publisher');
    b.bus.isPaused = true;
    for (const text of ['1', '2']) publisher.publish('t', text, { qos: 1 });
    await quiet();
    gone.cut();
    const drain = a.bus.drainInbox.bind(a.bus);
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    a.bus.drainInbox = async (node) => {
      await held;
      await drain(node);
    };
    await die(b);
    for (const text of ['3', '4']) publisher.publish('t', text, { qos: 1 });
    const back = await a.connected('client', DURABLE);
    await quiet();
    publisher.publish('t', '5', { qos: 1 });
    await quiet();
    expect(back.takeTexts()).toEqual([]);
    goOn();
    await quiet(40);
    expect(back.takeTexts()).toEqual(['1', '2', '3', '4', '5']);
    expect(publisher.take().map(({ kind }) => kind)).toEqual(Array(5).fill('puback'));
  });

  it('may be taken by its client while the inbox is read, and misses nothing', async () => {
    const gone = await subscribed(b, 'client', DURABLE);
    const publisher = await a.connected('publisher');
    b.bus.isPaused = true;
    publisher.publish('t', '1', { qos: 1 });
    await quiet();
    gone.cut();
    const drain = a.bus.drainInbox.bind(a.bus);
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    a.bus.drainInbox = async (node) => {
      await held;
      await drain(node);
    };
    await die(b);
    publisher.publish('t', '2', { qos: 1 });
    const back = await c.connected('client', DURABLE);
    goOn();
    await quiet(60);
    a.sweepAfter(1000);
    await quiet(60);
    expect(back.takeTexts().toSorted()).toEqual(['1', '2']);
  });
});

describe('an exchange of QoS 2', () => {
  it('waits for a store that is away, and goes on with it', async () => {
    const receiver = await subscribed(a, 'receiver', DURABLE);
    const publisher = await a.connected('publisher', DURABLE);
    publisher.publish('t', 'x', TWICE);
    await publisher.next('pubrec');
    const { packetId } = await receiver.next('publish');
    const write = a.store.write.bind(a.store);
    a.store.write = () => Promise.reject(new StoreUnavailableError('away'));
    publisher.write({ kind: 'pubrel', packetId: 7, reasonCode: 0 });
    receiver.write({ kind: 'pubrec', packetId, reasonCode: 0 });
    await quiet();
    a.sweepAfter(1000);
    await quiet();
    expect([publisher.take(), receiver.take()]).toEqual([[], []]);
    a.store.write = write;
    a.sweepAfter(1000);
    expect(await publisher.next('pubcomp')).toMatchObject({ packetId: 7, reasonCode: 0 });
    expect(await receiver.next('pubrel')).toMatchObject({ packetId, reasonCode: 0 });
  });
});

describe('an append whose answer was lost', () => {
  it('is delivered from the store, in its turn and once', async () => {
    const receiver = await subscribed(a, 'receiver', DURABLE);
    const publisher = await a.connected('publisher', { cleanStart: false, version: 4 });
    const write = a.store.write.bind(a.store);
    let left = 1;
    a.store.write = async (operations) => {
      const outcomes = await write(operations);
      if (left > 0 && operations.some(({ kind }) => kind === 'append')) {
        left -= 1;
        throw new Error('reply lost');
      }
      return outcomes;
    };
    publisher.publish('t', 'x', TWICE);
    await publisher.closed();
    const back = await a.connected('publisher', { cleanStart: false, version: 4 });
    back.publish('t', 'x', { ...TWICE, dup: true });
    back.publish('t', 'y', { qos: 2, packetId: 8 });
    await quiet(40);
    expect(back.take().map(({ kind }) => kind)).toEqual(['pubrec', 'pubrec']);
    expect(receiver.takeTexts()).toEqual(['x', 'y']);
  });
});
