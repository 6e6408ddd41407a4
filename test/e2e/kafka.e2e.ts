import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { KafkaForTests, bridgeTo } from './harness/kafka.ts';
import { MosquittoSub, mosquittoPub } from './harness/mosquitto.ts';
import { Scope } from './harness/scope.ts';

const IMPLEMENTATION_SPECIFIC_ERROR = 0x83;
const START_MS = 300_000;

const scope = new Scope();
afterEach(() => scope.close());

describe('three nodes and a Kafka', () => {
  const shared = new Scope();
  let kafka: KafkaForTests;

  beforeAll(async () => {
    kafka = await KafkaForTests.open(shared);
  }, START_MS);
  afterAll(() => shared.close(), START_MS);

  it('carry telemetry to Kafka and to a subscriber, and commands from Kafka to devices', async () => {
    const [telemetry, commands] = [await kafka.topic('telemetry'), await kafka.topic('commands')];
    const sent = await kafka.topic('sent');
    const rules = [
      {
        id: 'telemetry',
        direction: 'mqtt-to-kafka',
        filter: 'devices/+/telemetry',
        topic: telemetry,
        key: '${clientId}',
        headers: { device: '${topic[1]}' },
        ack: 'kafka',
      },
      {
        id: 'commands',
        direction: 'kafka-to-mqtt',
        topic: commands,
        mqttTopic: 'devices/${key}/commands',
        qos: 1,
      },
      ...[true, false].map((allowLoop) => ({
        id: `sent-${String(allowLoop)}`,
        direction: 'mqtt-to-kafka',
        filter: 'devices/+/commands',
        topic: sent,
        key: '${topic[1]}',
        ack: 'none',
        allowLoop,
      })),
    ];
    const settings = bridgeTo(kafka.brokers, rules);
    const [first, second, third] = (await startCluster(scope, settings)).nodes;

    const reader = ['-V', '5', '-t', 'devices/+/telemetry', '-q', '1'];
    const backend = await MosquittoSub.open(scope, third.port, reader);
    const device = ['-V', '311', '-i', 'sensor-1', '-t', 'devices/d1/telemetry', '-q', '1'];
    await mosquittoPub(scope, first.port, [...device, '-m', '{"t":21}']);
    expect(await backend.receives(1)).toEqual(['devices/d1/telemetry q1 r0 {"t":21}']);
    const [record = ''] = await kafka.read(scope, telemetry, 1);
    const [key, headers, value] = record.split('|');
    expect([key, value]).toEqual(['sensor-1', '{"t":21}']);
    expect(headers?.split(',')).toEqual(
      expect.arrayContaining([
        'device=d1',
        'mqtt-topic=devices/d1/telemetry',
        'mqtt-client-id=sensor-1',
        'mqtt-qos=1',
        `mqtt-node=${first.id}`,
      ]),
    );

    // Whichever node consumes a partition, two of these three are others.
    const all = ['-t', 'devices/+/commands', '-q', '1'];
    const devices = [
      await MosquittoSub.open(scope, first.port, all),
      await MosquittoSub.open(scope, second.port, all),
      await MosquittoSub.open(scope, third.port, all),
    ];
    const ids = Array.from({ length: 9 }, (_, count) => `d${String(count)}`);
    await kafka.write(
      scope,
      commands,
      ids.map((id) => `${id}:reboot`),
    );
    for (const each of devices) {
      const received = await each.receives(ids.length);
      expect(received.toSorted()).toEqual(ids.map((id) => `devices/${id}/commands q1 r0 reboot`));
    }
    await kafka.read(scope, sent, ids.length);
    await Promise.all([first.stop(), second.stop(), third.stop()]);
    const records = (await kafka.readAll(scope, sent)).map((record) => record.split('|')[0] ?? '');
    expect(records.toSorted()).toEqual(ids);
  }, 90_000);
});

describe('without the Kafka of its rules', () => {
  it('a node serves MQTT as ever, and refuses only what it was to confirm', async () => {
    const rules = ['none', 'kafka'].map((ack) => ({
      id: ack,
      direction: 'mqtt-to-kafka',
      filter: `ack-${ack}/#`,
      topic: ack,
      ack,
    }));
    const node = await Broker.start(scope, {
      ...bridgeTo(`127.0.0.1:${String(await freePort())}`, rules),
      BRIDGE_ACK_TIMEOUT_MS: 500,
    });
    const client = await Client.connect(scope, node.url);
    await client.subscribe('#');
    await client.publish('unrelated/t', '1');
    await client.publish('ack-none/t', '2');
    await expect(client.publish('ack-kafka/t', '3')).rejects.toMatchObject({
      code: IMPLEMENTATION_SPECIFIC_ERROR,
    });
    await client.publish('unrelated/t', '4');
    await client.receives(3);

    expect(client.payloads).toEqual(expect.arrayContaining(['1', '2', '4']));
    expect(client.closes).toBe(0);
    expect(await node.ops.health('ready')).toBe(200);
    await node.stop();
  });
});
