import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { Broker } from '../e2e/harness/broker.ts';
import { Scope } from '../e2e/harness/scope.ts';
import { Wire, textOf, uniqueId, type ConnectOptions } from './wire.ts';

const WAIT_MS = 10_000;

const shared = new Scope();
const scope = new Scope();
let port: number;

beforeAll(async () => {
  ({ port } = await Broker.start(shared));
});
afterEach(() => scope.close());
afterAll(() => shared.close());

describe.each([4, 5] as const)('a session of level %d', (level) => {
  const kept: ConnectOptions = {
    clean: false,
    ...(level === 5 && { properties: { sessionExpiryInterval: 100 } }),
  };
  const connect = async (options: ConnectOptions) => {
    const wire = await Wire.open(scope, port, level);
    const { sessionPresent } = await wire.connect(options);
    return { wire, sessionPresent };
  };

  it('goes on where its client left it, under the client identifier [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.1.2-23] [MQTT-3.1.3-2] [MQTT-3.2.2-3] [MQTT-4.5.0-1] [MQTT3-3.1.2-4] [MQTT3-3.1.2-5] [MQTT3-3.1.3-2] [MQTT3-3.2.2-2] [MQTT3-3.2.2-3] [MQTT3-4.1.0-1] [MQTT3-4.5.0-1]', async () => {
    const own = { ...kept, clientId: uniqueId() };
    const topic = `kept/${own.clientId}`;
    const first = await connect(own);
    expect(first.sessionPresent).toBe(false);
    await first.wire.subscribe(topic, 2);
    await first.wire.leave();
    const publisher = await Wire.connected(scope, port, { level });
    for (const qos of [1, 2, 1] as const) publisher.publish(topic, `with ${String(qos)}`, { qos });
    expect((await publisher.idle()).length).toBe(3);

    const other = await connect({ ...kept, clientId: uniqueId() });
    expect(other.sessionPresent).toBe(false);
    expect(await other.wire.idle()).toEqual([]);
    const next = await connect(own);
    expect(next.sessionPresent).toBe(true);
    const texts = [];
    for (let count = 0; count < 3; count += 1) texts.push(textOf(await next.wire.next('publish')));
    expect(texts).toEqual(['with 1', 'with 2', 'with 1']);
    expect(await next.wire.idle()).toEqual([]);
  });

  it('begins anew with a clean start, which leaves nothing behind either [MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2] [MQTT3-3.1.2-6] [MQTT3-3.1.4-3] [MQTT3-3.2.2-1]', async () => {
    const clientId = uniqueId();
    const first = await connect({ ...kept, clientId });
    await first.wire.subscribe(`clean/${clientId}`, 1);
    await first.wire.leave();
    const clean = await connect({ clientId, clean: true });
    expect(clean.sessionPresent).toBe(false);
    await clean.wire.deliver(`clean/${clientId}`, 'x');
    expect(await clean.wire.idle()).toEqual([]);
    await clean.wire.subscribe(`clean/${clientId}`, 1);
    await clean.wire.leave();
    const last = await connect({ ...kept, clientId });
    expect(last.sessionPresent).toBe(false);
  });

  it('does not take retained messages along when it ends [MQTT3-3.1.2-7]', async () => {
    const { wire } = await connect({ clientId: uniqueId(), clean: true });
    const topic = `stays/${uniqueId()}`;
    await wire.deliver(topic, 'x', { retain: true });
    await wire.leave();
    const reader = await Wire.connected(scope, port, { level });
    await reader.subscribe(topic);
    expect(await reader.messages()).toEqual(['x']);
  });

  it('sends again what is unacknowledged, in its order, under its packet identifiers and with DUP, and only when its client comes back [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.4.0-1] [MQTT3-2.3.1-4] [MQTT3-3.3.1-1] [MQTT3-4.3.2-1] [MQTT3-4.4.0-1] [MQTT3-4.6.0-1]', async () => {
    const own = { ...kept, clientId: uniqueId() };
    const topic = `again/${own.clientId}`;
    const first = await connect(own);
    await first.wire.subscribe(topic, 2);
    const publisher = await Wire.connected(scope, port, { level });
    for (const [text, qos] of [
      ['a', 1],
      ['b', 2],
      ['c', 1],
    ] as const) {
      publisher.publish(topic, text, { qos });
    }
    await publisher.idle();
    const sent = await first.wire.idle();
    expect(sent.map(textOf)).toEqual(['a', 'b', 'c']);
    expect(sent.map((packet) => packet.cmd === 'publish' && packet.dup)).toEqual([
      false,
      false,
      false,
    ]);
    first.wire.send({ cmd: 'puback', messageId: sent[0]?.messageId ?? 0 });
    expect(await first.wire.idle()).toEqual([]);
    first.wire.cut();

    const next = await connect(own);
    const again = [await next.wire.next('publish'), await next.wire.next('publish')];
    expect(await next.wire.idle()).toEqual([]);
    expect(again.map(textOf)).toEqual(['b', 'c']);
    expect(again.map(({ messageId }) => messageId)).toEqual(
      sent.slice(1).map(({ messageId }) => messageId),
    );
    expect(again.map(({ dup }) => dup)).toEqual([true, true]);
  });

  it('sends PUBREL again, and not the message, after PUBREC [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT3-4.3.3-1]', async () => {
    const own = { ...kept, clientId: uniqueId() };
    const topic = `release/${own.clientId}`;
    const first = await connect(own);
    await first.wire.subscribe(topic, 2);
    const publisher = await Wire.connected(scope, port, { level });
    publisher.publish(topic, 'x', { qos: 2 });
    const { messageId = 0 } = await first.wire.next('publish');
    first.wire.send({ cmd: 'pubrec', messageId });
    expect((await first.wire.next('pubrel')).messageId).toBe(messageId);
    first.wire.cut();

    const next = await connect(own);
    expect((await next.wire.next('pubrel')).messageId).toBe(messageId);
    expect(await next.wire.idle()).toEqual([]);
    next.wire.send({ cmd: 'pubcomp', messageId });
    await next.wire.idle();
    next.wire.cut();
    const last = await connect(own);
    expect(await last.wire.idle()).toEqual([]);
  });

  it('lasts as long as its connection [MQTT-4.1.0-1] [MQTT3-4.1.0-2]', async () => {
    const clientId = uniqueId();
    const short = level === 5 ? { properties: { sessionExpiryInterval: 1 } } : {};
    const { wire } = await connect({ clientId, clean: level === 4, ...short });
    await wire.subscribe(`lasts/${clientId}`, 1);
    const publisher = await Wire.connected(scope, port, { level });
    const startedAt = performance.now();
    // Longer than the expiry interval, which does not begin before the end of the connection.
    await until(() => performance.now() - startedAt > 2_500, WAIT_MS);
    await publisher.deliver(`lasts/${clientId}`, 'x');
    expect(await wire.messages()).toEqual(['x']);
  });
});

describe('a session of MQTT 5', () => {
  it('ends when its time has passed after the connection [MQTT-4.1.0-2]', async () => {
    const own = { clientId: uniqueId(), clean: false };
    const properties = { sessionExpiryInterval: 1 };
    const first = await Wire.connected(scope, port, { ...own, properties });
    await first.leave();
    const startedAt = performance.now();
    await until(() => performance.now() - startedAt > 2_500, WAIT_MS);
    const next = await Wire.open(scope, port);
    expect(await next.connect({ ...own, properties })).toMatchObject({ sessionPresent: false });
  });

  it('does not send again what its client has refused [MQTT-4.4.0-2]', async () => {
    const own = { clientId: uniqueId(), clean: false, properties: { sessionExpiryInterval: 100 } };
    const first = await Wire.connected(scope, port, own);
    await first.subscribe(`refused/${own.clientId}`, 2);
    const publisher = await Wire.connected(scope, port);
    publisher.publish(`refused/${own.clientId}`, 'a', { qos: 1 });
    publisher.publish(`refused/${own.clientId}`, 'b', { qos: 2 });
    await publisher.idle();
    const [a, b] = await first.idle();
    first.send(
      { cmd: 'puback', messageId: a?.messageId ?? 0, reasonCode: 0x80 },
      { cmd: 'pubrec', messageId: b?.messageId ?? 0, reasonCode: 0x97 },
    );
    expect(await first.idle()).toEqual([]);
    first.cut();
    const next = await Wire.connected(scope, port, own);
    expect(await next.idle()).toEqual([]);
  });
});
