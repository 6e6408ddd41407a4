import { describe, expect, it } from '@jest/globals';
import { encodePacket } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  MemoryNode,
  publishPacket,
  quiet,
  subscriptionRequest,
  type MemoryNodeOptions,
} from '#libs/testkit';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };
const clock = (): number => 0;
/** In a CONNECT of MQTT 3.1.1 or 5. */
const PROTOCOL_LEVEL_AT = 8;

function nodeWith(options: Partial<MemoryNodeOptions> = {}): MemoryNode {
  return new MemoryNode({
    sessions: new LocalSessionStore({ clock }),
    retained: new LocalRetainedStore({ clock }),
    ...options,
  });
}

describe('CONNECT', () => {
  it('may be followed at once by what the client wants [MQTT-3.1.4-5]', async () => {
    const client = nodeWith().client();
    client.write(
      client.connectPacket(),
      { kind: 'subscribe', packetId: 1, subscriptions: [subscriptionRequest('t')] },
      publishPacket('other', 'x', { qos: 1, packetId: 2 }),
      { kind: 'pingreq' },
    );
    await quiet();
    const kinds = client.takeTexts();
    expect(kinds[0]).toBe('connack');
    expect(kinds.toSorted()).toEqual(['connack', 'pingresp', 'puback', 'suback']);
  });

  it('takes the session from the client’s other connection [MQTT-3.1.4-3]', async () => {
    const { node, client: open } = bind(nodeWith());
    const first = open();
    await first.connect();
    const second = open();
    await second.connect();
    expect(await first.next('disconnect')).toMatchObject({ reasonCode: 0x8e });
    await first.closed();
    expect(node.admin.status()).toMatchObject({ connections: 1, sessions: 1 });
    second.write({ kind: 'pingreq' });
    await second.next('pingresp');
  });

  it.each([{ options: {} }, { options: DURABLE }])(
    'leaves one connection when two come at once [MQTT-3.1.4-3]: $options',
    async ({ options }) => {
      const { node, client: open } = bind(nodeWith());
      const clients = [open(), open(), open()];
      for (const client of clients) client.write(client.connectPacket(options));
      await quiet();
      expect(clients.map(({ isEnded }) => isEnded)).toEqual([true, true, false]);
      expect(node.admin.status()).toMatchObject({ connections: 1, sessions: 1 });
      clients[2]?.take();
      clients[2]?.write({ kind: 'pingreq' });
      await clients[2]?.next('pingresp');
    },
  );

  it.each([
    { options: {}, sessions: 0 },
    { options: DURABLE, sessions: 1 },
  ])(
    'of a client that is gone before the answer leaves $sessions sessions',
    async ({ options, sessions }) => {
      const { node, client: open } = bind(nodeWith());
      const client = open();
      client.write(client.connectPacket(options));
      client.cut();
      await quiet();
      expect(node.admin.status()).toMatchObject({ connections: 0, sessions });
      const back = open();
      expect(await back.connect(options)).toMatchObject({ sessionPresent: sessions === 1 });
    },
  );

  it('is refused by the authentication hook [MQTT-3.1.4-2]', async () => {
    const memory = nodeWith();
    memory.hub.authentication = ({ username }) => (username === 'broken' ? 'error' : 'denied');
    const denied = memory.client();
    expect(await denied.connect({ username: 'u' })).toMatchObject({ reasonCode: 0x87 });
    await denied.closed();
    const broken = memory.client();
    expect(await broken.connect({ username: 'broken' })).toMatchObject({ reasonCode: 0x88 });
  });

  it('is refused when there is no room left by others that came at the same time', async () => {
    const memory = nodeWith({ limits: { sessionsMax: 2 } });
    const clients = ['a', 'b', 'b', 'c'].map((clientId) => {
      const client = memory.client();
      client.write(client.connectPacket({ clientId }));
      return client;
    });
    const reasonCodes = [];
    for (const client of clients) reasonCodes.push((await client.next('connack')).reasonCode);
    expect(reasonCodes).toEqual([0, 0, 0, 0x97]);
  });

  it('is refused when there is no room, a will is invalid, or an id is missing', async () => {
    const memory = nodeWith({ limits: { sessionsMax: 1, topicLevelsMax: 1 } });
    const will = { topic: 'a/b', payload: Buffer.alloc(0), qos: 0, retain: false } as const;
    expect(await memory.client().connect({ ...DURABLE, will })).toMatchObject({ reasonCode: 0x90 });
    await memory.client().connect(DURABLE);
    expect(await memory.client().connect({ clientId: 'two' })).toMatchObject({ reasonCode: 0x97 });
    expect(await memory.client().connect(DURABLE)).toMatchObject({ reasonCode: 0 });
    const older = memory.client(4);
    older.write(older.connectPacket({ clientId: '', cleanStart: false }));
    expect(await older.next('connack')).toMatchObject({ reasonCode: 0x85 });
  });

  it('gives a client id to a client that brings none [MQTT-3.1.3-6]', async () => {
    const { node, client: open } = bind(nodeWith());
    const connack = await open().connect({ clientId: '' });
    expect(connack.properties?.assignedClientIdentifier).toBe('assigned-1');
    expect(node.admin.client('assigned-1')).toMatchObject({ state: 'connected' });
  });

  it('has to come in time, and to be answered in time', async () => {
    const memory = nodeWith({ limits: { connectTimeoutMs: 1000 } });
    const silent = memory.client();
    const connected = memory.client();
    await connected.connect();
    memory.sweepAfter(1001);
    await silent.closed();
    expect(silent.take()).toEqual([]);
    expect(connected.isEnded).toBe(false);
  });

  it('must be the first packet, and no more than one [MQTT-3.1.0-1] [MQTT-3.1.0-2]', async () => {
    const memory = nodeWith();
    const early = memory.client();
    early.write({ kind: 'pingreq' });
    await early.closed();
    expect(early.take()).toEqual([]);
    const twice = memory.client();
    await twice.connect();
    twice.write(twice.connectPacket());
    expect(await twice.next('disconnect')).toMatchObject({ reasonCode: 0x82 });
    await twice.closed();
  });
});

describe('a second CONNECT', () => {
  it.each([
    { first: 5, second: 4, answers: [{ kind: 'disconnect', reasonCode: 0x82 }] },
    { first: 5, second: 6, answers: [{ kind: 'disconnect', reasonCode: 0x82 }] },
    { first: 4, second: 5, answers: [] },
    { first: 4, second: 6, answers: [] },
  ] as const)(
    'of level $second is an error in the version of the first, $first [MQTT-3.1.0-2]',
    async ({ first, second, answers }) => {
      const client = nodeWith().client(first);
      await client.connect();
      const version = second === 4 ? 4 : 5;
      const bytes = Buffer.from(encodePacket(client.connectPacket({ version }), version));
      bytes[PROTOCOL_LEVEL_AT] = second;
      client.writeBytes(bytes);
      await client.closed();
      expect(client.take()).toMatchObject(answers);
    },
  );
});

describe('a session', () => {
  it('that is clean leaves nothing behind [MQTT3-3.1.2-6]', async () => {
    const { node, client: open } = bind(nodeWith());
    const client = open();
    await client.connect();
    await client.subscribe('t');
    client.cut();
    await quiet();
    expect(node.admin.status()).toMatchObject({ sessions: 0, subscriptions: 0 });
    expect(await open().connect({ cleanStart: false })).toMatchObject({ sessionPresent: false });
  });

  it('goes on with its subscriptions and its queue [MQTT-3.1.2-5]', async () => {
    const { node, client: open } = bind(nodeWith());
    const client = open();
    await client.connect(DURABLE);
    await client.subscribe('t');
    client.cut();
    const publisher = open();
    await publisher.connect({ clientId: 'publisher' });
    for (const text of ['one', 'two']) {
      publisher.publish('t', text, { qos: 1 });
      await publisher.next('puback');
    }
    publisher.publish('t', 'QoS 0 is not queued');
    expect(node.admin.client('client')).toMatchObject({ state: 'disconnected', queueMessages: 2 });
    const back = open();
    expect(await back.connect(DURABLE)).toMatchObject({ sessionPresent: true });
    expect([await back.nextText(), await back.nextText()]).toEqual(['one', 'two']);
    back.write({ kind: 'puback', packetId: 1, reasonCode: 0 });
    back.write({ kind: 'puback', packetId: 2, reasonCode: 0 });
    await quiet();
    expect(back.take()).toEqual([]);
    expect(node.admin.client('client')).toMatchObject({ queueMessages: 0, subscriptionCount: 1 });
  });

  it('is discarded by a clean start', async () => {
    const { node, client: open } = bind(nodeWith());
    const client = open();
    await client.connect(DURABLE);
    await client.subscribe('t');
    client.cut();
    const back = open();
    const clean = { ...DURABLE, cleanStart: true };
    expect(await back.connect(clean)).toMatchObject({ sessionPresent: false });
    expect(node.admin.status()).toMatchObject({ sessions: 1, subscriptions: 0 });
  });

  it('delivers its queue to a connection that will end it', async () => {
    const { node, client: open } = bind(nodeWith());
    const client = open();
    await client.connect(DURABLE);
    await client.subscribe('t', { qos: 2 });
    client.cut();
    const publisher = open();
    await publisher.connect({ clientId: 'publisher' });
    publisher.publish('t', 'queued', { qos: 1 });
    await publisher.next('puback');
    const back = open();
    expect(await back.connect({ cleanStart: false })).toMatchObject({ sessionPresent: true });
    expect(await back.nextText()).toBe('queued');
    publisher.publish('t', 'live', { qos: 1 });
    expect(await back.nextText()).toBe('live');
    back.cut();
    await quiet();
    expect(node.admin.client('client')).toBeUndefined();
    expect(await open().connect(DURABLE)).toMatchObject({ sessionPresent: false });
  });

  it('expires when its time has passed, and not before [MQTT-3.1.2-23]', async () => {
    const memory = nodeWith();
    const client = memory.client();
    await client.connect({ properties: { sessionExpiryInterval: 10 } });
    await client.subscribe('t');
    memory.sweepAfter(60_000);
    client.cut();
    memory.sweepAfter(9_999);
    expect(memory.node.admin.status()).toMatchObject({ sessions: 1, subscriptions: 1 });
    memory.sweepAfter(1);
    expect(memory.node.admin.status()).toMatchObject({ sessions: 0, subscriptions: 0 });
  });

  it('may be shortened or ended by DISCONNECT', async () => {
    const memory = nodeWith();
    const client = memory.client();
    await client.connect(DURABLE);
    const properties = { sessionExpiryInterval: 0 };
    client.write({ kind: 'disconnect', reasonCode: 0, properties });
    await client.closed();
    expect(memory.node.admin.status().sessions).toBe(0);
  });

  it('is not discarded while the cluster is told of it', async () => {
    const memory = nodeWith();
    const first = memory.client();
    await first.connect(DURABLE);
    await first.subscribe('t');
    first.cut();
    await quiet();
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    memory.announced = gate;
    const back = memory.client();
    const other = memory.client();
    await other.connect({ clientId: 'other' });
    other.write({ kind: 'subscribe', packetId: 1, subscriptions: [subscriptionRequest('new')] });
    await quiet();
    back.write(back.connectPacket(DURABLE));
    await quiet();
    memory.sweepAfter(1000);
    goOn();
    expect(await back.next('connack')).toMatchObject({ sessionPresent: true });
    await quiet();
    expect(memory.node.admin.client('client')).toMatchObject({ subscriptionCount: 1 });
  });
});

describe('keep-alive', () => {
  it('ends a connection after one and a half times as long [MQTT-3.1.2-22]', async () => {
    const memory = nodeWith();
    const client = memory.client();
    await client.connect({ keepAlive: 10 });
    memory.sweepAfter(15_000);
    expect(client.isEnded).toBe(false);
    client.write({ kind: 'pingreq' });
    memory.sweepAfter(15_000);
    expect(client.isEnded).toBe(false);
    memory.sweepAfter(1);
    await client.closed();
    expect(client.takeTexts()).toEqual(['pingresp', 'disconnect']);
  });
});

describe('a node that ends', () => {
  it('tells a client that is connecting to try elsewhere, by a code of CONNACK [MQTT-3.2.2-8]', async () => {
    const sessions = new LocalSessionStore({ clock });
    sessions.take = () => new Promise(() => undefined);
    const { node, client: open } = bind(nodeWith({ sessions }));
    const client = open();
    client.write(client.connectPacket());
    void node.stop();
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0x88 });
    await client.closed();
  });

  it('says nothing to a client that has not said CONNECT yet', async () => {
    const { node, client: open } = bind(nodeWith());
    const client = open();
    void node.stop();
    await client.closed();
    expect(client.take()).toEqual([]);
  });
});

describe('clients that go away while they wait for their session', () => {
  it('cost nobody a take', async () => {
    const sessions = new LocalSessionStore({ clock });
    const take = sessions.take.bind(sessions);
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    let takes = 0;
    sessions.take = async (request) => {
      takes += 1;
      await held;
      return await take(request);
    };
    const memory = nodeWith({ sessions });
    const clients = Array.from({ length: 5 }, () => memory.client());
    for (const client of clients) client.write(client.connectPacket({ clientId: 'c' }));
    await quiet();
    for (const client of clients.slice(1, 4)) client.cut();
    await quiet();
    goOn();
    expect((await clients[4]?.next('connack'))?.reasonCode).toBe(0);
    expect([takes, memory.node.admin.status().connections]).toEqual([2, 1]);
  });
});

describe('a store that does not answer', () => {
  it('is told of once until a session can be taken, however many want one', async () => {
    let isAway = true;
    class Flaky extends LocalSessionStore {
      override take: LocalSessionStore['take'] = (request) =>
        isAway ? Promise.reject(new Error('away')) : super.take(request);
    }
    const memory = nodeWith({ sessions: new Flaky({ clock }) });
    const codes: number[] = [];
    for (const away of [true, true, true, false, true]) {
      isAway = away;
      const clientId = `c${String(codes.length)}`;
      codes.push((await memory.client().connect({ clientId })).reasonCode);
    }
    expect(codes).toEqual([0x88, 0x88, 0x88, 0, 0x88]);
    const levels = memory.log.of('connect-failed').map(({ level }) => level);
    expect(levels).toEqual(['warn', 'debug', 'debug', 'warn']);
  });
});

describe('malformed bytes', () => {
  it.each([
    { bytes: 'ff ff ff ff ff', reasonCode: 0x81 },
    { bytes: '30 80 80 80 80 01', reasonCode: 0x81 },
    { bytes: '36 05 00 01 74 00 01', reasonCode: 0x81 },
    { bytes: '82 02 00 01', reasonCode: 0x81 },
  ])('end a connection with a reason: $bytes [MQTT-4.13.1-1]', async ({ bytes, reasonCode }) => {
    const client = nodeWith().client();
    await client.connect();
    client.writeBytes(Buffer.from(bytes.replaceAll(' ', ''), 'hex'));
    expect(await client.next('disconnect')).toMatchObject({ reasonCode });
    await client.closed();
  });

  it('before CONNECT end a connection without a word', async () => {
    const client = nodeWith().client();
    client.writeBytes(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await client.closed();
    expect(client.take()).toEqual([]);
  });
});

/** A node and its client factory, apart. */
function bind(memory: MemoryNode): Pick<MemoryNode, 'node' | 'client'> {
  return { node: memory.node, client: (version) => memory.client(version) };
}
