import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import { LocalExclusiveStore } from '#libs/store-local';
import {
  DURABLE,
  fakeClock,
  MemoryFleet,
  quiet,
  type FakeClock,
  type FleetNode,
  type MemoryClient,
} from '#libs/testkit';

const FILTER = '$exclusive/a/+';
const HELD = 0x97;

let clock: FakeClock;
let fleet: MemoryFleet;
let exclusive: LocalExclusiveStore;
let a: FleetNode;
let b: FleetNode;

beforeEach(async () => {
  clock = fakeClock();
  fleet = new MemoryFleet(clock);
  exclusive = new LocalExclusiveStore();
  a = await fleet.join('node-a', { exclusive });
  b = await fleet.join('node-b', { exclusive });
});

/** Every connection comes at a time of its own, so that two sessions of one client differ. */
async function later(): Promise<void> {
  await quiet();
  clock.advance(10);
}

async function unsubscribe(client: MemoryClient, filter: string): Promise<number | undefined> {
  client.write({ kind: 'unsubscribe', packetId: 99, filters: [filter] });
  return (await client.next('unsuback')).reasonCodes[0];
}

describe('an exclusive subscription', () => {
  it('is one client’s, on whichever node the others are', async () => {
    const [first, second, third] = [
      await a.connected('first'),
      await a.connected('second'),
      await b.connected('third'),
    ];
    expect(await first.subscribe(FILTER)).toBe(1);
    expect(await second.subscribe(FILTER)).toBe(HELD);
    expect(await third.subscribe(FILTER)).toBe(HELD);
    expect(await first.subscribe(FILTER, { qos: 2 })).toBe(2);
    expect(await third.subscribe('$exclusive/a/#')).toBe(1);
    expect(await third.subscribe('a/+')).toBe(1);
  });

  it('gets messages under their own topics, from every node', async () => {
    const client = await a.connected('client');
    await client.subscribe(FILTER, { qos: 1, identifier: 7 });
    const publisher = await b.connected('publisher');
    publisher.publish('a/b', 'x', { qos: 1 });
    expect(await client.next('publish')).toMatchObject({
      topic: 'a/b',
      properties: { subscriptionIdentifiers: [7] },
    });
    publisher.publish('$exclusive/a/b', 'y');
    await quiet();
    expect(client.take()).toEqual([]);
  });

  it('gets retained messages', async () => {
    const client = await a.connected('client');
    client.publish('a/b', 'kept', { retain: true });
    await quiet();
    await client.subscribe(FILTER);
    expect(await client.next('publish')).toMatchObject({ topic: 'a/b', retain: true });
  });

  it('needs the right to its filter, and to nothing else', async () => {
    a.hub.granted = (filter, qos) => (filter === 'a/+' ? qos : undefined);
    const client = await a.connected('client');
    expect(await client.subscribe(FILTER)).toBe(1);
    expect(await client.subscribe('$exclusive/b')).toBe(0x87);
    const other = await b.connected('other');
    expect(await other.subscribe('$exclusive/b')).toBe(1);
  });

  it('is refused with 0x8F where it is switched off, and when it is invalid', async () => {
    const without = await fleet.join('node-c');
    const client = await without.connected('client');
    expect(await client.subscribe(FILTER)).toBe(0x8f);
    const other = await a.connected('other');
    expect(await other.subscribe('$exclusive/')).toBe(0x8f);
    expect(await other.subscribe('$exclusive/$share/g/a')).toBe(0x8f);
  });

  it('is refused when the store does not answer', async () => {
    const client = await a.connected('client');
    exclusive.claim = () => Promise.reject(new StoreUnavailableError('away'));
    expect(await client.subscribe(FILTER)).toBe(0x80);
  });

  it('is listed by its filter and found by its topics', async () => {
    const client = await a.connected('client');
    await client.subscribe(FILTER);
    const query = { limit: 10, matchTopic: 'a/b' };
    expect((await a.node.admin.subscriptions(query)).items).toMatchObject([{ filter: FILTER }]);
  });
});

describe('an exclusive subscription becomes free', () => {
  let first: MemoryClient;
  let second: MemoryClient;

  beforeEach(async () => {
    first = await a.connected('first');
    await first.subscribe(FILTER);
    second = await b.connected('second');
    await second.subscribe(FILTER);
  });

  it('by UNSUBSCRIBE', async () => {
    expect(await second.subscribe(FILTER)).toBe(HELD);
    expect(await unsubscribe(first, FILTER)).toBe(0);
    expect(await second.subscribe(FILTER)).toBe(1);
    expect(await first.subscribe(FILTER)).toBe(HELD);
    expect(await unsubscribe(first, FILTER)).toBe(0x11);
    expect(await first.subscribe(FILTER)).toBe(HELD);
  });

  it('when the session ends with its connection', async () => {
    first.cut();
    await quiet();
    expect(await second.subscribe(FILTER)).toBe(1);
  });

  it('when its node has died and its session was dealt with', async () => {
    a.bus.kill();
    await quiet(30);
    expect(await second.subscribe(FILTER)).toBe(1);
  });

  it('when its client begins anew, here or elsewhere', async () => {
    await later();
    await a.connected('first');
    expect(await second.subscribe(FILTER)).toBe(1);
    await later();
    await a.connected('second');
    const third = await a.connected('third');
    expect(await third.subscribe(FILTER)).toBe(1);
  });

  it('when its client begins anew, and its node has died before', async () => {
    a.bus.isUp = false;
    await later();
    const again = await b.connected('first');
    expect(await second.subscribe(FILTER)).toBe(1);
    expect(await again.subscribe(FILTER)).toBe(HELD);
  });

  it('when it could not be released, as soon as somebody asks', async () => {
    exclusive.release = () => Promise.reject(new StoreUnavailableError('away'));
    first.cut();
    await quiet();
    expect(await second.subscribe(FILTER)).toBe(1);
  });
});

describe('the exclusive subscription of a durable session', () => {
  it('stays while the client is away, until the session expires', async () => {
    const properties = { sessionExpiryInterval: 60 };
    const first = await a.connected('first', { cleanStart: false, properties });
    await first.subscribe(FILTER);
    first.cut();
    await quiet();
    const second = await b.connected('second');
    expect(await second.subscribe(FILTER)).toBe(HELD);
    a.sweepAfter(60_000);
    await quiet();
    expect(await second.subscribe(FILTER)).toBe(1);
  });

  it('moves with the session, to the client’s next node and to an heir', async () => {
    const first = await a.connected('first', DURABLE);
    await first.subscribe(FILTER);
    const other = await b.connected('other');
    const moved = await b.connected('first', DURABLE);
    expect(await other.subscribe(FILTER)).toBe(HELD);
    await a.connected('first', DURABLE);
    expect(moved.isEnded).toBe(true);
    a.bus.kill();
    await quiet(30);
    expect(await other.subscribe(FILTER)).toBe(HELD);
    const publisher = await b.connected('publisher');
    publisher.publish('a/b', 'x', { qos: 1 });
    await quiet();
    const back = await b.connected('first', DURABLE);
    expect(await back.nextText()).toBe('x');
    expect(await unsubscribe(back, FILTER)).toBe(0);
    expect(await other.subscribe(FILTER)).toBe(1);
  });

  it('is not kept when it is one subscription too many', async () => {
    const full = await fleet.join('node-c', { exclusive, limits: { subscriptionsMax: 1 } });
    const client = await full.connected('client');
    await client.subscribe('x');
    expect(await client.subscribe(FILTER)).toBe(0x97);
    await quiet();
    const other = await b.connected('other');
    expect(await other.subscribe(FILTER)).toBe(1);
  });
});
