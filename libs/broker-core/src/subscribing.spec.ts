import { describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  DURABLE,
  MemoryNode,
  messageOf,
  publishPacket,
  quiet,
  subscriptionRequest,
  until,
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

/** A store with as many messages, under `r/`. */
async function storeWith(count: number): Promise<LocalRetainedStore> {
  const retained = new LocalRetainedStore({ clock });
  const topics = Array.from({ length: count }, (_, at) => `r/${String(at)}`);
  await retained.store(topics.map((topic) => messageOf({ topic, retain: true, qos: 1 })));
  return retained;
}

describe('SUBSCRIBE', () => {
  it('answers each filter in its order [MQTT-3.9.3-1]', async () => {
    const memory = nodeWith({ limits: { topicLevelsMax: 3 } });
    memory.hub.granted = (filter, qos) => (filter === 'secret' ? undefined : qos);
    const client = await memory.connected('client');
    const filters = ['a', 'secret', 'b/#/c', 'a/b/c/d', '$share/g+/a', 'c'];
    const subscriptions = filters.map((filter, index) =>
      subscriptionRequest(filter, { qos: index === 0 ? 2 : 0 }),
    );
    client.write({ kind: 'subscribe', packetId: 5, subscriptions });
    expect(await client.next('suback')).toMatchObject({
      packetId: 5,
      reasonCodes: [2, 0x87, 0x8f, 0x8f, 0x8f, 0],
    });
  });

  it('is granted what the hook lowers it to [MQTT-3.8.4-7]', async () => {
    const memory = nodeWith();
    memory.hub.granted = () => 0;
    const client = await memory.connected('client');
    expect(await client.subscribe('t', { qos: 2 })).toBe(0);
    client.publish('t', 'x', { qos: 2 });
    expect(await client.next('publish')).toMatchObject({ qos: 0 });
  });

  it('has a bound for each session, also within one packet', async () => {
    const client = await nodeWith({ limits: { subscriptionsMax: 2 } }).connected('client');
    const subscriptions = ['a', 'b', 'b', 'c'].map((filter) => subscriptionRequest(filter));
    client.write({ kind: 'subscribe', packetId: 1, subscriptions });
    expect((await client.next('suback')).reasonCodes).toEqual([1, 1, 1, 0x97]);
    expect(await client.subscribe('a')).toBe(1);
    expect(await client.subscribe('d')).toBe(0x97);
  });

  it('with more filters than a session may have costs no more than those', async () => {
    const memory = nodeWith();
    const client = await memory.connected('client');
    const asked: string[] = [];
    memory.hub.granted = (filter, qos) => {
      asked.push(filter);
      return qos;
    };
    const filters = Array.from({ length: 20_000 }, () => 'a');
    const subscriptions = filters.map((filter) => subscriptionRequest(filter));
    client.write({ kind: 'subscribe', packetId: 1, subscriptions });
    const { reasonCodes } = await client.next('suback');
    const { subscriptionsMax } = memory.node.limits;
    expect(asked).toHaveLength(subscriptionsMax);
    expect(reasonCodes).toHaveLength(filters.length);
    expect(reasonCodes.lastIndexOf(1)).toBe(subscriptionsMax - 1);
    expect(reasonCodes.at(-1)).toBe(0x97);
  });

  it('with many filters does not keep others waiting', async () => {
    const memory = nodeWith();
    const [client, other] = [await memory.connected('client'), await memory.connected('other')];
    const filters = Array.from({ length: 1_000 }, (_, at) => `f/${String(at)}`);
    let served = Infinity;
    let asked = 0;
    memory.hub.granted = (filter, qos) => {
      asked += 1;
      if (filter === 'other') served = asked;
      return qos;
    };
    client.write({
      kind: 'subscribe',
      packetId: 1,
      subscriptions: filters.map((filter) => subscriptionRequest(filter)),
    });
    expect(await other.subscribe('other')).toBe(1);
    expect((await client.next('suback')).reasonCodes).toEqual(filters.map(() => 1));
    expect(served).toBeLessThan(filters.length);
  });

  it('replaces an equal filter, also within one packet [MQTT-3.8.4-3]', async () => {
    const memory = nodeWith();
    const client = await memory.connected('client');
    const subscriptions = [2, 0].map((qos) => subscriptionRequest('t', { qos: qos === 2 ? 2 : 0 }));
    client.write({ kind: 'subscribe', packetId: 1, subscriptions });
    await client.next('suback');
    client.publish('t', 'x', { qos: 1 });
    expect(await client.next('publish')).toMatchObject({ qos: 0 });
    await client.next('puback');
    client.write({ kind: 'unsubscribe', packetId: 2, filters: ['t'] });
    await client.next('unsuback');
    expect(memory.node.admin.status().subscriptions).toBe(0);
    client.publish('t', 'y');
    await quiet();
    expect(client.take()).toEqual([]);
  });

  it('and UNSUBSCRIBE of one client take effect in their order', async () => {
    const memory = nodeWith();
    const client = await memory.connected('client');
    client.write(
      { kind: 'subscribe', packetId: 1, subscriptions: [subscriptionRequest('t')] },
      { kind: 'unsubscribe', packetId: 2, filters: ['t'] },
    );
    await quiet();
    const answers = client.take().toSorted((a, b) => (a.kind < b.kind ? -1 : 1));
    expect(answers).toMatchObject([
      { kind: 'suback', reasonCodes: [1] },
      { kind: 'unsuback', reasonCodes: [0] },
    ]);
    expect(memory.node.admin.status().subscriptions).toBe(0);
  });

  it('of a client that leaves at once leaves nothing behind', async () => {
    const memory = nodeWith();
    const client = await memory.connected('client');
    client.write(
      { kind: 'subscribe', packetId: 1, subscriptions: [subscriptionRequest('t')] },
      { kind: 'disconnect', reasonCode: 0 },
    );
    await quiet();
    expect(memory.node.admin.status()).toMatchObject({ sessions: 0, subscriptions: 0 });
  });

  it('is not answered to another connection than asked', async () => {
    const memory = nodeWith();
    const client = memory.client();
    await client.connect(DURABLE);
    let goOn = (): void => undefined;
    memory.announced = new Promise((resolve) => (goOn = resolve));
    client.write({ kind: 'subscribe', packetId: 1, subscriptions: [subscriptionRequest('t')] });
    await quiet();
    client.cut();
    const back = memory.client();
    back.write(back.connectPacket(DURABLE));
    await quiet();
    goOn();
    await quiet();
    expect(back.takeTexts()).toEqual(['connack']);
  });

  it('fails when the others cannot be told, and not for ever', async () => {
    const memory = nodeWith();
    const first = await memory.connected('first');
    await first.subscribe('known');
    const client = await memory.connected('client');
    const failure = Promise.reject(new Error('Redis is away'));
    failure.catch(() => undefined);
    memory.announced = failure;
    expect(await client.subscribe('new')).toBe(0x80);
    memory.announced = Promise.resolve();
    await quiet();
    expect(await client.subscribe('known')).toBe(1);
    expect(await client.subscribe('new')).toBe(1);
  });
});

describe('SUBSCRIBE of one filter twice', () => {
  it('leaves nothing behind when it fails', async () => {
    const memory = nodeWith();
    const client = await memory.connected('client');
    const failure = Promise.reject(new Error('Redis is away'));
    failure.catch(() => undefined);
    memory.announced = failure;
    const subscriptions = [subscriptionRequest('t', { qos: 0 }), subscriptionRequest('t')];
    client.write({ kind: 'subscribe', packetId: 1, subscriptions });
    expect(await client.next('suback')).toMatchObject({ reasonCodes: [0x80, 0x80] });
    client.publish('t', 'x');
    await quiet();
    expect(client.take()).toEqual([]);
    expect(memory.node.admin.client('client')).toMatchObject({ subscriptionCount: 0 });
  });
});

describe('SUBSCRIBE of one filter in two packets', () => {
  it('leaves nothing behind when both fail, and what was there before stays', async () => {
    const sessions = new LocalSessionStore({ clock });
    const memory = nodeWith({ sessions });
    const client = memory.client();
    await client.connect(DURABLE);
    await client.subscribe('before', { identifier: 7 });
    const write = sessions.write.bind(sessions);
    sessions.write = () => Promise.reject(new StoreUnavailableError('away'));
    const subscriptions = ['t', 'before'].map((filter) => subscriptionRequest(filter));
    for (const packetId of [8, 9]) client.write({ kind: 'subscribe', packetId, subscriptions });
    const reasonCodes = [0x80, 0x80];
    expect(await client.next('suback')).toMatchObject({ packetId: 8, reasonCodes });
    expect(await client.next('suback')).toMatchObject({ packetId: 9, reasonCodes });
    sessions.write = write;
    const other = await memory.connected('other');
    other.publish('t', 'nobody wants this');
    other.publish('before', 'x');
    const packet = await client.next('publish');
    expect(packet).toMatchObject({ topic: 'before', properties: { subscriptionIdentifiers: [7] } });
  });
});

describe('UNSUBSCRIBE', () => {
  it('answers each filter and ends the delivery [MQTT-3.11.3-1] [MQTT-3.10.4-1]', async () => {
    const client = await nodeWith().connected('client');
    await client.subscribe('t');
    client.write({ kind: 'unsubscribe', packetId: 9, filters: ['t', 'unknown'] });
    expect(await client.next('unsuback')).toMatchObject({ packetId: 9, reasonCodes: [0, 0x11] });
    client.publish('t', 'x');
    await quiet();
    expect(client.take()).toEqual([]);
  });
});

describe('retained messages', () => {
  it('are served to a new subscription and marked as such [MQTT3-3.3.1-8]', async () => {
    const memory = nodeWith();
    const publisher = await memory.connected('publisher');
    publisher.publish('a/1', 'old', { retain: true });
    publisher.publish('a/1', 'new', { retain: true, qos: 1 });
    publisher.publish('a/2', 'gone', { retain: true });
    publisher.publish('a/2', '', { retain: true, qos: 1 });
    await publisher.next('puback');
    await publisher.next('puback');
    const client = await memory.connected('client');
    await client.subscribe('a/+');
    const packet = await client.next('publish');
    expect(packet).toMatchObject({ topic: 'a/1', qos: 1, retain: true });
    expect(Buffer.from(packet.payload).toString()).toBe('new');
    publisher.publish('a/1', 'live', { retain: true });
    expect(await client.next('publish')).toMatchObject({ retain: false });
    await quiet();
    expect(client.take()).toEqual([]);
  });

  it('follow retain handling [MQTT-3.3.1-10] [MQTT-3.3.1-11]', async () => {
    const memory = nodeWith();
    const publisher = await memory.connected('publisher');
    publisher.publish('t', 'kept', { retain: true, qos: 1 });
    await publisher.next('puback');
    const client = await memory.connected('client');
    const served = async (retainHandling: 0 | 1 | 2): Promise<string[]> => {
      await client.subscribe('t', { retainHandling, qos: 0 });
      await quiet();
      return client.takeTexts();
    };
    expect(await served(2)).toEqual([]);
    expect(await served(1)).toEqual([]);
    expect(await served(0)).toEqual(['kept']);
    client.write({ kind: 'unsubscribe', packetId: 99, filters: ['t'] });
    await client.next('unsuback');
    expect(await served(1)).toEqual(['kept']);
  });

  it('come for each filter of one SUBSCRIBE, as if it had come alone [MQTT-3.8.4-5]', async () => {
    const memory = nodeWith();
    const client = await memory.connected('client');
    client.publish('a/b', 'kept', { retain: true, qos: 2, packetId: 50 });
    await client.next('pubrec');
    client.write({
      kind: 'subscribe',
      packetId: 1,
      subscriptions: [subscriptionRequest('a/#', { qos: 0 }), subscriptionRequest('a/b')],
      properties: { subscriptionIdentifier: 4 },
    });
    await client.next('suback');
    const properties = { subscriptionIdentifiers: [4] };
    expect(await client.next('publish')).toMatchObject({ qos: 0, properties });
    expect(await client.next('publish')).toMatchObject({ qos: 1, properties });
    await quiet();
    expect(client.take()).toEqual([]);
  });

  it('of the same turn are seen by a subscription after them', async () => {
    const memory = nodeWith();
    await (await memory.connected('other')).subscribe('t');
    const client = await memory.connected('client');
    client.write(publishPacket('t', 'kept', { retain: true }), {
      kind: 'subscribe',
      packetId: 1,
      subscriptions: [subscriptionRequest('t')],
    });
    await client.next('suback');
    expect(await client.nextText()).toBe('kept');
  });

  it('come all, also when they are more than a socket takes in one turn', async () => {
    const memory = nodeWith();
    const client = await memory.connected('client');
    const count = 100;
    for (let index = 0; index < count; index += 1) {
      client.publish(`r/${String(index)}`, 'x'.repeat(2048), { retain: true });
    }
    await quiet();
    await client.subscribe('r/#');
    await quiet(60);
    expect(client.take()).toHaveLength(count);
  });

  it.each([
    { session: 'in memory', options: {} },
    { session: 'that is durable', options: DURABLE },
  ])(
    'come all to a session $session, also when its queue is shorter [MQTT-3.3.1-9]',
    async ({ options }) => {
      const retained = await storeWith(300);
      const memory = nodeWith({ retained, limits: { queueMessagesMax: 20, inflightMax: 5 } });
      const client = memory.client();
      await client.connect(options);
      await client.subscribe('r/#');
      for (let received = 0; received < 300; received += 1) {
        const { packetId } = await client.next('publish');
        client.write({ kind: 'puback', packetId, reasonCode: 0 });
      }
      expect(memory.drops.get('queue_full')).toBeUndefined();
    },
  );

  it('come all to a client that asks for them with many packets at once', async () => {
    const retained = await storeWith(100);
    const memory = nodeWith({ retained, limits: { queueMessagesMax: 20, inflightMax: 5 } });
    const client = await memory.connected('client');
    const packets = Array.from({ length: 100 }, (_, at) => ({
      kind: 'subscribe' as const,
      packetId: at + 1,
      subscriptions: [subscriptionRequest(`r/${String(at)}`)],
    }));
    client.write(...packets);
    const topics = new Set<string>();
    await until(() => {
      for (const packet of client.take()) {
        if (packet.kind !== 'publish') continue;
        topics.add(packet.topic);
        client.write({ kind: 'puback', packetId: packet.packetId, reasonCode: 0 });
      }
      return topics.size === 100;
    }, 2_000);
    expect(memory.drops.get('queue_full')).toBeUndefined();
  });

  it('are read as the client takes them, and no more when it wants none', async () => {
    const retained = await storeWith(1_000);
    const match = retained.match.bind(retained);
    let pieces = 0;
    retained.match = async function* counted(filter) {
      for await (const piece of match(filter)) {
        pieces += 1;
        yield piece;
      }
    };
    const memory = nodeWith({ retained, limits: { queueMessagesMax: 20, inflightMax: 5 } });
    const client = await memory.connected('client');
    await client.subscribe('r/#');
    await quiet();
    expect(pieces).toBe(1);
    client.write({ kind: 'unsubscribe', packetId: 9, filters: ['r/#'] });
    await client.next('publish');
    // What was queued before UNSUBSCRIBE comes: half of the queue, and what was in flight.
    for (let packetId = 1; packetId <= 15; packetId += 1) {
      client.write({ kind: 'puback', packetId, reasonCode: 0 });
    }
    await quiet();
    expect(client.takeTexts().filter((text) => text !== 'unsuback')).toHaveLength(14);
    expect(pieces).toBe(1);
  });

  it('of the client itself stay away where No Local says so [MQTT-3.8.3-3]', async () => {
    const memory = nodeWith();
    const client = await memory.connected('client');
    const other = await memory.connected('other');
    for (const publisher of [client, other]) {
      publisher.publish(publisher === client ? 'a/1' : 'a/2', 'x', { retain: true, qos: 1 });
      await publisher.next('puback');
    }
    await client.subscribe('a/+', { noLocal: true });
    expect(await client.next('publish')).toMatchObject({ topic: 'a/2' });
    await quiet();
    expect(client.take()).toEqual([]);
  });

  it('keep RETAIN for a subscription that wants it [MQTT-3.3.1-13]', async () => {
    const client = await nodeWith().connected('client');
    await client.subscribe('t', { retainAsPublished: true });
    client.publish('t', 'x', { retain: true });
    expect(await client.next('publish')).toMatchObject({ retain: true });
  });

  it('are bounded in size and number', async () => {
    const limits = { retainedMessagesMax: 1, retainedMessageBytesMax: 5 };
    const memory = nodeWith({ limits });
    const client = await memory.connected('client');
    const reasonOf = async (topic: string, payload: string) => {
      client.publish(topic, payload, { retain: true, qos: 1 });
      return (await client.next('puback')).reasonCode;
    };
    expect(await reasonOf('a', '12345')).toBe(0x97);
    expect(await reasonOf('topic', '1')).toBe(0x97);
    expect(await reasonOf('a', '1234')).toBe(0);
    expect(await reasonOf('b', '1')).toBe(0x97);
    expect(await reasonOf('a', '')).toBe(0);
    expect(memory.node.admin.status().retainedMessages).toBe(0);
  });
});

describe('overlapping subscriptions', () => {
  it('give one delivery at the highest QoS, with all identifiers [MQTT-3.3.4-2]', async () => {
    const client = await nodeWith().connected('client');
    await client.subscribe('a/#', { qos: 0, identifier: 1 });
    await client.subscribe('a/+', { qos: 2, identifier: 2 });
    await client.subscribe('a/b', { qos: 1 });
    client.publish('a/b', 'x', { qos: 2 });
    const packet = await client.next('publish');
    expect(packet.qos).toBe(2);
    expect(packet.properties?.subscriptionIdentifiers?.toSorted()).toEqual([1, 2]);
    await client.next('pubrec');
    expect(client.take()).toEqual([]);
  });

  it('leave a client’s own messages out where No Local says so [MQTT-3.8.3-3]', async () => {
    const memory = nodeWith();
    const client = await memory.connected('client');
    const other = await memory.connected('other');
    await client.subscribe('t', { noLocal: true, identifier: 1 });
    client.publish('t', 'own', { qos: 1 });
    await client.next('puback');
    other.publish('t', 'other');
    expect(await client.nextText()).toBe('other');
    await client.subscribe('+', { identifier: 2 });
    client.publish('t', 'own');
    const packet = await client.next('publish');
    expect(packet.properties?.subscriptionIdentifiers).toEqual([2]);
    expect(memory.drops.get('no_local')).toBe(1);
  });
});
