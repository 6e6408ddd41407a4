import kafkajs, { type Admin } from 'kafkajs';
import { makeTopics, startKafka, type KafkaCluster } from '#libs/testkit';
import type { Scope } from '../../e2e/harness/scope.ts';
import type { KafkaUnderTest } from './bridge-row.ts';

/** Partitions of a topic, unless it grows. */
export const PARTITIONS = 3;

/** Three real brokers that a row may hurt, and what administers them. */
export class RealKafka implements KafkaUnderTest {
  readonly knowsRepeats = true;
  readonly cluster: KafkaCluster;
  readonly client: kafkajs.Kafka;

  private constructor(cluster: KafkaCluster) {
    const brokers = cluster.brokers.split(',');
    this.cluster = cluster;
    this.client = new kafkajs.Kafka({
      brokers,
      clientId: 'faults',
      logLevel: kafkajs.logLevel.NOTHING,
    });
  }

  static async open(this: void, scope: Scope): Promise<RealKafka> {
    const cluster = await startKafka();
    scope.add(() => cluster.destroy());
    return new RealKafka(cluster);
  }

  get brokers(): string {
    return this.cluster.brokers;
  }

  /** Creates a topic of three partitions and three replicas, and waits until all serve. */
  async topic(name: string, settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const configEntries = Object.entries(settings).map(([key, value]) => ({ name: key, value }));
    await this.#ask((admin) =>
      makeTopics(admin, [
        { topic: name, numPartitions: PARTITIONS, replicationFactor: 3, configEntries },
      ]),
    );
  }

  async removeTopic(name: string): Promise<void> {
    await this.#ask((admin) => admin.deleteTopics({ topics: [name] }));
  }

  /** Adds partitions. */
  async grow(topic: string, partitions: number): Promise<void> {
    await this.#ask((admin) =>
      admin.createPartitions({ topicPartitions: [{ topic, count: partitions }] }),
    );
  }

  /** The brokers that lead the partitions of a topic, of those partitions that have a leader. */
  async leaders(topic: string): Promise<readonly number[]> {
    const { topics } = await this.#ask((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
    return (topics[0]?.partitions ?? []).map(({ leader }) => leader).filter((leader) => leader > 0);
  }

  /** How many records each partition of a topic has got. */
  async ends(topic: string): Promise<readonly number[]> {
    const ends = await this.#ask((admin) => admin.fetchTopicOffsets(topic));
    return ends
      .toSorted((left, right) => left.partition - right.partition)
      .map(({ high }) => Number(high));
  }

  /** Whether one group of so many members consumes a topic, and has committed where it begins. */
  async isConsumed(topic: string, members: number): Promise<boolean> {
    return this.#ask(async (admin) => {
      const { groups: names } = await admin.listGroups();
      const { groups } = await admin.describeGroups(names.map(({ groupId }) => groupId));
      const group = groups.find((each) => each.members.length === members);
      if (group?.state !== 'Stable') return false;
      const [offsets] = await admin.fetchOffsets({ groupId: group.groupId, topics: [topic] });
      return offsets?.partitions.every(({ offset }) => offset !== '-1') ?? false;
    });
  }

  async #ask<Answer>(question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    const admin = this.client.admin();
    await admin.connect();
    try {
      return await question(admin);
    } finally {
      await admin.disconnect();
    }
  }
}
