import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import kafkajs, { type Admin } from 'kafkajs';
import { RuleBridge } from '#libs/bridge';
import type { BridgeRule } from '#libs/broker-ports';
import {
  countingMeter,
  type CountingMeter,
  GIVEN_KAFKA,
  kafkaServer,
  makeTopics,
  messageOf,
  silentLog,
  until,
} from '#libs/testkit';
import { kafkaSinks } from './index.ts';

const WAIT_MS = 30_000;
const RUN = String(Date.now());
/** What the topics of these tests take. */
const RECORD_BYTES_MAX = 20_000;

const server = kafkaServer();
const brokers = (GIVEN_KAFKA ?? server.brokers).split(',');
const client = new kafkajs.Kafka({
  brokers,
  clientId: 'spec',
  logLevel: kafkajs.logLevel.NOTHING,
});

interface Stored {
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

describe('dead letters on a real Kafka', () => {
  let admin: Admin;
  let counting: CountingMeter;

  beforeAll(async () => {
    if (GIVEN_KAFKA === undefined) await server.run('start', '1');
    admin = client.admin();
    await admin.connect();
  }, 300_000);

  afterAll(async () => {
    await admin.disconnect();
    await server.run('stop');
  }, 100_000);

  async function topicOf(name: string): Promise<string> {
    const topic = `letters-${name}-${RUN}`;
    const configEntries = [{ name: 'max.message.bytes', value: String(RECORD_BYTES_MAX) }];
    await makeTopics(admin, [{ topic, numPartitions: 1, configEntries }]);
    return topic;
  }

  function bridge(): RuleBridge {
    counting = countingMeter();
    return new RuleBridge({
      connectors: [
        { id: 'main', kind: 'kafka', brokers, clientId: `skein-${RUN}`, compression: 'none' },
      ],
      sinks: [kafkaSinks('n1', () => '')],
      sources: [],
      limits: {
        ...{ ackTimeoutMs: 20_000, lingerMs: 10, batchRecordsMax: 500, batchBytesMax: 262_144 },
        bufferBytesMax: 64 * 1_024 * 1_024,
      },
      inject: (_message, done) => done(),
      messageLimits: {
        ...{ topicLevelsMax: 8, packetBytesMax: 1_000_000, retainedMessageBytesMax: 1_000_000 },
      },
      clock: { nowMs: Date.now, monotonicMs: Date.now },
      log: silentLog,
      meter: counting.meter,
    });
  }

  const ruleTo = (topic: string, deadLetterTopic: string): BridgeRule => ({
    ...{ id: 'telemetry', bridge: 'main', direction: 'mqtt-to-kafka', enabled: true, topic },
    ...{ filter: 'a/#', key: '${clientId}', partition: 'key', headers: {}, ack: 'kafka' },
    deadLetterTopic,
  });

  /** Offers payloads at once; resolves with the answers when all are there. */
  async function offerAll(node: RuleBridge, payloads: readonly string[]): Promise<string[]> {
    const answers: string[] = [];
    for (const [sequence, payload] of payloads.entries()) {
      const message = messageOf({
        ...{ topic: 'a/b', publisher: 'c1', sequence, receivedAtMs: Date.now() },
        payload: Buffer.from(payload),
      });
      node.offer(message, (error) => answers.push(error?.code ?? 'ok'));
    }
    await until(() => answers.length === payloads.length, WAIT_MS);
    return answers;
  }

  async function read(topic: string, count: number): Promise<readonly Stored[]> {
    const found: Stored[] = [];
    const consumer = client.consumer({ groupId: `${topic}-reader`, maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ message: { value, headers = {} } }) => {
        const texts = Object.entries(headers).map(([name, text]) => [name, String(text)]);
        found.push({
          value: String(value),
          headers: Object.fromEntries(texts) as Record<string, string>,
        });
        return Promise.resolve();
      },
    });
    await until(() => found.length >= count, WAIT_MS);
    await consumer.disconnect();
    return found;
  }

  it('hold what the topic does not take, cut when that of the letters does not either', async () => {
    const [topic, dead] = [await topicOf('small'), await topicOf('dead')];
    const node = bridge();
    node.apply([ruleTo(topic, dead)]);
    const large = 'x'.repeat(RECORD_BYTES_MAX);
    expect(await offerAll(node, ['1', large, '2'])).toEqual(['ok', 'ok', 'ok']);
    await node.close();
    expect((await read(topic, 2)).map(({ value }) => value)).toEqual(['1', '2']);
    expect(await read(dead, 1)).toEqual([
      {
        value: large.slice(0, 1_024),
        headers: {
          ...{
            'mqtt-topic': 'a/b',
            'mqtt-client-id': 'c1',
            'mqtt-qos': '1',
            'mqtt-retain': 'false',
          },
          ...{ 'mqtt-msg-id': expect.any(String), 'mqtt-node': expect.any(String) },
          'skein-rule': 'telemetry',
          'skein-error': expect.any(String),
          'skein-error-stage': 'produce',
          'skein-error-reason': 'too_large',
          'skein-target': topic,
          'skein-value-bytes': String(RECORD_BYTES_MAX),
        },
      },
    ]);
    expect(counting.counts.get('bridgeDeadLetters')).toBe(1);
  }, 60_000);

  it('leave batches as large as the topic takes them', async () => {
    const [topic, dead] = [await topicOf('batches'), await topicOf('unused')];
    const node = bridge();
    node.apply([ruleTo(topic, dead)]);
    const payloads = Array.from({ length: 300 }, (_, index) => String(index).padEnd(1_000, '.'));
    const answers = await offerAll(node, payloads);
    await node.close();
    expect(new Set(answers)).toEqual(new Set(['ok']));
    expect((await read(topic, 300)).map(({ value }) => value)).toEqual(payloads);
    expect(counting.counts.get('bridgeDeadLetters')).toBeUndefined();
  }, 60_000);
});
