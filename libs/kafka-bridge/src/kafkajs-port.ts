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
  /** Those that are connected; one that is not yet hangs up by itself when the port is closed. */
  readonly #connected = new Set<Producer | Admin>();
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
    void this.#retire(old);
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
    const left = [...this.#connected].map((client) => this.#hangUp(client));
    await waitAtMost(CLOSE_MS, Promise.all(left));
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
        void this.#retire(admin);
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
      void this.#hangUp(client);
      throw error;
    }
    this.#connected.add(client);
    if (this.#closed) void this.#hangUp(client);
    return client;
  }

  /** Disconnects a client that is not used any more, whatever became of it. */
  async #retire(client: Promise<Producer | Admin> | undefined): Promise<void> {
    // One that did not connect has hung up by itself.
    const connected = await client?.catch(() => undefined);
    if (connected !== undefined) await this.#hangUp(connected);
  }

  async #hangUp(client: Producer | Admin): Promise<void> {
    this.#connected.delete(client);
    // Nothing is left to do for a connection that was lost.
    await client.disconnect().catch(() => undefined);
  }
}
