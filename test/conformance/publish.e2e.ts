import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Broker } from '../e2e/harness/broker.ts';
import { Scope } from '../e2e/harness/scope.ts';
import { Wire, textOf, uniqueId } from './wire.ts';

const RECEIVE_MAXIMUM = 3;
const PACKET_BYTES_MAX = 100_000;

const shared = new Scope();
const scope = new Scope();
let port: number;

beforeAll(async () => {
  ({ port } = await Broker.start(shared, {
    LIMITS_RECEIVE_MAXIMUM: RECEIVE_MAXIMUM,
    LIMITS_TOPIC_ALIAS_MAXIMUM: 5,
    LIMITS_PACKET_BYTES_MAX: PACKET_BYTES_MAX,
  }));
});
afterEach(() => scope.close());
afterAll(() => shared.close());

describe.each([4, 5] as const)('PUBLISH of level %d', (level) => {
  const open = () => Wire.connected(scope, port, { level });
  const last = (reasonCode: number) => (level === 5 ? [{ cmd: 'disconnect', reasonCode }] : []);

  /** Bytes that end where the payload would begin; in MQTT 5 the property length follows. */
  const withoutProperties = (hex: string): Buffer => {
    const bytes = Buffer.from(`${hex}${level === 5 ? '00' : ''}`.replaceAll(' ', ''), 'hex');
    bytes[1] = (bytes[1] ?? 0) + (level === 5 ? 1 : 0);
    return bytes;
  };

  it('is answered and passed on as its QoS asks [MQTT-3.3.4-1] [MQTT-2.2.1-2] [MQTT-2.2.1-5] [MQTT-4.3.1-1] [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-4] [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-4] [MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT3-3.3.4-1] [MQTT3-2.3.1-5] [MQTT3-2.3.1-6] [MQTT3-4.3.1-1] [MQTT3-4.3.2-2] [MQTT3-4.3.3-2]', async () => {
    const topic = `flow/${uniqueId()}`;
    const receiver = await open();
    await receiver.subscribe(topic, 2);
    const sender = await open();

    sender.publish(topic, 'zero');
    expect(await sender.idle()).toEqual([]);
    expect(await receiver.next('publish')).toMatchObject({ qos: 0, dup: false });
    expect(receiver.bytes.includes(Buffer.from('zero'))).toBe(true);

    sender.publish(topic, 'one', { qos: 1, messageId: 77 });
    expect(await sender.idle()).toMatchObject([{ cmd: 'puback', messageId: 77 }]);
    const one = await receiver.next('publish');
    expect(one).toMatchObject({ qos: 1, dup: false });
    receiver.send({ cmd: 'puback', messageId: one.messageId ?? 0 });

    sender.publish(topic, 'two', { qos: 2, messageId: 78 });
    expect(await sender.idle()).toMatchObject([{ cmd: 'pubrec', messageId: 78 }]);
    sender.send({ cmd: 'pubrel', messageId: 78 });
    expect(await sender.idle()).toMatchObject([{ cmd: 'pubcomp', messageId: 78 }]);
    const two = await receiver.next('publish');
    expect(two).toMatchObject({ qos: 2, dup: false });
    expect(two.messageId).not.toBe(0);
    receiver.send({ cmd: 'pubrec', messageId: two.messageId ?? 0 });
    expect(await receiver.next('pubrel')).toMatchObject({ messageId: two.messageId });
    receiver.send({ cmd: 'pubcomp', messageId: two.messageId ?? 0 });
    expect(await receiver.idle()).toEqual([]);
  });

  it('under an identifier that was acknowledged is a new message, whatever its DUP [MQTT-4.3.2-5] [MQTT-4.3.3-12] [MQTT3-4.3.2-2] [MQTT3-4.3.3-2]', async () => {
    const topic = `anew/${uniqueId()}`;
    const receiver = await open();
    await receiver.subscribe(topic);
    const sender = await open();
    for (const dup of [false, true]) {
      await sender.deliver(topic, 'one', { messageId: 5, dup });
      sender.publish(topic, 'two', { qos: 2, messageId: 6, dup });
      await sender.next('pubrec');
      sender.send({ cmd: 'pubrel', messageId: 6 });
      await sender.next('pubcomp');
    }
    expect(await receiver.messages()).toEqual(['one', 'two', 'one', 'two']);
  });

  it('that is repeated before PUBREL reaches nobody a second time [MQTT-4.3.3-10] [MQTT3-4.3.3-2]', async () => {
    const topic = `repeat/${uniqueId()}`;
    const receiver = await open();
    await receiver.subscribe(topic, 2);
    const sender = await open();
    for (const dup of [false, true, true]) {
      sender.publish(topic, 'x', { qos: 2, messageId: 9, dup });
      expect(await sender.next('pubrec')).toMatchObject({ messageId: 9 });
    }
    expect(await receiver.messages()).toEqual(['x']);
  });

  it('passes no DUP on [MQTT-3.3.1-3] [MQTT3-3.3.1-3]', async () => {
    const topic = `dup/${uniqueId()}`;
    const receiver = await open();
    await receiver.subscribe(topic, 1);
    const sender = await open();
    await sender.deliver(topic, 'x', { dup: true });
    expect((await receiver.next('publish')).dup).toBe(false);
  });

  it.each([
    ['QoS 3 [MQTT-3.3.1-4] [MQTT3-3.3.1-4]', '36 05 0001 74 0001', 0x81],
    ['DUP and QoS 0 [MQTT-3.3.1-2] [MQTT3-3.3.1-2]', '38 03 0001 74', 0x81],
    ['packet identifier 0 [MQTT-2.2.1-3] [MQTT3-2.3.1-1]', '32 05 0001 74 0000', 0x82],
    [
      'a wildcard in its topic [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT3-3.3.2-2] [MQTT3-4.7.1-1]',
      '30 05 0003 74 2f 23',
      0x90,
    ],
    ['a topic that is not UTF-8 [MQTT-3.3.2-1] [MQTT3-3.3.2-1]', '30 04 0002 c0 af', 0x81],
    ['U+0000 in its topic [MQTT-4.7.3-2] [MQTT3-4.7.3-2]', '30 05 0003 61 00 62', 0x81],
  ])('with %s ends the connection', async (_, hex, reasonCode) => {
    const wire = await open();
    wire.sendBytes(withoutProperties(hex));
    expect(await wire.closed()).toMatchObject(last(reasonCode));
  });

  it('is taken where the same bytes are right', async () => {
    const wire = await open();
    await wire.subscribe(['t', 't/x']);
    for (const hex of ['30 03 0001 74', '3a 05 0001 74 0001', '30 05 0003 74 2f 78']) {
      wire.sendBytes(withoutProperties(hex));
    }
    const kinds = (await wire.idle()).map(({ cmd }) => cmd);
    expect(kinds.toSorted()).toEqual(['puback', 'publish', 'publish', 'publish'].toSorted());
  });

  it('has a topic of at least one character [MQTT-4.7.3-1] [MQTT3-4.7.3-1]', async () => {
    const wire = await open();
    wire.sendBytes(level === 5 ? '30 03 0000 00' : '30 02 0000');
    expect(await wire.closed()).toMatchObject(last(0x82));
  });

  it('has a topic of up to 65,535 bytes, of any text [MQTT-4.7.3-3] [MQTT-4.7.3-4] [MQTT3-4.7.3-3] [MQTT3-4.7.3-4]', async () => {
    const receiver = await open();
    const filters = [
      'x'.repeat(65_535),
      '\u00c5ngstr\u00f6m',
      'e\u0301',
      '\ufb01',
      '/a//',
      '//',
      ' a ',
    ];
    for (const filter of filters) await receiver.subscribe(filter);
    const sender = await open();
    // The same letters for a reader, in another case or another form of Unicode.
    const alike = [
      '\u00e5ngstr\u00f6m',
      'A\u030angstro\u0308m',
      '\u212bngstr\u00f6m',
      '\u00e9',
      'fi',
    ];
    for (const topic of [...filters, ...alike, 'a', '/', '/a/', 'a ']) {
      await sender.deliver(topic, topic.slice(0, 20));
    }
    expect(await receiver.messages()).toEqual(filters.map((filter) => filter.slice(0, 20)));
  });

  it('reaches a client with several subscriptions once, with the highest QoS [MQTT-3.3.4-2] [MQTT3-3.3.5-1]', async () => {
    const root = `over/${uniqueId()}`;
    const receiver = await open();
    await receiver.subscribe(`${root}/#`, 0);
    await receiver.subscribe(`${root}/+`, 2);
    await receiver.subscribe(`${root}/a`, 1);
    const sender = await open();
    sender.publish(`${root}/a`, 'x', { qos: 2 });
    await sender.next('pubrec');
    expect(await receiver.idle()).toMatchObject([{ cmd: 'publish', qos: 2 }]);
  });

  it('reaches subscribers with the lower QoS of the two [MQTT-3.8.4-8] [MQTT3-3.8.4-6]', async () => {
    const root = `lower/${uniqueId()}`;
    const receiver = await open();
    for (const qos of [0, 1, 2] as const) await receiver.subscribe(`${root}/${String(qos)}/+`, qos);
    const sender = await open();
    const seen = [];
    for (const granted of [0, 1, 2]) {
      for (const qos of [0, 1, 2] as const) {
        sender.publish(`${root}/${String(granted)}/${String(qos)}`, 'x', { qos });
        await sender.idle();
        seen.push((await receiver.next('publish')).qos);
      }
    }
    expect(seen).toEqual([0, 0, 0, 0, 1, 1, 0, 1, 2]);
  });

  it('of one client on one topic arrives in its order [MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT3-4.6.0-5] [MQTT3-4.6.0-6]', async () => {
    const topic = `order/${uniqueId()}`;
    const receiver = await open();
    await receiver.subscribe(topic, 1);
    const sender = await open();
    const texts = Array.from({ length: 50 }, (_, index) => String(index));
    for (const text of texts) await sender.deliver(topic, text);
    const seen: string[] = [];
    while (seen.length < texts.length) {
      const message = await receiver.next('publish');
      seen.push(textOf(message));
      receiver.send({ cmd: 'puback', messageId: message.messageId ?? 0 });
    }
    expect(seen).toEqual(texts);
  });

  it('is acknowledged in its order, whatever each message takes [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT3-4.6.0-2] [MQTT3-4.6.0-3]', async () => {
    const root = `acks/${uniqueId()}`;
    const durable = await Wire.connected(scope, port, {
      ...{ level, clean: false },
      ...(level === 5 && { properties: { sessionExpiryInterval: 100 } }),
    });
    await durable.subscribe(`${root}/slow`, 1);
    const sender = await open();
    const publish = (messageId: number, qos: 1 | 2, topic: string) => ({
      ...{ cmd: 'publish' as const, topic: `${root}/${topic}`, payload: 'x', qos, messageId },
      ...{ dup: false, retain: topic === 'kept' },
    });
    sender.send(publish(1, 1, 'slow'), publish(2, 2, 'fast'), publish(3, 1, 'kept'));
    const answers = [];
    for (const kind of ['puback', 'pubrec', 'puback'] as const) {
      answers.push((await sender.next(kind)).messageId);
    }
    expect(answers).toEqual([1, 2, 3]);
  });
});

describe('PUBREL', () => {
  it.each([4, 5] as const)(
    'packets leave in the order of PUBREC in level %d [MQTT-4.6.0-4] [MQTT3-4.6.0-4]',
    async (level) => {
      const topic = `rel/${uniqueId()}`;
      const receiver = await Wire.connected(scope, port, { level });
      await receiver.subscribe(topic, 2);
      const sender = await Wire.connected(scope, port, { level });
      for (const text of ['a', 'b', 'c']) sender.publish(topic, text, { qos: 2 });
      await sender.idle();
      const ids = (await receiver.idle()).map(({ messageId = 0 }) => messageId);
      const [a = 0, b = 0, c = 0] = ids;
      receiver.send(...[c, a, b].map((messageId) => ({ cmd: 'pubrec' as const, messageId })));
      const released = [];
      for (let count = 0; count < 3; count += 1)
        released.push((await receiver.next('pubrel')).messageId);
      expect(released).toEqual([c, a, b]);
    },
  );
});

describe.each([4, 5] as const)('a retained message of level %d', (level) => {
  const open = () => Wire.connected(scope, port, { level });
  const seenBy = async (filter: string) => {
    const reader = await open();
    await reader.subscribe(filter, 2);
    return (await reader.idle()).map((packet) =>
      packet.cmd === 'publish' ? [textOf(packet), packet.qos, packet.retain] : packet.cmd,
    );
  };

  it('is the last one, with its QoS, and is marked as such [MQTT-3.3.1-5] [MQTT-3.3.1-9] [MQTT3-3.3.1-5] [MQTT3-3.3.1-6] [MQTT3-3.3.1-7] [MQTT3-3.3.1-8]', async () => {
    const topic = `retained/${uniqueId()}`;
    const sender = await open();
    await sender.deliver(topic, 'a', { retain: true });
    expect(await seenBy(topic)).toEqual([['a', 1, true]]);
    sender.publish(topic, 'b', { retain: true });
    await sender.idle();
    expect(await seenBy(topic)).toEqual([['b', 0, true]]);
    sender.publish(topic, 'c', { qos: 2, retain: true });
    await sender.next('pubrec');
    expect(await seenBy(topic)).toEqual([['c', 2, true]]);
  });

  it('is removed by an empty one, which is passed on and not retained [MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT3-3.3.1-10] [MQTT3-3.3.1-11]', async () => {
    const topic = `removed/${uniqueId()}`;
    const sender = await open();
    await sender.deliver(topic, 'a', { retain: true });
    const watcher = await open();
    await watcher.subscribe(topic);
    expect(await watcher.messages()).toEqual(['a']);
    await sender.deliver(topic, '', { retain: true });
    expect(await watcher.messages()).toEqual(['']);
    expect(await seenBy(topic)).toEqual([]);
  });

  it('is not changed by a message without RETAIN [MQTT-3.3.1-8] [MQTT3-3.3.1-12]', async () => {
    const topic = `unchanged/${uniqueId()}`;
    const sender = await open();
    await sender.deliver(topic, 'before');
    expect(await seenBy(topic)).toEqual([]);
    await sender.deliver(topic, 'kept', { retain: true });
    await sender.deliver(topic, 'other');
    await sender.deliver(topic, '');
    expect(await seenBy(topic)).toEqual([['kept', 1, true]]);
  });

  it('goes to those who are subscribed already without RETAIN [MQTT-3.3.1-12] [MQTT3-3.3.1-9]', async () => {
    const topic = `live/${uniqueId()}`;
    const watcher = await open();
    await watcher.subscribe(topic, 1);
    const sender = await open();
    await sender.deliver(topic, 'x', { retain: true });
    expect((await watcher.next('publish')).retain).toBe(false);
  });
});

describe('PUBLISH of MQTT 5', () => {
  const open = (options: Parameters<typeof Wire.connected>[2] = {}) =>
    Wire.connected(scope, port, options);

  it('keeps its properties and its payload as they are [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]', async () => {
    const topic = 'same';
    const receiver = await open();
    await receiver.subscribe(topic);
    const properties =
      '01 01 03 0004 746578 74 08 0003 612f62 09 0003 00ff00 26 0001 62 0001 32 26 0001 61 0001 33 26 0001 62 0001 31';
    const body = Buffer.from(properties.replaceAll(' ', ''), 'hex');
    const sender = await open();
    const packet = Buffer.concat([
      Buffer.from('000473616d65', 'hex'),
      Buffer.of(body.length),
      body,
      Buffer.from('payload'),
    ]);
    sender.sendBytes(Buffer.of(0x30, packet.length), packet);
    await sender.idle();
    await receiver.idle();
    expect(receiver.bytes.includes(packet)).toBe(true);
  });

  it.each([
    ['a response topic with a wildcard [MQTT-3.3.2-14]', '08 0003 612f23', 0x90],
    ['a response topic that is not UTF-8 [MQTT-3.3.2-13]', '08 0002 c0af', 0x81],
    ['a content type that is not UTF-8 [MQTT-3.3.2-19]', '03 0002 c0af', 0x81],
    ['a user property whose name is not UTF-8 [MQTT-1.5.7-1]', '26 0002 c0af 0001 61', 0x81],
    ['a user property whose value is not UTF-8 [MQTT-1.5.7-1]', '26 0001 61 0002 c0af', 0x81],
    ['a subscription identifier [MQTT-3.3.4-6]', '0b 01', 0x82],
    ['topic alias 0 [MQTT-3.3.2-8]', '23 0000', 0x94],
    ['a topic alias above the maximum [MQTT-3.3.2-9] [MQTT-3.2.2-17]', '23 0006', 0x94],
  ])('with %s ends the connection', async (_, hex, reasonCode) => {
    const properties = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    const wire = await open();
    const body = Buffer.concat([
      Buffer.from('000174', 'hex'),
      Buffer.of(properties.length),
      properties,
    ]);
    wire.sendBytes(Buffer.of(0x30, body.length), body);
    expect(await wire.closed()).toMatchObject([{ cmd: 'disconnect', reasonCode }]);
  });

  it('may name its topic by any alias up to the maximum, on this connection [MQTT-3.3.2-7] [MQTT-3.3.2-12]', async () => {
    const root = `alias/${uniqueId()}`;
    const receiver = await open();
    await receiver.subscribe(`${root}/#`);
    const sender = await open();
    const aliases = [1, 2, 3, 4, 5];
    for (const topicAlias of aliases) {
      await sender.deliver(`${root}/${String(topicAlias)}`, 'set', { properties: { topicAlias } });
    }
    for (const topicAlias of aliases)
      await sender.deliver('', 'used', { properties: { topicAlias } });
    const topics = (await receiver.idle()).map(
      (packet) => packet.cmd === 'publish' && packet.topic,
    );
    expect(topics).toEqual([...aliases, ...aliases].map((alias) => `${root}/${String(alias)}`));

    const next = await open();
    next.publish('', 'x', { properties: { topicAlias: 1 } });
    expect(await next.closed()).toMatchObject([{ cmd: 'disconnect', reasonCode: 0x94 }]);
  });

  it('comes with aliases up to the maximum of the client, and without one to others [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11]', async () => {
    const root = `told/${uniqueId()}`;
    const plain = await open();
    const knowing = await open({ properties: { topicAliasMaximum: 2 } });
    for (const wire of [plain, knowing]) await wire.subscribe(`${root}/#`);
    const sender = await open();
    for (const name of ['a', 'b', 'c', 'a', 'b', 'c'])
      await sender.deliver(`${root}/${name}`, name);
    const seen = async (wire: Wire) =>
      (await wire.idle()).map((packet) =>
        packet.cmd === 'publish'
          ? [packet.topic.slice(root.length), packet.properties?.topicAlias]
          : packet.cmd,
      );
    expect((await seen(plain)).map((each) => each[1])).toEqual(Array(6).fill(undefined));
    expect(await seen(knowing)).toEqual([
      ['/a', 1],
      ['/b', 2],
      ['/c', undefined],
      ['', 1],
      ['', 2],
      ['/c', undefined],
    ]);
  });

  it('is not taken beyond Receive Maximum [MQTT-3.3.4-7]', async () => {
    const wire = await open();
    for (let messageId = 1; messageId <= RECEIVE_MAXIMUM; messageId += 1) {
      wire.publish('t', 'x', { qos: 2, messageId });
      await wire.next('pubrec');
    }
    wire.publish('t', 'x', { qos: 2, messageId: 9 });
    expect(await wire.closed()).toMatchObject([{ cmd: 'disconnect', reasonCode: 0x93 }]);
  });

  it('is not sent beyond the Receive Maximum of the client, whatever else is [MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.9.0-3]', async () => {
    const topic = `window/${uniqueId()}`;
    const receiver = await open({ properties: { receiveMaximum: 2 } });
    await receiver.subscribe(topic, 2);
    const sender = await open();
    for (const text of ['a', 'b', 'c', 'd']) await sender.deliver(topic, text);
    const first = await receiver.idle();
    expect(first.map(textOf)).toEqual(['a', 'b']);
    await receiver.subscribe(`${topic}/other`);
    sender.publish(topic, 'zero');
    await sender.idle();
    expect(await receiver.messages()).toEqual(['zero']);
    receiver.send({ cmd: 'puback', messageId: first[0]?.messageId ?? 0 });
    expect(await receiver.messages()).toEqual(['c']);
  });

  it('is not sent if it is larger than the client takes, as if it had been [MQTT-3.1.2-24] [MQTT-3.1.2-25]', async () => {
    const topic = `large/${uniqueId()}`;
    const receiver = await open({ properties: { maximumPacketSize: 100, receiveMaximum: 1 } });
    await receiver.subscribe(topic, 1);
    const sender = await open();
    for (const text of ['x'.repeat(200), 'small']) await sender.deliver(topic, text);
    expect(await receiver.messages()).toEqual(['small']);
  });

  it('that is larger than the server takes ends the connection [MQTT-3.2.2-15]', async () => {
    const wire = await open();
    wire.publish('t', 'x'.repeat(PACKET_BYTES_MAX));
    expect(await wire.closed()).toMatchObject([{ cmd: 'disconnect', reasonCode: 0x95 }]);
  });

  it('carries the identifiers of all subscriptions that it matches [MQTT-3.3.4-3] [MQTT-3.3.4-4]', async () => {
    const root = `ids/${uniqueId()}`;
    const receiver = await open();
    for (const [filter, subscriptionIdentifier] of [
      ['#', 268_435_455],
      ['+', 7],
    ] as const) {
      const subscriptions = [{ topic: `${root}/${filter}`, qos: 0 as const }];
      const properties = { subscriptionIdentifier };
      receiver.send({ cmd: 'subscribe', messageId: receiver.nextId(), subscriptions, properties });
      await receiver.next('suback');
    }
    await receiver.subscribe(`${root}/a`);
    const sender = await open();
    await sender.deliver(`${root}/a`, 'x');
    const [message, ...others] = await receiver.idle();
    expect(others).toEqual([]);
    const identifiers =
      message?.cmd === 'publish' ? message.properties?.subscriptionIdentifier : [];
    expect(new Set([identifiers].flat())).toEqual(new Set([268_435_455, 7]));
  });

  it('lasts as long as it says, and says what is left of it [MQTT-3.3.2-5] [MQTT-3.3.2-6]', async () => {
    const topic = `expiry/${uniqueId()}`;
    const session = {
      clientId: uniqueId(),
      clean: false,
      properties: { sessionExpiryInterval: 100 },
    };
    const before = await open(session);
    await before.subscribe(topic, 1);
    await before.leave();
    const sender = await open();
    await sender.deliver(topic, 'short', { properties: { messageExpiryInterval: 1 } });
    await sender.deliver(topic, 'long', { properties: { messageExpiryInterval: 100 } });
    const startedAt = performance.now();
    while (performance.now() - startedAt < 1_600) await sender.idle();
    const after = await open(session);
    const message = await after.next('publish');
    expect(textOf(message)).toBe('long');
    expect(message.properties?.messageExpiryInterval).toBeGreaterThanOrEqual(95);
    expect(message.properties?.messageExpiryInterval).toBeLessThanOrEqual(99);
    expect(await after.idle()).toEqual([]);
  });

  it('goes on with QoS 2 though the message has expired [MQTT-4.3.3-13]', async () => {
    const wire = await open();
    wire.publish('expired', 'x', {
      qos: 2,
      messageId: 4,
      properties: { messageExpiryInterval: 0 },
    });
    expect(await wire.next('pubrec')).toMatchObject({ messageId: 4 });
    wire.send({ cmd: 'pubrel', messageId: 4 });
    expect(await wire.next('pubcomp')).toMatchObject({ messageId: 4 });
  });
});
