import type { ConnectorKind, ConnectorOf, KafkaToMqttRule, Log } from '#libs/broker-ports';
import type { SinkError } from './sink.ts';

/** A record that came from a source. */
export interface ConsumedRecord {
  /** A 64-bit integer in decimal. */
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
  /** Milliseconds since 1970 in decimal. */
  readonly timestamp: string;
}

/** Records of one partition, in the order of their offsets. */
export interface RecordBatch {
  readonly partition: number;
  readonly records: readonly ConsumedRecord[];
  /** Records in the partition behind the last one of the batch. */
  readonly lag: number;
  /** False when the rest must not be worked on: the partition is taken away or the source closes. */
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

/**
 * Gives what the value of a record says to a reader of MQTT.
 *
 * @throws RecordError when it says nothing.
 */
export type ReadValue = (value: Buffer) => Buffer;

/** Reads values that are not for everyone to read. */
export interface ValueReader {
  /**
   * Makes ready what reading the values of a batch takes.
   *
   * @throws SinkError when that cannot be had now.
   */
  prepare(batch: RecordBatch): Promise<ReadValue>;
  /** Gives up what is under way. */
  close(): void;
}

/** What a source tells its owner. */
export interface SourceHandler {
  /**
   * Carries records; partitions are served side by side.
   *
   * @returns how long (ms) the partition is to rest. Then, and not before, the records that follow the last one resolved
   * come, so those that were not resolved come again.
   */
  batch(batch: RecordBatch): Promise<number>;
  /** The source is a member of its group: partitions may come. */
  joined(): void;
  /** The group shares out its partitions anew: those at hand may be served by another member. */
  rebalanced(): void;
  /** The source lost the other side and tries again. */
  failed(error: SinkError): void;
}

/** A member of the consumer group of one rule, at work until it is closed, whatever happens to the other side. */
export interface Source {
  /** Waits briefly for the batches at work, commits what is resolved, leaves the group and disconnects. Never rejects. */
  close(): Promise<void>;
}

/** Makes the sources of one kind of bridge. It is given connectors of its kind only. */
export interface SourceFactory<Kind extends ConnectorKind = ConnectorKind> {
  readonly kind: Kind;
  /** Why nothing of this name can be consumed; undefined when it can. */
  topicFault(topic: string): string | undefined;
  /** Joins the consumer group of a rule. A group without history starts at the end of the topic. */
  open(connector: ConnectorOf<Kind>, rule: KafkaToMqttRule, owner: SourceOwner): Source;
  /** What reads the values of a rule's records; absent or undefined when they stay as they are. */
  reader?(connector: ConnectorOf<Kind>, rule: KafkaToMqttRule): ValueReader | undefined;
}

/** Who a source works for. */
export interface SourceOwner {
  readonly handler: SourceHandler;
  readonly log: Log;
}
