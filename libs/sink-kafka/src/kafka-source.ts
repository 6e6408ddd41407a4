import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { Deferred, waitAtMost, type Source, type SourceHandler } from '#libs/bridge';
import { KafkaConnections } from './kafka-connections.ts';
import { clientFailure } from './kafkajs-client.ts';

/** What a source works with. */
export interface KafkaSourceOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  readonly topic: string;
  readonly handler: SourceHandler;
}

/**
 * The least that brokers permit by default. A node that was killed, or a session that ended by an error, keeps its partitions,
 * and keeps the group from sharing them out, for so long; one that lives tells so from every fetch and every batch.
 */
const SESSION_TIMEOUT_MS = 6_000;
const HEARTBEAT_MS = 2_000;
const COMMIT_MS = 1_000;
const COMMIT_RECORDS = 500;
const REJOIN_MS = 1_000;
const CLOSE_MS = 3_000;
const PARTITIONS_AT_ONCE = 8;
const NO_OFFSET = '-1';

/** The source on kafkajs, a group member: sessions follow one another until closed; offsets are committed by us alone. */
export class KafkaSource implements Source {
  readonly #options: KafkaSourceOptions;
  readonly #connections: KafkaConnections;
  readonly #closed = new Deferred();
  readonly #ended: Promise<void>;
  /** The offset to commit next, by partition: one behind the last record that is done with. */
  readonly #uncommitted = new Map<number, string>();
  #resolvedSinceCommit = 0;
  #commitUnderWay: Promise<void> | undefined;
  /** Settles when this member knows where a group without history begins. */
  #beginning: Promise<void> = Promise.resolve();
  #closing = false;
  #batches = 0;
  #idle: (() => void) | undefined;

  constructor(options: KafkaSourceOptions) {
    this.#options = options;
    this.#connections = new KafkaConnections(options.kafka);
    this.#ended = this.#run();
  }

  async close(): Promise<void> {
    this.#closing = true;
    await waitAtMost(CLOSE_MS, this.#batchesDone());
    this.#closed.resolve();
    await waitAtMost(CLOSE_MS, this.#ended);
    await this.#connections.close();
  }

  async #run(): Promise<void> {
    while (!this.#closing) {
      try {
        await this.#session();
      } catch (failure) {
        this.#options.handler.failed(clientFailure(failure).error);
      }
      if (!this.#closing) await waitAtMost(REJOIN_MS, this.#closed.promise);
    }
  }

  /** One life of a consumer, from joining to the error that ends it, or to close(). */
  async #session(): Promise<void> {
    const { kafka, groupId } = this.#options;
    const consumer = kafka.consumer({
      groupId,
      sessionTimeout: SESSION_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: 500,
      allowAutoTopicCreation: false,
      // A crashed consumer is replaced by #run: the client restarts only some of them.
      retry: { retries: 3, restartOnFailure: () => Promise.resolve(false) },
    });
    const crashed = new Deferred();
    let isConnected = false;
    consumer.on(consumer.events.CONNECT, () => {
      isConnected = true;
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => crashed.reject(payload.error));
    this.#listen(consumer, crashed.reject);
    const commits = setInterval(() => void this.#commit(consumer), COMMIT_MS);
    try {
      await Promise.race([this.#join(consumer), this.#closed.promise]);
      await Promise.race([crashed.promise, this.#closed.promise]);
      await this.#commitUnderWay;
      await this.#commit(consumer);
    } finally {
      clearInterval(commits);
      const left = consumer.disconnect().catch(() => undefined);
      if (isConnected) await waitAtMost(CLOSE_MS, left);
    }
  }

  async #join(consumer: Consumer): Promise<void> {
    await consumer.connect();
    // The first position of a new group is set by #begin. With history, what is not committed is new: take it all.
    await consumer.subscribe({ topics: [this.#options.topic], fromBeginning: true });
    if (this.#closing) return;
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
      eachBatch: (payload) => this.#eachBatch(consumer, payload),
    });
  }

  #listen(consumer: Consumer, crash: (error: unknown) => void): void {
    const { topic, handler } = this.#options;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      // The client starts again from what is committed.
      this.#uncommitted.clear();
      this.#beginning = this.#begin(consumer, payload.memberAssignment[topic] ?? []);
      this.#beginning.then(() => handler.joined(), crash);
    });
    consumer.on(consumer.events.REBALANCING, () => {
      handler.rebalanced();
      // Goes out ahead of the request to join, on the same connection, so it counts for the old generation.
      void this.#commit(consumer);
    });
  }

  /**
   * Commits the end of the topic as the beginning of a group that never committed anything.
   *
   * @remarks "Latest" as the client understands it is wherever the end is when a partition is first read: what comes between two
   * members, or into a partition added later, would be skipped.
   */
  async #begin(consumer: Consumer, assigned: readonly number[]): Promise<void> {
    const { groupId, topic } = this.#options;
    const [history] = await this.#connections.ask((admin) =>
      admin.fetchOffsets({ groupId, topics: [topic] }),
    );
    if (history?.partitions.some(({ offset }) => offset !== NO_OFFSET) === true) return;
    const ends = await this.#connections.ask((admin) => admin.fetchTopicOffsets(topic));
    await consumer.commitOffsets(
      ends.map(({ partition, high }) => ({ topic, partition, offset: high })),
    );
    for (const { partition, high } of ends) {
      if (assigned.includes(partition)) consumer.seek({ topic, partition, offset: high });
    }
  }

  async #eachBatch(consumer: Consumer, payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const active = (): boolean => payload.isRunning() && !payload.isStale() && !this.#closing;
    this.#batches += 1;
    try {
      await this.#beginning;
      if (!active()) return;
      const restMs = await this.#options.handler.batch({
        partition: batch.partition,
        records: batch.messages,
        lag: Number(batch.offsetLag()),
        active,
        resolve: (offset, records) => {
          payload.resolveOffset(offset);
          this.#uncommitted.set(batch.partition, String(BigInt(offset) + 1n));
          this.#resolvedSinceCommit += records;
          if (this.#resolvedSinceCommit >= COMMIT_RECORDS) void this.#commit(consumer);
        },
        heartbeat: () => payload.heartbeat(),
      });
      // Not in here: the client reads on from a broker only when all partitions that it leads are done with their batches.
      if (restMs > 0) setTimeout(payload.pause(), restMs).unref();
    } finally {
      this.#batches -= 1;
      if (this.#batches === 0) this.#idle?.();
    }
  }

  /** Commits what is resolved, one request at a time. A failure costs repeats at most: the next commit covers it. */
  #commit(consumer: Consumer): Promise<void> {
    this.#commitUnderWay ??= this.#commitResolved(consumer).finally(() => {
      this.#commitUnderWay = undefined;
    });
    return this.#commitUnderWay;
  }

  async #commitResolved(consumer: Consumer): Promise<void> {
    if (this.#uncommitted.size === 0) return;
    const { topic } = this.#options;
    const offsets = [...this.#uncommitted].map(([partition, offset]) => ({
      topic,
      partition,
      offset,
    }));
    this.#resolvedSinceCommit = 0;
    try {
      await consumer.commitOffsets(offsets);
    } catch {
      return;
    }
    for (const { partition, offset } of offsets) {
      if (this.#uncommitted.get(partition) === offset) this.#uncommitted.delete(partition);
    }
  }

  #batchesDone(): Promise<void> {
    if (this.#batches === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }
}
