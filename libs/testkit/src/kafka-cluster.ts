import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePorts } from './redis-server.ts';

const SCRIPT = fileURLToPath(new URL('../../../deploy/dev/kafka/kafka.sh', import.meta.url));
const PORTS_PER_BROKER = 2;

/** Three brokers on loopback that are this process's to hurt; they are numbered from 1. */
export interface KafkaCluster {
  /** `host:port` of each, separated by commas. */
  readonly brokers: string;
  /** SIGKILL: the broker crashes. */
  kill(broker: number): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  pause(broker: number): Promise<void>;
  /** SIGCONT. */
  resume(broker: number): Promise<void>;
  /** SIGTERM: its leaders move first. */
  stop(broker: number): Promise<void>;
  /** Starts one that was killed or stopped, on its old data and port, and waits until it serves. Those of a quorum go together. */
  restart(...brokers: readonly number[]): Promise<void>;
  /** Bounds what producers may send to each broker, in bytes a second; 0 takes the bound away. */
  quota(bytesPerSecond: number): Promise<void>;
  /** Ends and removes everything. */
  destroy(): Promise<void>;
}

/**
 * Starts three brokers in KRaft mode without containers: topics have three replicas, two of which must be in sync. They
 * end with this process at the latest.
 *
 * @throws Error when Java or the jars are missing, or when the cluster is not ready in time.
 */
export async function startKafka(): Promise<KafkaCluster> {
  const port = await freePorts(3 * PORTS_PER_BROKER);
  const run = async (...command: readonly string[]): Promise<void> => {
    const own = {
      KAFKA_PORT: String(port),
      KAFKA_DIR: join(tmpdir(), `skein-kafka-${String(process.pid)}-${String(port)}`),
      KAFKA_OWNER: String(process.pid),
    };
    // oxlint-disable-next-line node/no-process-env
    await promisify(execFile)(SCRIPT, command, { env: { ...process.env, ...own } });
  };
  const on =
    (command: string) =>
    (broker: number): Promise<void> =>
      run(command, String(broker));
  const destroy = (): Promise<void> => run('destroy');
  try {
    await run('start', '3');
  } catch (error) {
    await destroy();
    throw error;
  }
  return {
    brokers: [0, 1, 2]
      .map((index) => `127.0.0.1:${String(port + PORTS_PER_BROKER * index)}`)
      .join(','),
    kill: on('kill'),
    pause: on('pause'),
    resume: on('resume'),
    stop: on('stop'),
    restart: async (...brokers) => {
      await Promise.all(brokers.map(on('restart')));
    },
    quota: on('quota'),
    destroy,
  };
}
