import kafkajs from 'kafkajs';
import { GIVEN_KAFKA, kafkaServer, makeTopics } from '#libs/testkit';
import { run } from './child.ts';
import type { Scope } from './scope.ts';

const RUN = String(Date.now());

/** The settings of a bridge called `main` that leads to a Kafka, with rules if given. */
export function bridgeTo(brokers: string, rules: readonly object[] = []): Record<string, string> {
  return {
    BRIDGES: JSON.stringify([{ id: 'main', kind: 'kafka', brokers: brokers.split(',') }]),
    BRIDGE_RULES: JSON.stringify(rules.map((rule) => ({ bridge: 'main', ...rule }))),
  };
}

/** A Kafka for tests, and kcat. Topics get a name of their own per run, since a Kafka that was given keeps them. */
export class KafkaForTests {
  readonly brokers: string;

  private constructor(brokers: string) {
    this.brokers = brokers;
  }

  /** The Kafka of KAFKA_BROKERS, else one of its own that the scope stops. */
  static async open(scope: Scope): Promise<KafkaForTests> {
    if (GIVEN_KAFKA !== undefined) return new KafkaForTests(GIVEN_KAFKA);
    const server = kafkaServer();
    scope.add(() => server.run('stop'));
    await server.run('start', '1');
    return new KafkaForTests(server.brokers);
  }

  /** Makes a topic of three partitions; returns its name. */
  async topic(name: string): Promise<string> {
    const topic = `e2e-${name}-${RUN}`;
    const logLevel = kafkajs.logLevel.NOTHING;
    const brokers = this.brokers.split(',');
    const admin = new kafkajs.Kafka({ clientId: 'e2e', brokers, logLevel }).admin();
    await admin.connect();
    try {
      await makeTopics(admin, [{ topic, numPartitions: 3 }]);
    } finally {
      await admin.disconnect();
    }
    return topic;
  }

  /** Reads so many records of a topic with kcat, each as `key|headers|value`. */
  read(scope: Scope, topic: string, count: number): Promise<readonly string[]> {
    return this.#consume(scope, topic, ['-c', String(count)]);
  }

  /** Reads all that a topic has, as read() does. */
  readAll(scope: Scope, topic: string): Promise<readonly string[]> {
    return this.#consume(scope, topic, ['-e']);
  }

  async #consume(scope: Scope, topic: string, until: readonly string[]): Promise<string[]> {
    const from = ['-b', this.brokers, '-C', '-t', topic, '-o', 'beginning'];
    const args = [...from, ...until, '-f', '%k|%h|%s\\n', '-q'];
    const output = await run(scope, { command: 'kcat', args });
    return output.trimEnd().split('\n');
  }

  /** Writes records with kcat, each as `key:value`. */
  async write(scope: Scope, topic: string, records: readonly string[]): Promise<void> {
    await run(scope, {
      command: 'kcat',
      args: ['-b', this.brokers, '-P', '-t', topic, '-K', ':'],
      input: records.map((record) => `${record}\n`).join(''),
    });
  }
}
