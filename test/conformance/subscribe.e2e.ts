import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Broker } from '../e2e/harness/broker.ts';
import { Scope } from '../e2e/harness/scope.ts';
import { Wire, textOf, uniqueId, type ConnectOptions } from './wire.ts';

const shared = new Scope();
const scope = new Scope();
let port: number;

beforeAll(async () => {
  ({ port } = await Broker.start(shared));
});
afterEach(() => scope.close());
afterAll(() => shared.close());

describe.each([4, 5] as const)('a client of level %d', (level) => {
  const open = (options: ConnectOptions = {}) => Wire.connected(scope, port, { level, ...options });
  const last = (reasonCode: number) => (level === 5 ? [{ cmd: 'disconnect', reasonCode }] : []);
  const kept = {
    clean: false,
    ...(level === 5 && { properties: { sessionExpiryInterval: 100 } }),
  };

  /** In MQTT 5 an empty property length stands between head and rest, if there is a rest. */
  const packetOf = (head: string, rest?: string): Buffer => {
    const hasProperties = level === 5 && rest !== undefined;
    const hex = `${head}${hasProperties ? '00' : ''}${rest ?? ''}`;
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    bytes[1] = bytes.length - 2;
    return bytes;
  };

  it('is answered under its packet identifiers [MQTT-2.2.1-6] [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT3-2.3.1-7] [MQTT3-3.8.4-1] [MQTT3-3.8.4-2] [MQTT3-3.10.4-4] [MQTT3-3.10.4-5]', async () => {
    const wire = await open();
    wire.send({ cmd: 'subscribe', messageId: 700, subscriptions: [{ topic: 'a', qos: 0 }] });
    expect(await wire.next('suback')).toMatchObject({ messageId: 700 });
    for (const messageId of [701, 702]) {
      wire.send({ cmd: 'unsubscribe', messageId, unsubscriptions: ['a'] });
      expect(await wire.next('unsuback')).toMatchObject({ messageId });
    }
  });

  it('has one code for each filter, in their order [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2] [MQTT3-3.8.4-4] [MQTT3-3.8.4-5] [MQTT3-3.9.3-1] [MQTT3-3.9.3-2]', async () => {
    const wire = await open();
    const asked = [
      ['a', 2],
      ['b+', 1],
      ['c', 0],
      ['#/d', 2],
      ['e/#', 1],
    ] as const;
    const subscriptions = asked.map(([topic, qos]) => ({ topic, qos }));
    wire.send({ cmd: 'subscribe', messageId: 1, subscriptions });
    const invalid = level === 5 ? 0x8f : 0x80;
    expect((await wire.next('suback')).granted).toEqual([2, invalid, 0, invalid, 1]);
    await wire.deliver('e/x', 'matches');
    expect(await wire.messages()).toEqual(['matches']);
  });

  it.each([
    [
      'SUBSCRIBE with other flags [MQTT-3.8.1-1] [MQTT3-3.8.1-1] [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]',
      ['80 06 0001', '0001 61 00'],
      0x81,
    ],
    [
      'UNSUBSCRIBE with other flags [MQTT-3.10.1-1] [MQTT3-3.10.1-1]',
      ['a0 05 0001', '0001 61'],
      0x81,
    ],
    ['PUBREL with other flags [MQTT-3.6.1-1] [MQTT3-3.6.1-1]', ['60 02 0001'], 0x81],
    ['DISCONNECT with flags [MQTT-3.14.1-1] [MQTT3-3.14.1-1]', ['e1 00'], 0x81],
    ['PINGREQ with flags [MQTT-2.1.3-1]', ['c1 00'], 0x81],
    ['SUBSCRIBE without a filter [MQTT-3.8.3-2] [MQTT3-3.8.3-3]', ['82 02 0001', ''], 0x82],
    ['UNSUBSCRIBE without a filter [MQTT-3.10.3-2] [MQTT3-3.10.3-2]', ['a2 02 0001', ''], 0x82],
    [
      'reserved subscription options [MQTT-3.8.3-5] [MQTT3-3.8.3-4]',
      ['82 06 0001', '0001 61 c0'],
      0x81,
    ],
    ['QoS 3 [MQTT3-3.8.3-4]', ['82 06 0001', '0001 61 03'], 0x82],
    ['packet identifier 0 [MQTT-2.2.1-3] [MQTT3-2.3.1-1]', ['82 06 0000', '0001 61 00'], 0x82],
    [
      'a filter that is not UTF-8 [MQTT-3.8.3-1] [MQTT-4.7.3-2] [MQTT3-3.8.3-1]',
      ['82 07 0001', '0002 c0af 00'],
      0x81,
    ],
    [
      'a filter that is not UTF-8 to unsubscribe [MQTT-3.10.3-1] [MQTT3-3.10.3-1]',
      ['a2 06 0001', '0002 c0af'],
      0x81,
    ],
    ['U+0000 in a filter [MQTT-4.7.3-2] [MQTT3-4.7.3-2]', ['82 07 0001', '0002 6100 00'], 0x81],
  ])('is disconnected for %s', async (_, [head = '', rest], reasonCode) => {
    const wire = await open();
    wire.sendBytes(packetOf(head, rest));
    expect(await wire.closed()).toMatchObject(last(reasonCode));
  });

  it('is served where the same packets are right', async () => {
    const wire = await open();
    const packets = [
      packetOf('82 06 0001', '0001 61 02'),
      packetOf('a2 05 0002', '0001 61'),
      packetOf('62 02 0003'),
      packetOf('c0 00'),
    ];
    for (const [index, kind] of (
      ['suback', 'unsuback', 'pubcomp', 'pingresp'] as const
    ).entries()) {
      wire.sendBytes(packets[index] ?? '');
      await wire.next(kind);
    }
    wire.sendBytes(packetOf('e0 00'));
    expect(await wire.closed()).toEqual([]);
  });

  it('replaces a subscription by subscribing again, gets retained messages again and misses nothing [MQTT-3.8.4-3] [MQTT-3.8.4-4] [MQTT3-3.8.4-3]', async () => {
    const topic = `replace/${uniqueId()}`;
    const sender = await open();
    await sender.deliver(topic, 'retained', { retain: true });
    const wire = await open();
    await wire.subscribe(topic, 0);
    expect(await wire.messages()).toEqual(['retained']);
    const publishing = (async () => {
      for (let number = 0; number < 100; number += 1) await sender.deliver(topic, String(number));
    })();
    wire.send({ cmd: 'subscribe', messageId: 9, subscriptions: [{ topic, qos: 1 }] });
    await publishing;
    await sender.deliver(topic, 'last');
    const seen = (await wire.idle()).filter(({ cmd }) => cmd === 'publish');
    const numbers = seen.map(textOf).filter((text) => text !== 'retained' && text !== 'last');
    expect(numbers).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
    expect(seen.map(textOf)).toContain('retained');
    expect(seen.at(-1)).toMatchObject({ qos: 1 });
  });

  it('is rid of a subscription by the very same filter [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-6] [MQTT3-3.10.4-1] [MQTT3-3.10.4-2] [MQTT3-3.10.4-6]', async () => {
    const root = `rid/${uniqueId()}`;
    const wire = await open();
    await wire.subscribe([`${root}/+`, `${root}/A`, `${root}/b/#`]);
    const unsubscribe = async (unsubscriptions: string[]) => {
      wire.send({ cmd: 'unsubscribe', messageId: wire.nextId(), unsubscriptions });
      return (await wire.next('unsuback')).granted;
    };
    const sender = await open();
    // Before MQTT 5 UNSUBACK has no codes.
    const codes = (...expected: number[]) => (level === 5 ? expected : []);
    const none = await unsubscribe([`${root}/#`, `${root}/a`, root]);
    expect(none ?? []).toEqual(codes(0x11, 0x11, 0x11));
    await sender.deliver(`${root}/A`, 'still');
    expect(await wire.messages()).toEqual(['still']);
    const some = await unsubscribe([`${root}/b/#`, `${root}/+`, `${root}/+`]);
    expect(some ?? []).toEqual(codes(0, 0, 0x11));
    for (const name of ['A', 'b', 'b/c']) await sender.deliver(`${root}/${name}`, name);
    expect(await wire.messages()).toEqual(['A']);
  });

  it('gets the rest of what was begun after it has unsubscribed [MQTT-3.10.4-3] [MQTT3-3.10.4-3]', async () => {
    const topic = `begun/${uniqueId()}`;
    const own = { ...kept, clientId: uniqueId() };
    const wire = await open(own);
    await wire.subscribe(topic, 2);
    const sender = await open();
    sender.publish(topic, 'one', { qos: 1 });
    sender.publish(topic, 'two', { qos: 2 });
    await sender.idle();
    const [one, two] = await wire.idle();
    wire.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [topic] });
    await wire.next('unsuback');
    wire.send({ cmd: 'pubrec', messageId: two?.messageId ?? 0 });
    expect(await wire.next('pubrel')).toMatchObject({ messageId: two?.messageId });
    wire.cut();
    const next = await open(own);
    expect(await next.next('pubrel')).toMatchObject({ messageId: two?.messageId });
    const again = await next.next('publish');
    expect([textOf(again), again.messageId, again.dup]).toEqual(['one', one?.messageId, true]);
  });

  it('gets what its filters match, and nothing else [MQTT-3.3.2-3] [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.2-1] [MQTT3-3.3.2-3] [MQTT3-4.7.1-2] [MQTT3-4.7.1-3] [MQTT3-4.7.2-1]', async () => {
    const root = uniqueId();
    const topics = [
      root,
      `${root}/`,
      `${root}/a`,
      `${root}/a/b`,
      `${root}//b`,
      `$${root}/a`,
      `/${root}`,
    ];
    const cases: readonly (readonly [string, readonly string[]])[] = [
      [`${root}/#`, [root, `${root}/`, `${root}/a`, `${root}/a/b`, `${root}//b`]],
      [`${root}/+`, [`${root}/`, `${root}/a`]],
      [`${root}/+/b`, [`${root}/a/b`, `${root}//b`]],
      [`+/${root}`, [`/${root}`]],
      [`$${root}/#`, [`$${root}/a`]],
      [`$${root}/+`, [`$${root}/a`]],
      ['+/a', [`${root}/a`]],
    ];
    const sender = await open();
    for (const [filter, expected] of cases) {
      const wire = await open();
      expect(await wire.subscribe(filter)).toEqual([0]);
      for (const topic of topics) await sender.deliver(topic, topic);
      expect(await wire.messages()).toEqual(expected);
      wire.cut();
    }
    const wire = await open();
    const bad = [`${root}#`, `${root}/#/a`, `${root}+/a`, `${root}/a+`, `${root}/##`];
    const granted = await wire.subscribe(bad);
    expect(granted).toEqual(bad.map(() => (level === 5 ? 0x8f : 0x80)));
  });

  it('is answered to PINGREQ [MQTT-3.12.4-1] [MQTT3-3.12.4-1]', async () => {
    const wire = await open();
    wire.send({ cmd: 'pingreq' }, { cmd: 'pingreq' });
    await wire.next('pingresp');
    await wire.next('pingresp');
    expect(wire.bytes.subarray(-4).toString('hex')).toBe('d000d000');
  });

  it('needs nothing but MQTT over TCP [MQTT-4.2.0-1] [MQTT3-7.0.0-2] [MQTT3-7.1.1-1]', async () => {
    const wire = await open();
    await wire.subscribe('plain', 1);
    await wire.deliver('plain', 'x'.repeat(200_000));
    expect((await wire.messages())[0]).toHaveLength(200_000);
  });
});

describe('a subscription of MQTT 5', () => {
  const open = (options: ConnectOptions = {}) => Wire.connected(scope, port, options);
  type Request = {
    readonly topic: string;
    readonly qos: 0 | 1 | 2;
    nl?: boolean;
    rap?: boolean;
    rh?: number;
  };
  const subscribe = async (wire: Wire, ...subscriptions: readonly Request[]) => {
    wire.send({
      cmd: 'subscribe',
      messageId: wire.nextId(),
      subscriptions: subscriptions as never,
    });
    return (await wire.next('suback')).granted;
  };

  it('leaves a client’s own messages out with No Local [MQTT-3.8.3-3]', async () => {
    const topic = `own/${uniqueId()}`;
    const wire = await open();
    const other = await open();
    await subscribe(wire, { topic, qos: 1, nl: true });
    await wire.deliver(topic, 'mine');
    await other.deliver(topic, 'theirs');
    expect(await wire.messages()).toEqual(['theirs']);
  });

  it('may not be shared and No Local [MQTT-3.8.3-4]', async () => {
    const wire = await open();
    wire.send({
      ...{ cmd: 'subscribe', messageId: 1 },
      subscriptions: [{ topic: '$share/g/a', qos: 0, nl: true }],
    } as never);
    expect(await wire.closed()).toMatchObject([{ cmd: 'disconnect', reasonCode: 0x82 }]);
  });

  it('gets retained messages as Retain Handling says [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]', async () => {
    const topic = `handling/${uniqueId()}`;
    const wire = await open();
    await wire.deliver(topic, 'x', { retain: true });
    const seen = [];
    for (const rh of [2, 1, 0, 1, 0]) {
      await subscribe(wire, { topic, qos: 0, rh });
      seen.push((await wire.messages()).length);
    }
    expect(seen).toEqual([0, 0, 1, 0, 1]);
    const fresh = await open();
    await subscribe(fresh, { topic, qos: 0, rh: 1 });
    expect(await fresh.messages()).toEqual(['x']);
  });

  it('keeps RETAIN with Retain As Published [MQTT-3.3.1-12] [MQTT-3.3.1-13]', async () => {
    const topic = `published/${uniqueId()}`;
    const [plain, keeping] = [await open(), await open()];
    await subscribe(plain, { topic, qos: 0, rap: false });
    await subscribe(keeping, { topic, qos: 0, rap: true });
    const sender = await open();
    for (const retain of [true, false]) await sender.deliver(topic, 'x', { retain });
    const flags = async (wire: Wire) =>
      (await wire.idle()).map((packet) => packet.cmd === 'publish' && packet.retain);
    expect([await flags(plain), await flags(keeping)]).toEqual([
      [false, false],
      [true, false],
    ]);
  });

  it('is handled as its own SUBSCRIBE, retained messages included [MQTT-3.8.4-5]', async () => {
    const root = `each/${uniqueId()}`;
    const wire = await open();
    await wire.deliver(`${root}/a`, 'x', { retain: true });
    wire.send({
      ...{ cmd: 'subscribe', messageId: 9 },
      subscriptions: [
        { topic: `${root}/#`, qos: 0 },
        { topic: `${root}/+`, qos: 1 },
      ],
    });
    await wire.next('suback');
    expect(await wire.idle()).toMatchObject([
      { cmd: 'publish', qos: 0, retain: true },
      { cmd: 'publish', qos: 1, retain: true },
    ]);
  });

  it('ends with UNSUBACK codes in the order of the filters [MQTT-3.11.3-1] [MQTT-3.11.3-2]', async () => {
    const wire = await open();
    await wire.subscribe(['u/a', 'u/c']);
    wire.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['u/a', 'u/b', 'u/c'] });
    expect((await wire.next('unsuback')).granted).toEqual([0x00, 0x11, 0x00]);
  });
});

describe('a server’s DISCONNECT', () => {
  it('is its last packet, and has no session expiry interval [MQTT-3.14.2-1] [MQTT-3.14.2-2] [MQTT-3.14.4-1] [MQTT-3.14.4-2]', async () => {
    const properties = { sessionExpiryInterval: 100 };
    const wire = await Wire.connected(scope, port, { properties });
    await wire.subscribe('after', 1);
    wire.sendBytes('00 00');
    const sender = await Wire.connected(scope, port);
    await sender.deliver('after', 'x');
    const [disconnect, ...others] = await wire.closed();
    expect(others).toEqual([]);
    expect(disconnect).toMatchObject({ cmd: 'disconnect', reasonCode: 0x81 });
    expect(disconnect).not.toHaveProperty('properties.sessionExpiryInterval');
  });
});

describe('a message that may not be published', () => {
  it('ends the connection of MQTT 3.1.1, which cannot be told [MQTT3-3.3.5-2]', async () => {
    const wire = await Wire.connected(scope, port, { level: 4 });
    wire.publish('too/deep'.repeat(200), 'x', { qos: 1 });
    expect(await wire.closed()).toEqual([]);
  });

  it('is refused with a reason of PUBACK and PUBREC in MQTT 5, and its identifier is free again [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-4.3.3-9]', async () => {
    const wire = await Wire.connected(scope, port);
    wire.publish('too/deep'.repeat(200), 'x', { qos: 1, messageId: 1 });
    wire.publish('too/deep'.repeat(200), 'x', { qos: 2, messageId: 2 });
    expect(await wire.idle()).toMatchObject([
      { cmd: 'puback', messageId: 1, reasonCode: 0x90 },
      { cmd: 'pubrec', messageId: 2, reasonCode: 0x90 },
    ]);
    wire.publish('fine', 'x', { qos: 2, messageId: 2 });
    expect(await wire.next('pubrec')).toMatchObject({ reasonCode: 0 });
  });
});
