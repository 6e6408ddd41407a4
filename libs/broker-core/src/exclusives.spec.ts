import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import type { ConnectPacket } from '#libs/mqtt-codec';
import { LocalExclusiveStore, LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  fakeClock,
  MemoryCluster,
  MemoryNode,
  quiet,
  type FakeClock,
  type MemoryBus,
  type MemoryClient,
  type MemoryNodeOptions,
} from '#libs/testkit';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };
const FILTER = '$exclusive/a/+';
const HELD = 0x97;

let clock: FakeClock;
let cluster: MemoryCluster;
let sessions: LocalSessionStore;
let retained: LocalRetainedStore;
let exclusive: LocalExclusiveStore;
let a: MemoryNode;
let b: MemoryNode;
let busA: MemoryBus;

beforeEach(async () => {
  clock = fakeClock();
  cluster = new MemoryCluster();
  sessions = new LocalSessionStore({ clock: clock.now });
  retained = new LocalRetainedStore({ clock: clock.now });
  exclusive = new LocalExclusiveStore();
  busA = cluster.bus('node-a');
  a = await started({ bus: busA });
  b = await started({ bus: cluster.bus('node-b') });
});

async function started(options: Partial<MemoryNodeOptions>): Promise<MemoryNode> {
  const memory = new MemoryNode({ sessions, retained, exclusive, clock, ...options });
  await memory.node.start();
  return memory;
}

async function connected(
  memory: MemoryNode,
  clientId: string,
  options: Partial<ConnectPacket> = {},
): Promise<MemoryClient> {
  const client = memory.client();
  await client.connect({ clientId, ...options });
  return client;
}

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
      await connected(a, 'first'),
      await connected(a, 'second'),
      await connected(b, 'third'),
    ];
    expect(await first.subscribe(FILTER)).toBe(1);
    expect(await second.subscribe(FILTER)).toBe(HELD);
    expect(await third.subscribe(FILTER)).toBe(HELD);
    expect(await first.subscribe(FILTER, { qos: 2 })).toBe(2);
    expect(await third.subscribe('$exclusive/a/#')).toBe(1);
    expect(await third.subscribe('a/+')).toBe(1);
  });

  it('gets messages under their own topics, from every node', async () => {
    const client = await connected(a, 'client');
    await client.subscribe(FILTER, { qos: 1, identifier: 7 });
    const publisher = await connected(b, 'publisher');
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
    const client = await connected(a, 'client');
    client.publish('a/b', 'kept', { retain: true });
    await quiet();
    await client.subscribe(FILTER);
    expect(await client.next('publish')).toMatchObject({ topic: 'a/b', retain: true });
  });

  it('needs the right to its filter, and to nothing else', async () => {
    a.hub.granted = (filter, qos) => (filter === 'a/+' ? qos : undefined);
    const client = await connected(a, 'client');
    expect(await client.subscribe(FILTER)).toBe(1);
    expect(await client.subscribe('$exclusive/b')).toBe(0x87);
    const other = await connected(b, 'other');
    expect(await other.subscribe('$exclusive/b')).toBe(1);
  });

  it('is refused with 0x8F where it is switched off, and when it is invalid', async () => {
    const memory = new MemoryNode({ sessions, retained });
    const client = await connected(memory, 'client');
    expect(await client.subscribe(FILTER)).toBe(0x8f);
    const other = await connected(a, 'other');
    expect(await other.subscribe('$exclusive/')).toBe(0x8f);
    expect(await other.subscribe('$exclusive/$share/g/a')).toBe(0x8f);
  });

  it('is refused when the store does not answer', async () => {
    const client = await connected(a, 'client');
    exclusive.claim = () => Promise.reject(new StoreUnavailableError('away'));
    expect(await client.subscribe(FILTER)).toBe(0x80);
  });

  it('is listed by its filter and found by its topics', async () => {
    const client = await connected(a, 'client');
    await client.subscribe(FILTER);
    const query = { limit: 10, matchTopic: 'a/b' };
    expect(a.node.admin.subscriptions(query).items).toMatchObject([{ filter: FILTER }]);
  });
});

describe('an exclusive subscription becomes free', () => {
  let first: MemoryClient;
  let second: MemoryClient;

  beforeEach(async () => {
    first = await connected(a, 'first');
    await first.subscribe(FILTER);
    second = await connected(b, 'second');
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
    busA.kill();
    await quiet(30);
    expect(await second.subscribe(FILTER)).toBe(1);
  });

  it('when its client begins anew, here or elsewhere', async () => {
    await later();
    await connected(a, 'first');
    expect(await second.subscribe(FILTER)).toBe(1);
    await later();
    await connected(a, 'second');
    const third = await connected(a, 'third');
    expect(await third.subscribe(FILTER)).toBe(1);
  });

  it('when its client begins anew, and its node has died before', async () => {
    busA.isUp = false;
    await later();
    const again = await connected(b, 'first');
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
    const first = await connected(a, 'first', { cleanStart: false, properties });
    await first.subscribe(FILTER);
    first.cut();
    await quiet();
    const second = await connected(b, 'second');
    expect(await second.subscribe(FILTER)).toBe(HELD);
    a.sweepAfter(60_000);
    await quiet();
    expect(await second.subscribe(FILTER)).toBe(1);
  });

  it('moves with the session, to the client’s next node and to an heir', async () => {
    const first = await connected(a, 'first', DURABLE);
    await first.subscribe(FILTER);
    const other = await connected(b, 'other');
    const moved = await connected(b, 'first', DURABLE);
    expect(await other.subscribe(FILTER)).toBe(HELD);
    await connected(a, 'first', DURABLE);
    expect(moved.isEnded).toBe(true);
    busA.kill();
    await quiet(30);
    expect(await other.subscribe(FILTER)).toBe(HELD);
    const publisher = await connected(b, 'publisher');
    publisher.publish('a/b', 'x', { qos: 1 });
    await quiet();
    const back = await connected(b, 'first', DURABLE);
    expect(await back.nextText()).toBe('x');
    expect(await unsubscribe(back, FILTER)).toBe(0);
    expect(await other.subscribe(FILTER)).toBe(1);
  });

  it('is not kept when it is one subscription too many', async () => {
    const full = await started({ bus: cluster.bus('node-c'), limits: { subscriptionsMax: 1 } });
    const client = await connected(full, 'client');
    await client.subscribe('x');
    expect(await client.subscribe(FILTER)).toBe(0x97);
    await quiet();
    const other = await connected(b, 'other');
    expect(await other.subscribe(FILTER)).toBe(1);
  });
});
