import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

const SCRIPT = fileURLToPath(new URL('../../../deploy/dev/kafka/mockd.sh', import.meta.url));
/** Long enough for a compiler. */
const START_DEADLINE_MS = 60_000;
const REQUEST_DEADLINE_MS = 20_000;
/** How late the answer is whose connection is cut: later than it takes to see that the request was carried out. */
const HELD_ANSWER_MS = 5_000;

/** Requests whose answers can be made to fail, by the names of the protocol. */
export type KafkaApi =
  | 'produce'
  | 'fetch'
  | 'listOffsets'
  | 'metadata'
  | 'offsetCommit'
  | 'offsetFetch'
  | 'findCoordinator'
  | 'joinGroup'
  | 'heartbeat'
  | 'apiVersions'
  | 'initProducerId';

const APIS: Readonly<Record<KafkaApi, number>> = {
  produce: 0,
  fetch: 1,
  listOffsets: 2,
  metadata: 3,
  offsetCommit: 8,
  offsetFetch: 9,
  findCoordinator: 10,
  joinGroup: 11,
  heartbeat: 12,
  apiVersions: 18,
  initProducerId: 22,
};

/** What a request may get instead of success. `cutConnection` is none of Kafka's: there is no answer. */
export type KafkaErrorName =
  | 'none'
  | 'unknownTopicOrPartition'
  | 'leaderNotAvailable'
  | 'notLeaderOrFollower'
  | 'requestTimedOut'
  | 'messageTooLarge'
  | 'coordinatorNotAvailable'
  | 'notCoordinator'
  | 'notEnoughReplicas'
  | 'notEnoughReplicasAfterAppend'
  | 'topicAuthorizationFailed'
  | 'clusterAuthorizationFailed'
  | 'outOfOrderSequenceNumber'
  | 'invalidProducerEpoch'
  | 'kafkaStorageError'
  | 'unknownProducerId'
  | 'invalidRecord'
  | 'cutConnection';

const ERRORS: Readonly<Record<KafkaErrorName, number>> = {
  none: 0,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  requestTimedOut: 7,
  messageTooLarge: 10,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  topicAuthorizationFailed: 29,
  clusterAuthorizationFailed: 31,
  outOfOrderSequenceNumber: 45,
  invalidProducerEpoch: 47,
  kafkaStorageError: 56,
  unknownProducerId: 59,
  invalidRecord: 87,
  cutConnection: -195,
};

/** The answer to one request. */
export interface MockedAnswer {
  /** @defaultValue none: the request is carried out */
  readonly error?: KafkaErrorName;
  /** How late it comes. @defaultValue 0 */
  readonly delayMs?: number;
}

/**
 * A mock Kafka cluster of its own process, with faults at single requests.
 *
 * @remarks It knows topics, producers and consumer groups; a log keeps no more than 5 MiB for each partition. It stores a
 * batch again that it has stored before: a real broker, which knows the producer's sequence numbers, does not.
 */
export class MockKafka {
  /** `host:port` of each broker, separated by commas. */
  readonly brokers: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string, undefined>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    brokers: string,
    process: ChildProcessWithoutNullStreams,
    lines: AsyncIterator<string, undefined>,
  ) {
    this.brokers = brokers;
    this.#process = process;
    this.#lines = lines;
  }

  /**
   * Starts so many brokers, numbered from 1. The program is compiled first when there is none yet.
   *
   * @throws Error with its output when a compiler or librdkafka-dev is missing.
   */
  static async start(brokers = 3): Promise<MockKafka> {
    const child = spawn(SCRIPT, [String(brokers)]);
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.stdin.on('error', () => undefined);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const late = setTimeout(() => child.kill(), START_DEADLINE_MS);
    const { value } = await lines.next();
    clearTimeout(late);
    const [word, list] = value?.split(' ') ?? [];
    if (word !== 'BROKERS' || list === undefined) throw new Error(`no mock Kafka: ${said}`);
    return new MockKafka(list, child, lines);
  }

  /** Creates a topic. */
  async topic(name: string, partitions = 3, replicas = 3): Promise<void> {
    await this.#ask('topic', name, partitions, replicas);
  }

  /** Moves the leader of a partition; undefined leaves it without one. */
  async leader(topic: string, partition: number, broker: number | undefined): Promise<void> {
    await this.#ask('leader', topic, partition, broker ?? -1);
  }

  /** Cuts the connections of a broker and refuses new ones. It stays leader. */
  async down(broker: number): Promise<void> {
    await this.#ask('down', broker);
  }

  /** Lets a broker be reached again. */
  async up(broker: number): Promise<void> {
    await this.#ask('up', broker);
  }

  /** Delays all answers of a broker. */
  async slow(broker: number, delayMs: number): Promise<void> {
    await this.#ask('delay', broker, delayMs);
  }

  /** Makes the next requests of an API fail, one for each error, whichever broker has them. */
  async fail(api: KafkaApi, errors: readonly KafkaErrorName[]): Promise<void> {
    await this.#ask('fail', APIS[api], ...errors.map((error) => ERRORS[error]));
  }

  /** Says how one broker answers the next requests of an API. */
  async answer(broker: number, api: KafkaApi, answers: readonly MockedAnswer[]): Promise<void> {
    const words = answers.flatMap(({ error = 'none', delayMs = 0 }) => [ERRORS[error], delayMs]);
    await this.#ask('failat', broker, APIS[api], ...words);
  }

  /** Forgets what fail() has queued. */
  async clear(api: KafkaApi): Promise<void> {
    await this.#ask('clear', APIS[api]);
  }

  /**
   * Lets a broker carry out its next request of an API and cuts its connections before the answer leaves.
   *
   * @throws Error when no such request comes.
   */
  async loseAnswer(broker: number, api: KafkaApi): Promise<void> {
    await this.answer(broker, api, [{ delayMs: HELD_ANSWER_MS }]);
    await until(
      async () => (await this.#ask('pending', broker, APIS[api])) === 0,
      REQUEST_DEADLINE_MS,
    );
    await this.down(broker);
    await this.up(broker);
  }

  /** What metadata says of a topic from now on. */
  async topicError(topic: string, error: KafkaErrorName): Promise<void> {
    await this.#ask('topicerror', topic, ERRORS[error]);
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  /** Gives a command, after those before it. @returns the number in its answer, if any. */
  #ask(...words: readonly (string | number)[]): Promise<number | undefined> {
    const answered = this.#last.then(async () => {
      const command = words.join(' ');
      this.#process.stdin.write(`${command}\n`);
      const { value } = await this.#lines.next();
      if (value?.startsWith('OK') !== true) {
        throw new Error(`mock Kafka: ${command}: ${value ?? 'it has ended'}`);
      }
      return value === 'OK' ? undefined : Number(value.slice(3));
    });
    this.#last = answered.catch(() => undefined);
    return answered;
  }
}
