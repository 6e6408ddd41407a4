import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import kafkajs, { type Kafka, type Producer } from 'kafkajs';
import { MockKafka } from './mock-kafka.ts';

let mock: MockKafka;
let kafka: Kafka;
let producer: Producer;

beforeEach(async () => {
  mock = await MockKafka.start();
  await mock.topic('t', 1);
  await mock.leader('t', 0, 1);
  const logLevel = kafkajs.logLevel.NOTHING;
  const retry = { retries: 0, initialRetryTime: 10 };
  kafka = new kafkajs.Kafka({
    brokers: mock.brokers.split(','),
    clientId: 'spec',
    logLevel,
    retry,
  });
  producer = kafka.producer();
  await producer.connect();
}, 60_000);

afterEach(async () => {
  await producer.disconnect();
  await mock.stop();
});

const send = (value: string): Promise<unknown> =>
  producer.send({ topic: 't', messages: [{ value, partition: 0 }] });

async function stored(): Promise<number> {
  const admin = kafka.admin();
  await admin.connect();
  const [end] = await admin.fetchTopicOffsets('t');
  await admin.disconnect();
  return Number(end?.high);
}

describe('a mock Kafka', () => {
  it('fails single requests with the errors it was told, in order', async () => {
    await mock.fail('produce', ['notEnoughReplicas', 'topicAuthorizationFailed']);
    await expect(send('1')).rejects.toThrow('fewer in-sync replicas');
    await expect(send('2')).rejects.toThrow('Not authorized');
    await send('3');
    expect(await stored()).toBe(1);
  });

  it('stores a batch whose answer is lost', async () => {
    const lost = mock.loseAnswer(1, 'produce');
    // Commands are carried out in order: with the answer to this one, the loss is prepared.
    await mock.topic('later', 1);
    await expect(send('1')).rejects.toThrow('onnection');
    await lost;
    expect(await stored()).toBe(1);
  });

  it('refuses connections to a broker that is down, and takes them when it is up', async () => {
    await mock.down(1);
    await expect(send('1')).rejects.toThrow('onnect');
    await mock.up(1);
    await producer.connect();
    await send('2');
    expect(await stored()).toBe(1);
  });

  it('says why it does not carry out a command', async () => {
    await expect(mock.leader('t', 0, 9)).rejects.toThrow('leader t 0 9: ERR');
    await mock.topic('u', 2);
  });
});
