import type { Kafka, Producer } from 'kafkajs';
import type { KafkaConnections } from './kafka-connections.ts';

/** A producer, and how many lanes have a batch that they began with it. */
interface Share {
  readonly connected: Promise<Producer>;
  lanes: number;
  hasFailed: boolean;
}

/** Most topics that are remembered as unknown. */
const UNKNOWN_MAX = 1_000;

/**
 * The idempotent producers of one rule: one for all lanes, as long as all is well.
 *
 * @remarks A lane begins a batch with the newest producer and repeats it with the same one: Kafka knows a repeat by producer and
 * sequence number. A producer that gets a successor goes on until the last batch that was begun with it has ended, so that
 * what one lane meets cuts no request of another. Batches for a topic that was unknown last time have producers of their own:
 * the client goes on asking for a deleted topic, and fails for all others with it.
 */
export class KafkaProducers {
  readonly #kafka: Kafka;
  readonly #connections: KafkaConnections;
  #newest: Share | undefined;
  /** Those of lanes that have begun a batch. */
  readonly #shares = new Map<string, Share>();
  readonly #unknown = new Set<string>();

  constructor(kafka: Kafka, connections: KafkaConnections) {
    this.#kafka = kafka;
    this.#connections = connections;
  }

  /** The producer of a batch that a lane begins, or repeats. */
  take(topic: string, partition: number): Promise<Producer> {
    const lane = `${topic}/${String(partition)}`;
    let share = this.#shares.get(lane);
    if (share?.hasFailed !== false) {
      share = this.#unknown.has(topic) ? this.#open() : (this.#newest ??= this.#open());
      share.lanes += 1;
      this.#shares.set(lane, share);
    }
    return share.connected;
  }

  /** The batch of a lane is stored. */
  stored(topic: string, partition: number): void {
    this.#unknown.delete(topic);
    this.#leave(`${topic}/${String(partition)}`);
  }

  /** A lane can do nothing more with its producer: its sequence numbers, or what the client knows of Kafka, are wrong. */
  renew(topic: string, partition: number): void {
    const lane = `${topic}/${String(partition)}`;
    const share = this.#shares.get(lane) ?? this.#newest;
    if (share === this.#newest) this.#newest = undefined;
    if (this.#shares.has(lane)) this.#leave(lane);
    else if (share !== undefined) this.#retireUnused(share);
  }

  /** Kafka does not know the topic. */
  missed(topic: string): void {
    if (this.#unknown.size >= UNKNOWN_MAX) this.#unknown.clear();
    this.#unknown.add(topic);
  }

  #leave(lane: string): void {
    const share = this.#shares.get(lane);
    if (share === undefined) return;
    this.#shares.delete(lane);
    share.lanes -= 1;
    this.#retireUnused(share);
  }

  #retireUnused(share: Share): void {
    if (share !== this.#newest && share.lanes === 0) void this.#connections.retire(share.connected);
  }

  #open(): Share {
    const producer = this.#kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    });
    const connected = this.#connections.connect(producer, () => {
      share.hasFailed = true;
      // Another one may be at work by now: its sequence numbers must go on.
      if (this.#newest === share) this.#newest = undefined;
    });
    const share: Share = { connected, lanes: 0, hasFailed: false };
    return share;
  }
}
