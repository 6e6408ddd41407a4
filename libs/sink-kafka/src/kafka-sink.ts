import kafkajs, { type Kafka } from 'kafkajs';
import { SinkError, testInSteps, type Sink, type SinkRecord } from '#libs/bridge';
import type { BridgeTest, BridgeTestStep, KafkaConnector } from '#libs/broker-ports';
import type { ValueEncoder } from '#libs/schema-registry';
import { endpointsOf } from './kafka-access.ts';
import { KafkaConnections } from './kafka-connections.ts';
import { KafkaProducers } from './kafka-producers.ts';
import { REQUEST_TIMEOUT_MS, clientFailure } from './kafkajs-client.ts';
import { ofOnePartition } from './kafkajs-mends.ts';

const COMPRESSION = {
  none: kafkajs.CompressionTypes.None,
  lz4: kafkajs.CompressionTypes.LZ4,
  gzip: kafkajs.CompressionTypes.GZIP,
  snappy: kafkajs.CompressionTypes.Snappy,
  zstd: kafkajs.CompressionTypes.ZSTD,
} as const;

/** What a sink does about schemas. */
export interface KafkaSchemas {
  /** Encodes the values of the rule; undefined when they go as they are. */
  readonly encoder?: ValueEncoder | undefined;
  /** A topic whose values go as they are all the same. */
  readonly plainTopic?: string | undefined;
  /** Asks the registry; undefined when there is none. Answers what it found. */
  readonly test?: (() => Promise<string>) | undefined;
}

/**
 * The sink on kafkajs: a target is a topic, a lane is one of its partitions.
 *
 * @remarks Records are stored on all in-sync replicas by an idempotent producer. Clients connect when they are first needed,
 * and are replaced when they are spoiled.
 */
export class KafkaSink implements Sink {
  readonly #connector: KafkaConnector;
  readonly #schemas: KafkaSchemas;
  readonly #connections: KafkaConnections;
  readonly #producers: KafkaProducers;

  constructor(kafka: Kafka, connector: KafkaConnector, schemas: KafkaSchemas) {
    this.#connector = connector;
    this.#schemas = schemas;
    this.#connections = new KafkaConnections(kafka);
    this.#producers = new KafkaProducers(kafka, this.#connections);
  }

  async ping(): Promise<void> {
    await this.#connections.ask((admin) => admin.describeCluster());
    const fault = this.#schemas.encoder?.fault;
    if (fault !== undefined) throw fault;
  }

  async lanes(topic: string): Promise<number> {
    const { topics } = await this.#connections.ask((admin) =>
      admin.fetchTopicMetadata({ topics: [topic] }),
    );
    const count = topics.find(({ name }) => name === topic)?.partitions.length ?? 0;
    if (count === 0) throw new SinkError('UNKNOWN_TARGET', `${topic} has no partition`);
    await this.#encoderOf(topic)?.prepare(topic);
    return count;
  }

  async send(
    topic: string,
    partition: number,
    records: readonly SinkRecord[],
  ): Promise<readonly number[]> {
    const encoder = this.#encoderOf(topic);
    if (encoder === undefined) return this.#produce(topic, partition, records);
    const { fit, refusal } = await encoder.encode(topic, records);
    const confirmed = fit.length === 0 ? [partition] : await this.#produce(topic, partition, fit);
    if (refusal !== undefined && confirmed.includes(partition)) throw refusal;
    return confirmed;
  }

  #encoderOf(topic: string): ValueEncoder | undefined {
    const { encoder, plainTopic } = this.#schemas;
    return topic === plainTopic ? undefined : encoder;
  }

  async #produce(
    topic: string,
    partition: number,
    records: readonly SinkRecord[],
  ): Promise<readonly number[]> {
    const messages = records.map(({ key, value, headers, timestampMs }) => ({
      key,
      value,
      headers,
      partition,
      timestamp: String(timestampMs),
    }));
    try {
      const producer = await this.#producers.take(topic, partition);
      const confirmed = await producer.send({
        topic,
        acks: -1,
        timeout: REQUEST_TIMEOUT_MS,
        compression: COMPRESSION[this.#connector.compression],
        messages: ofOnePartition(messages, partition),
      });
      const lanes = confirmed
        .filter(({ topicName, errorCode }) => topicName === topic && errorCode === 0)
        .map((metadata) => metadata.partition);
      if (lanes.includes(partition)) this.#producers.stored(topic, partition);
      // The client passes over, without a word, a partition that has come since it last looked.
      else this.#producers.renew(topic, partition);
      return lanes;
    } catch (failure) {
      const { error, spoiled } = clientFailure(failure);
      if (spoiled) this.#producers.renew(topic, partition);
      if (error.code === 'UNKNOWN_TARGET') this.#producers.missed(topic);
      throw error;
    }
  }

  renew(topic: string, partition: number): void {
    this.#producers.renew(topic, partition);
  }

  test({ target, withinMs }: BridgeTest): AsyncIterable<BridgeTestStep> {
    const { sasl } = this.#connector;
    return testInSteps({
      withinMs,
      endpoints: () => endpointsOf(this.#connector),
      auth: async () => {
        await this.ping();
        return sasl === undefined ? 'Kafka asks for no login' : `logged in by ${sasl.mechanism}`;
      },
      target: target === undefined ? undefined : async () => partitions(await this.lanes(target)),
      schemas: this.#schemas.test,
    });
  }

  async close(): Promise<void> {
    this.#schemas.encoder?.close();
    await this.#connections.close();
  }
}

const partitions = (count: number): string => `has ${count} partition${count === 1 ? '' : 's'}`;
