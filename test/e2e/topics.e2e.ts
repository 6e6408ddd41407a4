import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { IConnackPacket } from 'mqtt-packet';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { MosquittoSub, mosquittoPub } from './harness/mosquitto.ts';
import { Scope } from './harness/scope.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RETAIN_NOT_SUPPORTED = 0x9a;
const QOS_NOT_SUPPORTED = 0x9b;
const WAIT_MS = 20_000;

const scope = new Scope();
afterEach(() => scope.close());

describe('a node with the topics of the documentation', () => {
  const shared = new Scope();
  let node: Broker;

  beforeAll(async () => {
    node = await Broker.start(shared, { CONFIG: `${ROOT}docs/fixtures/topics.yaml` });
  });
  afterAll(() => shared.close());

  const tenant = (username: string, options = {}): Promise<Client> =>
    Client.connect(scope, node.wsUrl, { username, ...options });

  it('rewrites what devices of mosquitto publish and subscribe to', async () => {
    const renamed = await MosquittoSub.open(scope, node.port, ['-q', '1', '-t', 'devices/#']);
    const old = await MosquittoSub.open(scope, node.port, ['-q', '1', '-t', 'sensor/+/#']);
    await mosquittoPub(scope, node.port, ['-q', '1', '-t', 'sensor/7/temp/max', '-m', '21']);
    const status = ['-i', 'pump', '-V', '311', '-q', '2', '-t', 'status', '-m', 'up'];
    await mosquittoPub(scope, node.port, status);
    expect(await renamed.receives(2)).toEqual([
      'devices/7/telemetry/temp/max q1 r0 21',
      'devices/pump/status q1 r0 up',
    ]);
    expect(await old.receives(1)).toEqual(['devices/7/telemetry/temp/max q1 r0 21']);
  });

  it('subscribes each client to its own commands, which it may give up', async () => {
    const valve = await Client.connect(scope, node.url, { clientId: 'valve' });
    const command = ['-q', '1', '-t', 'devices/valve/commands', '-m'];
    await mosquittoPub(scope, node.port, [...command, 'open']);
    expect(await valve.receives(1)).toMatchObject([{ payload: 'open', qos: 1 }]);
    await valve.mqtt.unsubscribeAsync('devices/valve/commands');
    await mosquittoPub(scope, node.port, [...command, 'shut']);
    await valve.subscribe('end');
    await mosquittoPub(scope, node.port, ['-q', '1', '-t', 'end', '-m', 'end']);
    await valve.receivesAll(['end']);
    expect(valve.payloads).toEqual(['open', 'end']);
  });

  it('parts the tenants of a listener, and shows them all to the others', async () => {
    const operator = await MosquittoSub.open(scope, node.port, ['-q', '1', '-t', 'tenants/#']);
    const [acme, rival] = [await tenant('acme'), await tenant('rival')];
    for (const client of [acme, rival]) await client.subscribe('#');
    await acme.publish('line/1', 'theirs');
    await mosquittoPub(scope, node.port, ['-q', '1', '-t', 'tenants/acme/line/2', '-m', 'ours']);
    await mosquittoPub(scope, node.port, ['-q', '1', '-t', 'line/2', '-m', 'nobody']);
    expect(await acme.receives(2)).toMatchObject([
      { topic: 'line/1', payload: 'theirs' },
      { topic: 'line/2', payload: 'ours' },
    ]);
    expect(await operator.receives(2)).toEqual([
      'tenants/acme/line/1 q1 r0 theirs',
      'tenants/acme/line/2 q1 r0 ours',
    ]);
    expect(rival.received).toEqual([]);
    const nameless = new Client(scope, node.wsUrl);
    const refusal = new Promise<Error>((resolve) => nameless.mqtt.once('error', resolve));
    expect((await refusal).message).toContain('Bad User Name or Password');
  });

  it('tells the clients of a listener what they may not do, and holds them to it', async () => {
    const client = new Client(scope, node.wsUrl, {
      username: 'acme',
      properties: { sessionExpiryInterval: 86_400 },
    });
    const connack = new Promise<IConnackPacket>((resolve) => client.mqtt.once('connect', resolve));
    expect((await connack).properties).toMatchObject({
      maximumQoS: 1,
      retainAvailable: false,
      sharedSubscriptionAvailable: false,
      sessionExpiryInterval: 3600,
    });
    expect(await client.subscribe('a', 2)).toEqual([1]);
    await expect(client.mqtt.subscribeAsync('$share/g/a')).rejects.toThrow(
      'Shared Subscriptions not supported',
    );
    for (const [options, reasonCode] of [
      [{ qos: 2 }, QOS_NOT_SUPPORTED],
      [{ qos: 0, retain: true }, RETAIN_NOT_SUPPORTED],
    ] as const) {
      const breaking = await tenant('acme');
      breaking.mqtt.publish('a', 'x', options);
      await breaking.closed();
      expect(breaking.disconnects).toEqual([reasonCode]);
    }
    const { ops } = node;
    expect(await ops.metric('skein_broker_disconnects_total', 'reason="protocol_error"')).toBe(2);
  });

  it('publishes $SYS as mosquitto and EMQX do, and lets nobody else', async () => {
    const watcher = await Client.connect(scope, node.url);
    await watcher.subscribe('$SYS/#');
    const at = (topic: string): string | undefined =>
      watcher.received.findLast((message) => message.topic === topic)?.payload;
    expect(at('$SYS/broker/version')).toMatch(/^skein version \d+\.\d+\.\d+/);
    expect(at(`$SYS/brokers/${node.id}/version`)).toMatch(/^\d+\.\d+\.\d+/);
    const first = watcher.received.length;
    expect(watcher.received.every(({ retain }) => retain)).toBe(true);
    await watcher.receives(first + 1, WAIT_MS);
    expect(Number(at('$SYS/broker/publish/messages/sent'))).toBeGreaterThanOrEqual(first);
    expect(at('$SYS/broker/uptime')).toMatch(/^\d+ seconds$/);
    await expect(
      watcher.publish('$SYS/broker/version', 'mine', { qos: 1, retain: true }),
    ).rejects.toThrow('Not authorized');
  });
});
