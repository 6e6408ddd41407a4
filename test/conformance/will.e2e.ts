import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Broker } from '../e2e/harness/broker.ts';
import { Scope } from '../e2e/harness/scope.ts';
import { Wire, uniqueId } from './wire.ts';

const shared = new Scope();
const scope = new Scope();
let port: number;

beforeAll(async () => {
  ({ port } = await Broker.start(shared));
});
afterEach(() => scope.close());
afterAll(() => shared.close());

describe.each([4, 5] as const)('the will of a client of level %d', (level) => {
  const willAt = (topic: string, retain = false) => ({
    topic,
    payload: Buffer.from(`will of ${topic}`),
    qos: 1 as const,
    retain,
  });

  it('is published when the connection breaks, and once [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT3-3.1.2-8] [MQTT3-3.1.2-10]', async () => {
    const topic = `will/${uniqueId()}`;
    const clientId = uniqueId();
    const watcher = await Wire.connected(scope, port, { level });
    await watcher.subscribe(topic, 1);
    const wire = await Wire.connected(scope, port, { level, clientId, will: willAt(topic) });
    wire.cut();
    const message = await watcher.next('publish');
    expect([message.topic, message.payload.toString(), message.qos]).toEqual([
      topic,
      `will of ${topic}`,
      1,
    ]);
    const again = await Wire.connected(scope, port, { level, clientId });
    again.cut();
    const last = await Wire.connected(scope, port, { level, clientId });
    await last.idle();
    expect(await watcher.idle()).toEqual([]);
  });

  it('is not published after DISCONNECT, nor where there is none [MQTT-3.14.4-3] [MQTT-3.1.2-10] [MQTT3-3.14.4-3] [MQTT3-3.1.2-12]', async () => {
    const clientId = uniqueId();
    const topic = `will/${clientId}`;
    const watcher = await Wire.connected(scope, port, { level });
    await watcher.subscribe(`${topic}/#`, 1);
    const wire = await Wire.connected(scope, port, { level, clientId, will: willAt(topic) });
    await wire.leave();
    const without = await Wire.connected(scope, port, { level, clientId });
    without.cut();
    const next = await Wire.connected(scope, port, { level, clientId });
    await next.idle();
    expect(await watcher.idle()).toEqual([]);
  });

  it('is retained if it asks for it, and only then [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT3-3.1.2-16] [MQTT3-3.1.2-17]', async () => {
    const root = `will/${uniqueId()}`;
    const watcher = await Wire.connected(scope, port, { level });
    await watcher.subscribe(`${root}/+`, 1);
    for (const retain of [false, true]) {
      const topic = `${root}/${String(retain)}`;
      const wire = await Wire.connected(scope, port, { level, will: willAt(topic, retain) });
      wire.cut();
      await watcher.next('publish');
    }
    const late = await Wire.connected(scope, port, { level });
    await late.subscribe(`${root}/+`, 1);
    expect(await late.messages()).toEqual([`will of ${root}/true`]);
  });
});

describe('the will of MQTT 5', () => {
  it('carries its properties, the user properties in their order [MQTT-3.1.3-10]', async () => {
    const topic = `will/${uniqueId()}`;
    const watcher = await Wire.connected(scope, port);
    await watcher.subscribe(topic, 1);
    const userProperties = { b: ['2', '1'], a: '3' };
    const properties = { contentType: 'text/plain', responseTopic: 'answers', userProperties };
    const will = { topic, payload: Buffer.from('x'), qos: 1 as const, retain: false, properties };
    const wire = await Wire.connected(scope, port, { will });
    wire.cut();
    await watcher.next('publish');
    // The order between different names is lost in mqtt-packet's object: it is looked at in the bytes.
    const order = Buffer.from('26000162000132260001620001312600016100013300', 'hex').subarray(
      0,
      21,
    );
    expect(watcher.bytes.includes(order)).toBe(true);
    expect(watcher.bytes.includes(Buffer.from('text/plain'))).toBe(true);
    expect(watcher.bytes.includes(Buffer.from('answers'))).toBe(true);
  });

  it('is not sent if its client comes back before the delay is over [MQTT-3.1.3-9] [MQTT-3.1.2-8]', async () => {
    const topic = `will/${uniqueId()}`;
    const watcher = await Wire.connected(scope, port);
    await watcher.subscribe(topic, 1);
    const clientId = uniqueId();
    const session = { clientId, clean: false, properties: { sessionExpiryInterval: 100 } };
    const properties = { willDelayInterval: 1 };
    const will = { topic, payload: Buffer.from('x'), qos: 1 as const, retain: false, properties };
    const first = await Wire.connected(scope, port, { ...session, will });
    first.cut();
    const second = await Wire.connected(scope, port, { ...session, will });
    const startedAt = performance.now();
    second.cut();
    await watcher.next('publish');
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(950);
    expect(await watcher.idle()).toEqual([]);
  });

  it.each([0x04, 0x80, 0x98])(
    'is published after DISCONNECT 0x%s [MQTT-3.1.2-8]',
    async (reasonCode) => {
      const topic = `will/${uniqueId()}`;
      const watcher = await Wire.connected(scope, port);
      await watcher.subscribe(topic);
      const will = { topic, payload: Buffer.from('x'), qos: 0 as const, retain: false };
      const wire = await Wire.connected(scope, port, { will });
      wire.send({ cmd: 'disconnect', reasonCode });
      expect((await watcher.next('publish')).topic).toBe(topic);
    },
  );
});
