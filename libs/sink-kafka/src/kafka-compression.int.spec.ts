import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import kafkajs from 'kafkajs';
import type { KafkaConnector, KafkaToMqttRule } from '#libs/broker-ports';
import { kafkaServer, makeTopics, silentLog, until } from '#libs/testkit';
import { DECOMPRESSED_BYTES_MAX } from './compression.ts';
import { kafkaSinks, kafkaSources } from './index.ts';

const START_MS = 300_000;
const WAIT_MS = 30_000;
const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
const VALUES = Array.from({ length: 3_000 }, (_, index) => `${'alike '.repeat(20)}${index}`);

const RULE: KafkaToMqttRule = {
  ...{ id: 'rule', bridge: 'main', direction: 'kafka-to-mqtt', enabled: true },
  ...{ topic: 'bomb', mqttTopic: 'm', qos: 1, retain: false },
};

const server = kafkaServer();
const client = new kafkajs.Kafka({
  brokers: [server.brokers],
  clientId: 'spec',
  logLevel: kafkajs.logLevel.NOTHING,
});

beforeAll(async () => {
  await server.run('start', '1');
  const admin = client.admin();
  await admin.connect();
  const topics = COMPRESSIONS.flatMap((compression) => [
    topicOf(compression),
    topicOf(`${compression}-kcat`),
    // The broker is in Java: it reads what comes and writes it anew.
    topicOf(`${compression}-read`, 'uncompressed'),
    topicOf(`${compression}-written`, compression === 'none' ? 'uncompressed' : compression),
  ]);
  topics.push(topicOf('bomb'));
  await makeTopics(admin, topics);
  await admin.disconnect();
}, START_MS);

afterAll(() => server.run('stop'), START_MS);

function topicOf(topic: string, compression = 'producer'): kafkajs.ITopicConfig {
  const configEntries = [{ name: 'compression.type', value: compression }];
  return { topic, numPartitions: 1, configEntries };
}

function connectorOf(compression: KafkaConnector['compression']): KafkaConnector {
  const place = {
    id: 'main',
    kind: 'kafka',
    brokers: [server.brokers],
    clientId: 'skein',
  } as const;
  return { ...place, compression };
}

/** Stores the values with the sink of a connector. */
async function send(
  topic: string,
  compression: KafkaConnector['compression'],
): Promise<readonly number[]> {
  const sink = kafkaSinks('n1', () => '').open(connectorOf(compression), { id: 'rule' }, silentLog);
  const records = VALUES.map((value) => ({
    ...{ target: topic, key: Buffer.from('k'), value: Buffer.from(value), headers: {} },
    timestampMs: Date.now(),
  }));
  const lanes = await sink.send(topic, 0, records);
  await sink.close();
  return lanes;
}

/** Reads as many values with the client that sources use, under its codecs. */
async function read(topic: string): Promise<readonly string[]> {
  const seen: string[] = [];
  const consumer = client.consumer({ groupId: topic, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: ({ message }) => {
      seen.push(String(message.value));
      return Promise.resolve();
    },
  });
  await until(() => seen.length >= VALUES.length, WAIT_MS);
  await consumer.disconnect();
  return seen;
}

function kcat(args: readonly string[], input = ''): string {
  return execFileSync('kcat', ['-b', server.brokers, ...args], { input, encoding: 'utf8' });
}

describe.each(COMPRESSIONS)('compression %s', (compression) => {
  it(
    'is written so that every client can read it',
    async () => {
      expect(await send(compression, compression)).toEqual([0]);
      expect(await read(compression)).toEqual(VALUES);
      const args = ['-C', '-t', compression, '-o', 'beginning', '-e', '-q'];
      expect(kcat(args).trimEnd().split('\n')).toEqual(VALUES);
    },
    2 * WAIT_MS,
  );

  it(
    'is read by a broker that stores the records without it',
    async () => {
      expect(await send(`${compression}-read`, compression)).toEqual([0]);
      expect(await read(`${compression}-read`)).toEqual(VALUES);
    },
    2 * WAIT_MS,
  );

  it(
    'is read as Java writes it',
    async () => {
      expect(await send(`${compression}-written`, 'none')).toEqual([0]);
      expect(await read(`${compression}-written`)).toEqual(VALUES);
    },
    2 * WAIT_MS,
  );

  it(
    'is read as librdkafka writes it',
    async () => {
      const args = ['-P', '-t', `${compression}-kcat`, '-z', compression];
      kcat(args, VALUES.map((value) => `${value}\n`).join(''));
      expect(await read(`${compression}-kcat`)).toEqual(VALUES);
    },
    2 * WAIT_MS,
  );
});

it(
  'a batch that is too large when decompressed is refused, and that is told',
  async () => {
    const producer = client.producer();
    await producer.connect();
    await producer.send({
      topic: 'bomb',
      compression: kafkajs.CompressionTypes.GZIP,
      messages: [{ value: Buffer.alloc(DECOMPRESSED_BYTES_MAX) }],
    });
    await producer.disconnect();
    const admin = client.admin();
    await admin.connect();
    const partitions = [{ partition: 0, offset: '0' }];
    await admin.setOffsets({ groupId: 'skein-rule', topic: 'bomb', partitions });
    await admin.disconnect();
    const told: string[] = [];
    const source = kafkaSources('n1', () => '').open(connectorOf('none'), RULE, {
      handler: {
        joined: () => undefined,
        rebalanced: () => undefined,
        failed: ({ message }) => told.push(message),
        batch: () => Promise.resolve(0),
      },
      log: silentLog,
    });
    await until(() => told.length > 0, 2 * WAIT_MS);
    await source.close();
    expect(told[0]).toBe('a batch of gzip takes more than 64 MiB when decompressed');
  },
  4 * WAIT_MS,
);
