import kafkajs, { type Admin, type Kafka, type Producer } from 'kafkajs';
import { waitAtMost } from './deferred.ts';
import {
  KafkaError,
  type ConsumeHandler,
  type ConsumeSource,
  type Consumption,
  type KafkaPort,
  type KafkaRecord,
} from './kafka-port.ts';
import {
  REQUEST_TIMEOUT_MS,
  clientFailure,
  kafkajsClient,
  type ClientOptions,
} from './kafkajs-client.ts';
import { KafkajsConsumption } from './kafkajs-consumption.ts';

/** How to reach Kafka for one rule. */
export interface KafkajsPortOptions extends ClientOptions {
  readonly compression: 'none' | 'lz4' | 'gzip';
}

const COMPRESSION = {
  none: kafkajs.CompressionTypes.None,
  lz4: kafkajs.CompressionTypes.LZ4,
  gzip: kafkajs.CompressionTypes.GZIP,
} as const;

const CLOSE_MS = 2_000;

/** The port on kafkajs. Clients connect when they are first needed, and are replaced when they are spoiled. */
export class KafkajsPort implements KafkaPort {
  readonly #kafka: Kafka;
  readonly #compression: kafkajs.CompressionTypes;
  #producer: Promise<Producer> | undefined;
  #admin: Promise<Admin> | undefined;
  #closed = false;

  constructor(options: KafkajsPortOptions) {
    this.#kafka = kafkajsClient(options);
    this.#compression = COMPRESSION[options.compression];
  }

  async ping(): Promise<void> {
    await this.#ask((admin) => admin.describeCluster());
  }

  async partitions(topic: string): Promise<number> {
    const { topics } = await this.#ask((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
    const count = topics.find(({ name }) => name === topic)?.partitions.length ?? 0;
    if (count === 0) throw new KafkaError('UNKNOWN_TOPIC', `${topic} has no partition`);
    return count;
  }

  async send(topic: string, partition: number, records: readonly KafkaRecord[]): Promise<number[]> {
    const producer = (this.#producer ??= this.#connectProducer());
    try {
      const connected = await producer;
      const confirmed = await connected.send({
        topic,
        acks: -1,
        timeout: REQUEST_TIMEOUT_MS,
        compression: this.#compression,
        messages: records.map(({ key, value, headers, timestampMs }) => ({
          key,
          value,
          headers,
          partition,
          timestamp: String(timestampMs),
        })),
      });
      return confirmed
        .filter(({ topicName, errorCode }) => topicName === topic && errorCode === 0)
        .map((metadata) => metadata.partition);
    } catch (failure) {
      const { error, spoiled } = clientFailure(failure);
      if (spoiled && this.#producer === producer) this.renew();
      throw error;
    }
  }

  renew(): void {
    const old = this.#producer;
    this.#producer = undefined;
    void retire(old);
  }

  consume(source: ConsumeSource, handler: ConsumeHandler): Consumption {
    return new KafkajsConsumption({
      kafka: this.#kafka,
      source,
      handler,
      ask: (question) => this.#ask(question),
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await waitAtMost(CLOSE_MS, Promise.all([retire(this.#producer), retire(this.#admin)]));
  }

  async #connectProducer(): Promise<Producer> {
    const producer = this.#kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    });
    return this.#connect(producer, () => (this.#producer = undefined));
  }

  /** Asks through the administrative connection; any failure of the connection replaces it. */
  async #ask<Answer>(question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    const admin = (this.#admin ??= this.#connect(
      this.#kafka.admin(),
      () => (this.#admin = undefined),
    ));
    try {
      return await question(await admin);
    } catch (failure) {
      const { error } = clientFailure(failure);
      if (error.code === 'UNAVAILABLE' && this.#admin === admin) {
        this.#admin = undefined;
        void retire(admin);
      }
      throw error;
    }
  }

  async #connect<Client extends Producer | Admin>(
    client: Client,
    forget: () => void,
  ): Promise<Client> {
    try {
      await client.connect();
    } catch (error) {
      forget();
      void client.disconnect().catch(() => undefined);
      throw error;
    }
    // Closed meanwhile: nobody else would hang up.
    if (this.#closed) void client.disconnect().catch(() => undefined);
    return client;
  }
}

/** Disconnects a client that is not used any more, whatever became of it. */
async function retire(client: Promise<Producer | Admin> | undefined): Promise<void> {
  try {
    await (await client)?.disconnect();
  } catch {
    // It never connected, or lost its connection by itself.
  }
}
