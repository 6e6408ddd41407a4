import { describe, expect, it } from '@jest/globals';
import { StoreUnavailableError, type DelayedStore } from '#libs/broker-ports';
import { LocalDelayedStore, LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  fakeClock,
  MemoryCluster,
  MemoryNode,
  quiet,
  type FakeClock,
  type MemoryClient,
  type MemoryNodeOptions,
} from '#libs/testkit';

const BOUNDS = { secondsMax: 100, messagesMax: 10, bytesMax: 100_000 };
const LEASE_MS = 30_000;

interface World {
  readonly clock: FakeClock;
  readonly store: DelayedStore;
  readonly node: (options?: Partial<MemoryNodeOptions>) => MemoryNode;
}

/** Nodes over the same stores and the same clock. */
function world(bounds: Partial<typeof BOUNDS> = {}): World {
  const clock = fakeClock();
  const sessions = new LocalSessionStore({ clock: clock.now });
  const retained = new LocalRetainedStore({ clock: clock.now });
  const store = new LocalDelayedStore({ clock: clock.now });
  const delayed = { ...BOUNDS, ...bounds, store };
  const node = (options: Partial<MemoryNodeOptions> = {}): MemoryNode =>
    new MemoryNode({ sessions, retained, delayed, clock, ...options });
  return { clock, store, node };
}

async function subscribed(
  memory: MemoryNode,
  ...filters: readonly string[]
): Promise<MemoryClient> {
  const client = await memory.connected('subscriber');
  for (const filter of filters) await client.subscribe(filter, { qos: 2 });
  return client;
}

async function pass(memory: MemoryNode, ms: number): Promise<void> {
  memory.sweepAfter(ms);
  await quiet();
}

describe('a message to $delayed/{seconds}/{topic}', () => {
  it('is published to the topic when its time has come, once', async () => {
    const memory = world().node();
    const subscriber = await subscribed(memory, 'a/#', '$delayed/#');
    const publisher = await memory.connected('publisher');
    publisher.publish('$delayed/5/a/b', 'x', { qos: 1, properties: { contentType: 'text' } });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });
    await pass(memory, 4_999);
    expect(subscriber.take()).toEqual([]);
    await pass(memory, 1);
    expect(await subscriber.next('publish')).toMatchObject({
      topic: 'a/b',
      qos: 1,
      retain: false,
      properties: { contentType: 'text' },
    });
    await pass(memory, 2 * LEASE_MS);
    expect(subscriber.take()).toEqual([]);
    expect(memory.node.admin.status().messagesReceived).toBe(1);
  });

  it.each([0, 1, 2] as const)('keeps its QoS %d', async (qos) => {
    const memory = world().node();
    const subscriber = await subscribed(memory, 'a');
    const publisher = await memory.connected('publisher');
    publisher.publish('$delayed/1/a', 'x', { qos });
    await quiet();
    await pass(memory, 1_000);
    expect(await subscriber.next('publish')).toMatchObject({ qos });
  });

  it('is retained when it is published, not before', async () => {
    const memory = world().node();
    const publisher = await memory.connected('publisher');
    publisher.publish('$delayed/5/a', 'x', { qos: 1, retain: true });
    await publisher.next('puback');
    const subscriber = await subscribed(memory, 'a');
    expect(subscriber.take()).toEqual([]);
    await pass(memory, 5_000);
    expect(await subscriber.next('publish')).toMatchObject({ retain: false });
    expect(memory.node.admin.status().retainedMessages).toBe(1);
  });

  it('expires so long after it was published, however long it was delayed', async () => {
    const { clock, node } = world();
    const memory = node();
    const durable = memory.client();
    const session = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };
    await durable.connect({ clientId: 'durable', ...session });
    await durable.subscribe('a');
    durable.cut();
    const publisher = await memory.connected('publisher');
    const properties = { messageExpiryInterval: 10 };
    publisher.publish('$delayed/50/a', 'late', { qos: 1, properties });
    publisher.publish('$delayed/60/a', 'later', { qos: 1, properties });
    await quiet();
    await pass(memory, 50_000);
    await pass(memory, 10_000);
    clock.advance(5_000);
    const again = memory.client();
    await again.connect({ clientId: 'durable', ...session });
    await quiet();
    expect(again.takeTexts()).toEqual(['later']);
  });

  it('keeps the order of messages with one delay', async () => {
    const memory = world({ messagesMax: 5000 }).node();
    const subscriber = await subscribed(memory, 'a');
    const publisher = await memory.connected('publisher');
    const texts = Array.from({ length: 1200 }, (_, index) => String(index));
    for (const text of texts) publisher.publish('$delayed/5/a', text);
    await quiet();
    memory.sweepAfter(5_000);
    await quiet(100);
    expect(subscriber.takeTexts()).toEqual(texts);
  });

  it('does not come back to its publisher that wants no messages of its own', async () => {
    const memory = world().node();
    const publisher = await memory.connected('publisher');
    await publisher.subscribe('a', { noLocal: true });
    publisher.publish('$delayed/1/a', 'x', { qos: 1 });
    await publisher.next('puback');
    await pass(memory, 1_000);
    expect(publisher.take()).toEqual([]);
  });

  it('may come from the bridge and from an administrator', async () => {
    const memory = world().node();
    const subscriber = await subscribed(memory, 'a');
    const message = { topic: '$delayed/1/a', payload: Buffer.from('x'), qos: 1, retain: false };
    await new Promise<void>((done) => {
      memory.node.inject({ ...message, qos: 1 }, () => done());
    });
    expect(await memory.node.admin.publish({ ...message, qos: 1 })).toMatchObject({
      kind: 'taken',
    });
    await pass(memory, 1_000);
    expect(subscriber.takeTexts()).toEqual(['x', 'x']);
  });
});

describe('a publisher', () => {
  it('gets its acknowledgement when the message is stored', async () => {
    const { store, node } = world();
    let stored = (): void => undefined;
    const add = store.add.bind(store);
    store.add = async (...parameters) => {
      await new Promise<void>((resolve) => (stored = resolve));
      return add(...parameters);
    };
    const publisher = await node().connected('publisher');
    publisher.publish('$delayed/5/a', 'x', { qos: 1 });
    publisher.publish('$delayed/5/a', 'y', { qos: 2 });
    await quiet();
    expect(publisher.take()).toEqual([]);
    stored();
    await quiet();
    expect(publisher.takeTexts().toSorted()).toEqual(['puback', 'pubrec']);
  });

  it('is told 0x97 when the store does not answer', async () => {
    const { store, node } = world();
    store.add = () => Promise.reject(new StoreUnavailableError('away'));
    const publisher = await node().connected('publisher');
    publisher.publish('$delayed/5/a', 'x', { qos: 1 });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0x97 });
  });

  it('is told 0x97 when there is no room, and that is counted', async () => {
    const memory = world({ messagesMax: 1 }).node();
    const publisher = await memory.connected('publisher');
    publisher.publish('$delayed/5/a', 'x', { qos: 1 });
    publisher.publish('$delayed/5/a', 'y', { qos: 1 });
    publisher.publish('$delayed/5/a', 'z');
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0x97 });
    await quiet();
    expect(memory.counts.get('delayed')).toBe(3);
  });

  it.each(['$delayed/x/a', '$delayed/101/a', '$delayed/5'])(
    'is told 0x90 for %j',
    async (topic) => {
      const publisher = await world().node().connected('publisher');
      publisher.publish(topic, 'x', { qos: 1 });
      expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0x90 });
    },
  );

  it('is told 0x90 when delayed publish is switched off; QoS 0 is dropped', async () => {
    const { now } = fakeClock();
    const memory = new MemoryNode({
      sessions: new LocalSessionStore({ clock: now }),
      retained: new LocalRetainedStore({ clock: now }),
    });
    const publisher = await memory.connected('publisher');
    publisher.publish('$delayed/5/a', 'x');
    publisher.publish('$delayed/5/a', 'x', { qos: 1 });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0x90 });
    expect(publisher.isEnded).toBe(false);
  });

  it('must be allowed to publish to the topic, not to the delayed one', async () => {
    const memory = world().node();
    memory.hub.mayPublish = ({ topic }) => topic === 'mine';
    const publisher = await memory.connected('publisher');
    publisher.publish('$delayed/5/mine', 'x', { qos: 1 });
    publisher.publish('$delayed/5/yours', 'x', { qos: 1 });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0x87 });
  });
});

describe('a delayed message of QoS 2', () => {
  const session = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };

  it('is published once when its publisher has to send it again, before it is due or after', async () => {
    for (const isDueBefore of [true, false]) {
      const { node, store } = world();
      const memory = node();
      const subscriber = await subscribed(memory, 'a');
      const publisher = memory.client(4);
      await publisher.connect({ clientId: 'publisher', cleanStart: false });
      const { writer } = memory.node;
      const add = writer.add.bind(writer);
      // What would mark it as taken gets lost with PUBREC.
      writer.add = (operation, done) => {
        if (operation.kind !== 'receive') add(operation, done);
      };
      publisher.publish('$delayed/5/a', 'x', { qos: 2, packetId: 7 });
      await publisher.next('pubrec');
      publisher.cut();
      if (isDueBefore) await pass(memory, 5_000);
      const other = node();
      const back = other.client(4);
      await back.connect({ clientId: 'publisher', cleanStart: false });
      back.publish('$delayed/5/a', 'x', { qos: 2, packetId: 7, dup: true });
      await back.next('pubrec');
      expect(store.size().messages).toBe(isDueBefore ? 0 : 1);
      await pass(memory, 60_000);
      expect(subscriber.takeTexts()).toEqual(['x']);
    }
  });

  it('is delivered once although it comes again, to sessions of each kind', async () => {
    const { store, node } = world();
    const memory = node();
    const subscribers = [await subscribed(memory, 'a'), memory.client()];
    await subscribers[1]?.connect({ clientId: 'durable', ...session });
    await subscribers[1]?.subscribe('a', { qos: 2 });
    const publisher = await memory.connected('publisher');
    publisher.publish('$delayed/5/a', 'x', { qos: 2 });
    await publisher.next('pubrec');
    const settle = store.settle.bind(store);
    store.settle = () => Promise.reject(new StoreUnavailableError('away'));
    await pass(memory, 5_000);
    store.settle = settle;
    await pass(memory, LEASE_MS);
    expect(memory.counts.get('delayed')).toBe(3);
    expect(subscribers.map((subscriber) => subscriber.takeTexts())).toEqual([['x'], ['x']]);
    expect(store.size().messages).toBe(0);
  });
});

describe('a delayed message of QoS 0', () => {
  it('is forgotten before it is published', async () => {
    const { store, node } = world();
    const memory = node();
    const subscriber = await subscribed(memory, 'a');
    const publisher = await memory.connected('publisher');
    publisher.publish('$delayed/5/a', 'x');
    await quiet();
    const settle = store.settle.bind(store);
    store.settle = () => Promise.reject(new StoreUnavailableError('away'));
    await pass(memory, 5_000);
    expect(subscriber.take()).toEqual([]);
    store.settle = settle;
    await pass(memory, LEASE_MS);
    expect(subscriber.takeTexts()).toEqual(['x']);
    await pass(memory, LEASE_MS);
    expect(subscriber.take()).toEqual([]);
  });
});

describe('a message that is due', () => {
  it('is published by another node when the one that took it is gone', async () => {
    const { node } = world();
    const cluster = new MemoryCluster();
    const [busA, busB] = [cluster.bus('node-a'), cluster.bus('node-b')];
    const [a, b] = [node({ bus: busA }), node({ bus: busB })];
    await a.node.start();
    await b.node.start();
    const subscriber = await subscribed(b, 'a');
    const publisher = await a.connected('publisher');
    publisher.publish('$delayed/5/a', 'x', { qos: 1 });
    await publisher.next('puback');
    busA.kill();
    await pass(b, 5_000);
    expect(subscriber.takeTexts()).toEqual(['x']);
  });

  it('is published once by several nodes', async () => {
    const { node } = world();
    const cluster = new MemoryCluster();
    const nodes = ['node-a', 'node-b', 'node-c'].map((id) => node({ bus: cluster.bus(id) }));
    for (const memory of nodes) await memory.node.start();
    const [first] = nodes;
    if (first === undefined) throw new Error('no node');
    const subscriber = await subscribed(first, 'a');
    const publisher = await first.connected('publisher');
    for (const text of ['1', '2', '3', '4', '5']) {
      publisher.publish('$delayed/5/a', text, { qos: 1 });
    }
    await quiet();
    first.clock.advance(5_000);
    for (const memory of nodes) memory.node.sweep();
    await quiet();
    for (const memory of nodes) memory.node.sweep();
    await quiet();
    expect(subscriber.takeTexts().toSorted()).toEqual(['1', '2', '3', '4', '5']);
  });

  it('waits while the lease of its node is in doubt', async () => {
    const { node } = world();
    const bus = new MemoryCluster().bus('node-a');
    const memory = node({ bus });
    await memory.node.start();
    const subscriber = await subscribed(memory, 'a');
    const publisher = await memory.connected('publisher');
    publisher.publish('$delayed/5/a', 'x', { qos: 1 });
    await publisher.next('puback');
    bus.isUp = false;
    await pass(memory, 5_000);
    expect(subscriber.take()).toEqual([]);
    bus.isUp = true;
    await pass(memory, 1_000);
    expect(subscriber.takeTexts()).toEqual(['x']);
  });

  it('comes again when its obligations could not be met, and when its node died at it', async () => {
    const { store, node } = world();
    const memory = node();
    const publisher = await memory.connected('publisher');
    const subscriber = memory.client();
    const session = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };
    await subscriber.connect({ clientId: 'durable', ...session });
    await subscriber.subscribe('a');
    publisher.publish('$delayed/5/a', 'x', { qos: 1 });
    await publisher.next('puback');
    const { writer } = memory.node;
    const add = writer.add.bind(writer);
    writer.add = (_operation, done) => done?.('failed');
    await pass(memory, 5_000);
    expect(subscriber.take()).toEqual([]);
    writer.add = add;
    store.settle = () => Promise.reject(new StoreUnavailableError('away'));
    await pass(memory, LEASE_MS);
    expect(subscriber.takeTexts()).toEqual(['x']);
    await pass(memory, LEASE_MS);
    expect(subscriber.takeTexts()).toEqual(['x']);
  });
});
