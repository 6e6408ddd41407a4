import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SCRIPT = fileURLToPath(new URL('../../../deploy/dev/kafka/kafka.sh', import.meta.url));
// Two ports per broker, below those that outgoing connections take; another process of the tests has others.
const PORT = 22_000 + 2 * (process.pid % 4_000);

/** Brokers of a Kafka that runs already, from KAFKA_BROKERS; undefined when tests must start one. */
// oxlint-disable-next-line node/no-process-env
export const GIVEN_KAFKA = process.env['KAFKA_BROKERS'];

/** A Kafka of this process on loopback. Nothing runs until `run('start', '1')`; `run('stop')` ends and removes it. */
export interface KafkaServer {
  readonly brokers: string;
  /**
   * Runs a command of deploy/dev/kafka/kafka.sh.
   *
   * @throws Error with its output when the command fails.
   */
  run(...command: readonly string[]): Promise<void>;
}

/** The Kafka that this process may start, stop and kill. */
export function kafkaServer(): KafkaServer {
  return {
    brokers: `127.0.0.1:${String(PORT)}`,
    run: async (...command) => {
      await promisify(execFile)(SCRIPT, command, {
        // oxlint-disable-next-line node/no-process-env
        env: { ...process.env, KAFKA_PORT: String(PORT) },
      });
    },
  };
}
