/** A record on its way to Kafka. The bridge owns the bytes and does not change them. */
export interface KafkaRecord {
  readonly key: Buffer;
  readonly value: Buffer;
  /** A list repeats the header. */
  readonly headers: Readonly<Record<string, string | Buffer | string[]>>;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
}

/** A record that came from Kafka. */
export interface ConsumedRecord {
  /** A 64-bit integer in decimal. */
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
  /** Milliseconds since 1970 in decimal. */
  readonly timestamp: string;
}

/**
 * Why Kafka did not do what was asked.
 *
 * @remarks `UNAVAILABLE`: ask again, the outcome of this attempt is unknown. `UNKNOWN_TOPIC`: the topic or partition does
 * not exist (yet). `TOO_LARGE`: the records were refused for their size. `NOT_AUTHORIZED`: access to the topic is denied.
 * `REJECTED`: something in the records is refused for good.
 */
export class KafkaError extends Error {
  override readonly name = 'KafkaError';
  readonly code: 'UNAVAILABLE' | 'UNKNOWN_TOPIC' | 'TOO_LARGE' | 'NOT_AUTHORIZED' | 'REJECTED';

  constructor(code: KafkaError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** Records of one partition, in the order of their offsets. */
export interface RecordBatch {
  readonly partition: number;
  readonly records: readonly ConsumedRecord[];
  /** Records in the partition behind the last one of the batch. */
  readonly lag: number;
  /** False when the rest must not be worked on: the partition is taken away or the consumer closes. */
  active(): boolean;
  /** All records up to this offset are done with, so many since the last call; the offset will be committed soon. */
  resolve(offset: string, records: number): void;
  /**
   * Tells the group that this member lives; to be called at least every second while a batch is worked on.
   *
   * @throws an error of the client's when the group takes the partition away: the batch must end with this very error.
   */
  heartbeat(): Promise<void>;
}

/** What a consumer tells its owner. */
export interface ConsumeHandler {
  /**
   * Carries records; partitions are served side by side.
   *
   * @returns how long (ms) the partition is to rest. Then, and not before, the records that follow the last one resolved
   * come, so those that were not resolved come again.
   */
  batch(batch: RecordBatch): Promise<number>;
  /** The consumer is a member of its group: partitions may come. */
  joined(): void;
  /** The group shares out its partitions anew: those at hand may be served by another member. */
  rebalanced(): void;
  /** The consumer lost Kafka and tries again. */
  failed(error: KafkaError): void;
}

/** A member of a consumer group at work. */
export interface Consumption {
  /** Waits briefly for the batches at work, commits what is resolved and leaves the group. Never rejects. */
  close(): Promise<void>;
}

/**
 * What the bridge needs of a Kafka client, for one rule: the one door to it.
 *
 * @remarks Every rule has a client of its own, so that a deleted topic or a refused login hurts no other rule. Every
 * rejection is a KafkaError. Nothing is retried behind the caller's back for longer than one request.
 */
export interface KafkaPort {
  /** Resolves when a broker answers. */
  ping(): Promise<void>;
  /** How many partitions a topic has now. Never creates a topic. */
  partitions(topic: string): Promise<number>;
  /**
   * Sends records to one partition with acks=all, idempotent: repeating the very same call after UNAVAILABLE adds nothing twice
   * as long as the producer is not renewed. At most one call per partition at a time.
   *
   * @returns the partitions that the broker confirmed: the caller must look for its own.
   */
  send(topic: string, partition: number, records: readonly KafkaRecord[]): Promise<number[]>;
  /**
   * Takes a new producer identity. Needed when records are given up after UNAVAILABLE: the next ones would get the sequence
   * numbers of those, and a broker that did store those would take the next for repeats and drop them.
   */
  renew(): void;
  /** Joins a consumer group and stays in it until closed, whatever happens to Kafka. A group without history starts at the end of the topic. */
  consume(source: ConsumeSource, handler: ConsumeHandler): Consumption;
  /** Disconnects, bounded in time. Never rejects. */
  close(): Promise<void>;
}

/** What to consume, and as whom. */
export interface ConsumeSource {
  readonly groupId: string;
  readonly topic: string;
}
