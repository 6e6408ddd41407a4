import { describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import type { Will } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  DURABLE,
  fakeClock,
  MemoryNode,
  publishPacket,
  quiet,
  type MemoryClient,
  type MemoryNodeOptions,
} from '#libs/testkit';

const clock = (): number => 0;

function nodeWith(options: Partial<MemoryNodeOptions> = {}): MemoryNode {
  return new MemoryNode({
    sessions: new LocalSessionStore({ clock }),
    retained: new LocalRetainedStore({ clock }),
    ...options,
  });
}

/** A store that refuses what it is told to. */
class FailingStore extends LocalSessionStore {
  fails = false;
  /** Whether only reads fail. */
  isUnread = false;
  /** Awaited by every write that appends to a queue. */
  gate: Promise<void> = Promise.resolve();

  constructor() {
    super({ clock });
  }

  override async take(...request: Parameters<LocalSessionStore['take']>) {
    if (this.fails) throw new StoreUnavailableError('away');
    return await super.take(...request);
  }

  override async load(clientId: string) {
    if (this.fails || this.isUnread) throw new StoreUnavailableError('away');
    return await super.load(clientId);
  }

  override async write(operations: Parameters<LocalSessionStore['write']>[0]) {
    if (operations.some(({ kind }) => kind === 'append')) await this.gate;
    if (this.fails) throw new StoreUnavailableError('away');
    return await super.write(operations);
  }
}

describe('order', () => {
  it('of one publisher is kept, whatever is retained [MQTT-4.6.0-5]', async () => {
    const memory = nodeWith();
    const receiver = await memory.connected('receiver');
    await receiver.subscribe('t');
    const durable = await memory.connected('durable', DURABLE);
    await durable.subscribe('t');
    const publisher = await memory.connected('publisher');
    const texts = Array.from({ length: 40 }, (_, index) => String(index));
    const packets = texts.map((text, index) =>
      publishPacket('t', text, { qos: 1, packetId: index + 1, retain: index % 3 === 0 }),
    );
    publisher.write(...packets);
    await quiet();
    expect(receiver.takeTexts()).toEqual(texts);
    expect(durable.takeTexts()).toEqual(texts);
    expect(publisher.take().map((packet) => 'packetId' in packet && packet.packetId)).toEqual(
      packets.map(({ packetId }) => packetId),
    );
  });
});

describe('QoS 2', () => {
  it('is delivered once across reconnects of the publisher and of the receiver', async () => {
    const memory = nodeWith();
    let receiver = await memory.connected('receiver', DURABLE);
    await receiver.subscribe('t', { qos: 2 });
    let publisher = await memory.connected('publisher', DURABLE);
    publisher.publish('t', 'x', { qos: 2, packetId: 7 });
    await publisher.next('pubrec');
    publisher.cut();
    publisher = await memory.connected('publisher', DURABLE);
    publisher.publish('t', 'x', { qos: 2, packetId: 7, dup: true });
    await publisher.next('pubrec');
    publisher.write({ kind: 'pubrel', packetId: 7, reasonCode: 0 });
    expect(await publisher.next('pubcomp')).toMatchObject({ packetId: 7, reasonCode: 0 });

    const first = await receiver.next('publish');
    receiver.cut();
    receiver = await memory.connected('receiver', DURABLE);
    const again = await receiver.next('publish');
    expect(again).toMatchObject({ packetId: first.packetId, dup: true, qos: 2 });
    receiver.write({ kind: 'pubrec', packetId: again.packetId, reasonCode: 0 });
    await receiver.next('pubrel');
    receiver.cut();
    receiver = await memory.connected('receiver', DURABLE);
    expect(await receiver.next('pubrel')).toMatchObject({ packetId: again.packetId });
    receiver.write({ kind: 'pubcomp', packetId: again.packetId, reasonCode: 0 });
    await quiet();
    expect(receiver.take()).toEqual([]);
    expect(memory.node.admin.client('receiver')).toMatchObject({ queueMessages: 0 });
  });

  it('is taken once when the publisher comes back before its message is stored', async () => {
    const store = new FailingStore();
    const memory = nodeWith({ sessions: store });
    const receiver = await memory.connected('receiver', DURABLE);
    await receiver.subscribe('t', { qos: 2 });
    let publisher = await memory.connected('publisher', DURABLE);
    let goOn = (): void => undefined;
    store.gate = new Promise((resolve) => (goOn = resolve));
    publisher.publish('t', 'x', { qos: 2, packetId: 7 });
    await quiet();
    publisher.cut();
    publisher = memory.client();
    publisher.write(
      publisher.connectPacket({ ...DURABLE, clientId: 'publisher' }),
      publishPacket('t', 'x', { qos: 2, packetId: 7, dup: true }),
    );
    await quiet();
    goOn();
    await quiet();
    expect(publisher.takeTexts()).toEqual(['connack', 'pubrec']);
    expect(receiver.takeTexts()).toEqual(['x']);
  });
});

describe('a store that does not answer', () => {
  it('ends a connection with a reason that DISCONNECT may have [MQTT-3.14.2-1]', async () => {
    const store = new FailingStore();
    const publisher = await nodeWith({ sessions: store }).connected('publisher', DURABLE);
    store.fails = true;
    publisher.publish('t', 'x', { qos: 2, packetId: 7 });
    expect(await publisher.next('disconnect')).toMatchObject({ reasonCode: 0x89 });
  });

  it.each([4, 5] as const)(
    'has no QoS 2 message delivered twice whose packet id it did not take (MQTT %s)',
    async (version) => {
      const store = new FailingStore();
      const memory = nodeWith({ sessions: store });
      const receiver = await memory.connected('receiver');
      await receiver.subscribe('t');
      const options = {
        clientId: 'publisher',
        cleanStart: false,
        ...(version === 5 && { properties: DURABLE.properties }),
      };
      let publisher = memory.client(version);
      await publisher.connect(options);
      store.fails = true;
      publisher.publish('t', 'x', { qos: 2, packetId: 7 });
      await publisher.closed();
      // No word of the message, neither that it is taken nor that it is not.
      expect(publisher.take()).toMatchObject(
        version === 5 ? [{ kind: 'disconnect', reasonCode: 0x89 }] : [],
      );
      store.fails = false;
      publisher = memory.client(version);
      expect(await publisher.connect(options)).toMatchObject({ sessionPresent: true });
      publisher.publish('t', 'x', { qos: 2, packetId: 7, dup: true });
      expect(await publisher.next('pubrec')).toMatchObject({ packetId: 7, reasonCode: 0 });
      publisher.write({ kind: 'pubrel', packetId: 7, reasonCode: 0 });
      await publisher.next('pubcomp');
      expect(receiver.takeTexts()).toEqual(['x']);
      publisher.publish('t', 'y', { qos: 2, packetId: 7 });
      await publisher.next('pubrec');
      expect(receiver.takeTexts()).toEqual(['y']);
    },
  );

  it('has no message acknowledged that a durable session did not get [MQTT-4.3.2-4]', async () => {
    const store = new FailingStore();
    const memory = nodeWith({ sessions: store });
    const receiver = await memory.connected('receiver', DURABLE);
    await receiver.subscribe('t');
    receiver.cut();
    const publisher = await memory.connected('publisher');
    const older = memory.client(4);
    await older.connect({ clientId: 'older' });
    await quiet();
    store.fails = true;
    publisher.publish('t', 'x', { qos: 1 });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0x97 });
    publisher.publish('t', 'y', { qos: 2 });
    expect(await publisher.next('pubrec')).toMatchObject({ reasonCode: 0x97 });
    older.publish('t', 'z', { qos: 1 });
    await older.closed();
    expect(older.take()).toEqual([]);
    store.fails = false;
    publisher.publish('t', 'stored', { qos: 1 });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });
    const back = await memory.connected('receiver', DURABLE);
    expect(await back.nextText()).toBe('stored');
  });

  it('has no message acknowledged that could not be retained', async () => {
    class FailingRetained extends LocalRetainedStore {
      override async store(): Promise<void> {
        throw new StoreUnavailableError('away');
      }
    }
    const memory = nodeWith({ retained: new FailingRetained({ clock }) });
    const publisher = await memory.connected('publisher');
    publisher.publish('t', 'x', { qos: 1, retain: true });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0x97 });
  });

  it('refuses a CONNECT, and what is published meanwhile is taken afterwards', async () => {
    const store = new FailingStore();
    const memory = nodeWith({ sessions: store });
    const receiver = await memory.connected('receiver', DURABLE);
    await receiver.subscribe('t');
    receiver.cut();
    await quiet();
    store.fails = true;
    const refused = memory.client();
    expect(await refused.connect({ clientId: 'receiver', ...DURABLE })).toMatchObject({
      reasonCode: 0x88,
    });
    store.fails = false;
    store.isUnread = true;
    const publisher = await memory.connected('publisher');
    publisher.publish('t', 'x', { qos: 1 });
    await quiet();
    // The failed take may have been carried out: the queue waits until the store has said whose it is.
    expect(publisher.take()).toEqual([]);
    store.isUnread = false;
    memory.sweepAfter(1000);
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });
    expect(await (await memory.connected('receiver', DURABLE)).nextText()).toBe('x');
  });

  it('is waited for until the deadline, then the publisher is told', async () => {
    const store = new FailingStore();
    const memory = nodeWith({ sessions: store, limits: { publishDeadlineMs: 1000 } });
    const receiver = await memory.connected('receiver', DURABLE);
    await receiver.subscribe('t', { qos: 2 });
    const publisher = await memory.connected('p');
    const durable = await memory.connected('durable', DURABLE);
    let goOn = (): void => undefined;
    store.gate = new Promise((resolve) => (goOn = resolve));
    publisher.publish('t', 'x', { qos: 2, packetId: 3 });
    durable.publish('t', 'y', { qos: 2, packetId: 3 });
    await quiet();
    memory.sweepAfter(1001);
    expect(await publisher.next('pubrec')).toMatchObject({ packetId: 3, reasonCode: 0x97 });
    expect(await durable.next('disconnect')).toMatchObject({ reasonCode: 0x97 });
    goOn();
    publisher.publish('t', 'z', { qos: 2, packetId: 3 });
    expect(await publisher.next('pubrec')).toMatchObject({ reasonCode: 0 });
    const back = await memory.connected('durable', DURABLE);
    back.publish('t', 'y', { qos: 2, packetId: 3, dup: true });
    expect(await back.next('pubrec')).toMatchObject({ reasonCode: 0 });
    expect(receiver.takeTexts()).toEqual(['x', 'z', 'y']);
  });
});

describe('a session that begins anew', () => {
  it('does not hold up the publishers of the one before', async () => {
    const store = new FailingStore();
    const memory = nodeWith({ sessions: store });
    const receiver = await memory.connected('receiver', DURABLE);
    await receiver.subscribe('t');
    const publisher = await memory.connected('publisher');
    const clean = memory.client();
    clean.write(clean.connectPacket({ ...DURABLE, clientId: 'receiver', cleanStart: true }));
    publisher.publish('t', 'x', { qos: 1 });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });
    expect(await clean.next('connack')).toMatchObject({ sessionPresent: false });
  });
});

describe('a receiver that does not read', () => {
  it('stops nobody else; QoS 0 for it is dropped and counted, the rest waits', async () => {
    const memory = nodeWith({ limits: { socketBufferBytesMax: 100 } });
    const frozen = await memory.connected('frozen');
    await frozen.subscribe('t');
    const other = await memory.connected('other');
    await other.subscribe('t');
    frozen.isFrozen = true;
    const publisher = await memory.connected('publisher');
    for (let index = 0; index < 20; index += 1) {
      publisher.publish('t', `zero ${String(index)}`.padEnd(40, '.'));
      publisher.publish('t', `one ${String(index)}`.padEnd(40, '.'), { qos: 1 });
      await publisher.next('puback');
    }
    await quiet();
    expect(other.take()).toHaveLength(40);
    const before = frozen.takeTexts();
    expect(before.length).toBeLessThan(6);
    expect(memory.drops.get('queue_full')).toBeGreaterThan(10);
    frozen.thaw();
    await quiet(100);
    const texts = [...before, ...frozen.takeTexts()].filter((text) => text.startsWith('one'));
    expect(texts).toHaveLength(20);
    expect(texts).toEqual(texts.toSorted((a, b) => Number(a.slice(4, 6)) - Number(b.slice(4, 6))));
  });

  it('has a bounded queue', async () => {
    const memory = nodeWith({ limits: { queueMessagesMax: 3 } });
    const receiver = await memory.connected('receiver', DURABLE);
    await receiver.subscribe('t');
    receiver.cut();
    const publisher = await memory.connected('publisher');
    for (const text of ['1', '2', '3', '4', '5']) {
      publisher.publish('t', text, { qos: 1 });
      expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });
    }
    expect(memory.drops.get('queue_full')).toBe(2);
    const back = await memory.connected('receiver', DURABLE);
    await quiet();
    expect(back.takeTexts()).toEqual(['1', '2', '3']);
  });

  it('has a queue whose bytes are bounded across the restarts of its node', async () => {
    const options = { sessions: new LocalSessionStore({ clock }), limits: { queueBytesMax: 6 } };
    for (const startedAtMs of [1, 2, 3]) {
      const memory = nodeWith({ ...options, clock: fakeClock(startedAtMs) });
      await memory.node.start();
      if (startedAtMs === 1) {
        const receiver = await memory.connected('receiver', DURABLE);
        await receiver.subscribe('t');
        receiver.cut();
      }
      const publisher = await memory.connected('publisher');
      for (const text of ['a', 'b']) publisher.publish('t', text, { qos: 1 });
      await quiet();
    }
    expect(await options.sessions.load('receiver')).toMatchObject({ queueBytes: 6 });
  });
});

describe('wills', () => {
  const will = (delay = 0): Will => ({
    topic: 'will',
    payload: Buffer.from('gone'),
    qos: 1,
    retain: false,
    properties: { willDelayInterval: delay, contentType: 'text' },
  });

  async function watched(): Promise<{ memory: MemoryNode; watcher: MemoryClient }> {
    const memory = nodeWith();
    const watcher = await memory.connected('watcher');
    await watcher.subscribe('will');
    return { memory, watcher };
  }

  it('are sent when the connection breaks, not after DISCONNECT [MQTT-3.1.2-8]', async () => {
    const { memory, watcher } = await watched();
    (await memory.connected('client', { will: will() })).cut();
    const packet = await watcher.next('publish');
    expect(packet.properties).toEqual({ contentType: 'text' });
    const polite = await memory.connected('client', { will: will() });
    polite.write({ kind: 'disconnect', reasonCode: 0 });
    const asking = await memory.connected('asking', { will: will() });
    asking.write({ kind: 'disconnect', reasonCode: 4 });
    await watcher.next('publish');
    await quiet();
    expect(watcher.take()).toEqual([]);
  });

  it('wait for their delay, and for no longer [MQTT-3.1.3-9]', async () => {
    const { memory, watcher } = await watched();
    (await memory.connected('client', { ...DURABLE, will: will(10) })).cut();
    memory.sweepAfter(9_999);
    await quiet();
    expect(watcher.take()).toEqual([]);
    memory.sweepAfter(1);
    expect(await watcher.nextText()).toBe('gone');
  });

  it('are dropped when the client comes back in time [MQTT-3.1.3-9]', async () => {
    const { memory, watcher } = await watched();
    (await memory.connected('client', { ...DURABLE, will: will(10) })).cut();
    await memory.connected('client', DURABLE);
    memory.sweepAfter(60_000);
    await quiet();
    expect(watcher.take()).toEqual([]);
  });

  it('are sent at once when the session ends before their delay', async () => {
    const { memory, watcher } = await watched();
    (await memory.connected('client', { will: will(10) })).cut();
    expect(await watcher.nextText()).toBe('gone');
    (await memory.connected('client', { ...DURABLE, will: will(10) })).cut();
    await memory.connected('client');
    expect(await watcher.nextText()).toBe('gone');
  });
});

describe('reading that was held', () => {
  it('counts neither as silence nor as waiting', async () => {
    const store = new FailingStore();
    const limits = { receiveMaximum: 2, publishDeadlineMs: 5000 };
    const memory = nodeWith({ sessions: store, limits });
    await (await memory.connected('receiver', DURABLE)).subscribe('t');
    const older = memory.client(4);
    await older.connect({ clientId: 'older', keepAlive: 10 });
    let goOn = (): void => undefined;
    store.gate = new Promise((resolve) => (goOn = resolve));
    const texts = ['1', '2', '3', '4'];
    older.write(
      ...texts.map((text, index) => publishPacket('t', text, { qos: 1, packetId: index + 1 })),
    );
    await quiet();
    memory.clock.advance(20_000);
    goOn();
    store.gate = new Promise((resolve) => (goOn = resolve));
    await quiet();
    memory.node.sweep();
    await quiet();
    expect(older.isEnded).toBe(false);
    goOn();
    await quiet();
    expect(older.takeTexts()).toEqual(['puback', 'puback', 'puback', 'puback']);
  });
});

describe('publishing', () => {
  it('is refused by the hook, and for topics that are too deep', async () => {
    const memory = nodeWith({ limits: { topicLevelsMax: 2 } });
    memory.hub.mayPublish = ({ topic }) => topic !== 'secret';
    const client = await memory.connected('client');
    client.publish('secret', 'x', { qos: 1 });
    expect(await client.next('puback')).toMatchObject({ reasonCode: 0x87 });
    client.publish('a/b/c', 'x', { qos: 1 });
    expect(await client.next('puback')).toMatchObject({ reasonCode: 0x90 });
    client.publish('a/b/c', 'x');
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x90 });
  });

  it('from outside reaches subscribers, and says how many are known', async () => {
    const memory = nodeWith();
    const client = await memory.connected('client');
    await client.subscribe('t');
    const message = { topic: 't', payload: Buffer.from('admin'), qos: 1, retain: false } as const;
    expect(await memory.node.admin.publish(message)).toMatchObject({ kind: 'taken', matched: 1 });
    memory.node.inject({ ...message, payload: Buffer.from('bridge') }, () => undefined);
    expect([await client.nextText(), await client.nextText()]).toEqual(['admin', 'bridge']);
    const results: unknown[] = [];
    memory.node.inject({ ...message, topic: 'a/#' }, (error) => results.push(error));
    expect(results).toStrictEqual([undefined]);
  });
});

describe('the end of a node', () => {
  it('tells its clients and keeps their sessions', async () => {
    const sessions = new LocalSessionStore({ clock });
    const memory = nodeWith({ sessions });
    const client = await memory.connected('client', DURABLE);
    await client.subscribe('t');
    await memory.node.stop();
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x8b });
    expect(client.isEnded).toBe(true);
    const next = nodeWith({ sessions });
    await next.node.start();
    const back = next.client();
    expect(await back.connect({ clientId: 'client', ...DURABLE })).toMatchObject({
      sessionPresent: true,
    });
    expect(next.node.admin.client('client')).toMatchObject({ subscriptionCount: 1 });
  });
});
