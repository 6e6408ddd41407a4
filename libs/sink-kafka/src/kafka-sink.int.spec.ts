import kafkajs from 'kafkajs';
import type { KafkaConnector } from '#libs/broker-ports';
import {
  freePort,
  kafkaServer,
  makeTopics,
  type ReceivedRecord,
  type ReceiverUnderTest,
  silentLog,
  sinkContract,
  until,
} from '#libs/testkit';
import { kafkaSinks } from './index.ts';

const WAIT_MS = 30_000;
const noSecrets = (): string => '';

async function openKafka(): Promise<ReceiverUnderTest> {
  const server = kafkaServer();
  await server.run('start', '1');
  const nobody = `127.0.0.1:${String(await freePort())}`;
  const client = new kafkajs.Kafka({
    brokers: [server.brokers],
    clientId: 'spec',
    logLevel: kafkajs.logLevel.NOTHING,
  });
  let made = 0;

  const administer = async (work: (admin: kafkajs.Admin) => Promise<unknown>): Promise<void> => {
    const admin = client.admin();
    await admin.connect();
    await work(admin);
    await admin.disconnect();
  };

  const sinkTo = (address: string) => {
    const connector: KafkaConnector = {
      id: 'main',
      kind: 'kafka',
      brokers: [address],
      clientId: 'skein',
      compression: 'lz4',
    };
    return kafkaSinks('n1', noSecrets).open(connector, { id: 'rule' }, silentLog);
  };

  return {
    open: () => sinkTo(server.brokers),
    openAstray: () => sinkTo(nobody),
    makeTarget: async (lanes) => {
      made += 1;
      const topic = `target-${made}`;
      await administer((admin) => makeTopics(admin, [{ topic, numPartitions: lanes }]));
      return topic;
    },
    grow: async (topic, lanes) => {
      await administer((admin) =>
        admin.createPartitions({ topicPartitions: [{ topic, count: lanes }] }),
      );
    },
    received: async (topic, enough) => {
      const records: ReceivedRecord[] = [];
      const consumer = client.consumer({ groupId: `reader-${topic}`, maxWaitTimeInMs: 100 });
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachMessage: ({ message: { key, value, headers } }) => {
          const texts = Object.entries(headers ?? {}).map(([name, header]) => [
            name,
            [header ?? []].flat().map(String),
          ]);
          records.push({
            key: String(key),
            value: String(value),
            headers: Object.fromEntries(texts) as ReceivedRecord['headers'],
          });
          return Promise.resolve();
        },
      });
      await until(() => enough(records), WAIT_MS);
      await consumer.disconnect();
      return records;
    },
    kill: () => server.run('kill', '1'),
    restart: () => server.run('restart', '1'),
    close: () => server.run('stop'),
  };
}

sinkContract('KafkaSink', {
  openReceiver: openKafka,
  lanesGrow: true,
  missingTarget: 'nobody-made-this',
  refusedBytes: 2_000_000,
});
