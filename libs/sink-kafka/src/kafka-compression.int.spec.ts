import { afterAll, beforeAll, expect, it } from '@jest/globals';
import kafkajs from 'kafkajs';
import type { KafkaConnector } from '#libs/broker-ports';
import { kafkaServer, silentLog, until } from '#libs/testkit';
import { kafkaSinks } from './index.ts';

const START_MS = 300_000;
const WAIT_MS = 30_000;
const COMPRESSIONS = ['none', 'gzip', 'lz4', 'zstd'] as const;

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
  const topics = COMPRESSIONS.map((topic) => ({ topic, numPartitions: 1 }));
  await admin.createTopics({ topics, waitForLeaders: true });
  await admin.disconnect();
}, START_MS);

afterAll(() => server.run('stop'), START_MS);

it.each(COMPRESSIONS)(
  'stores batches with compression %s, which can be read',
  async (compression) => {
    const connector: KafkaConnector = {
      ...{ id: 'main', kind: 'kafka', brokers: [server.brokers], clientId: 'skein' },
      compression,
    };
    const sink = kafkaSinks('n1', () => '').open(connector, { id: 'rule' }, silentLog);
    const values = Array.from({ length: 100 }, (_, index) => `${'alike '.repeat(50)}${index}`);
    const records = values.map((value) => ({
      ...{ target: compression, key: Buffer.from('k'), value: Buffer.from(value), headers: {} },
      timestampMs: Date.now(),
    }));
    expect(await sink.send(compression, 0, records)).toEqual([0]);
    await sink.close();
    const seen: string[] = [];
    const consumer = client.consumer({ groupId: compression, maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topics: [compression], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ message }) => {
        seen.push(String(message.value));
        return Promise.resolve();
      },
    });
    await until(() => seen.length >= values.length, WAIT_MS);
    await consumer.disconnect();
    expect(seen).toEqual(values);
  },
  2 * WAIT_MS,
);
