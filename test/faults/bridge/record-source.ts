import type { Producer } from 'kafkajs';
import type { Publication } from '../history.ts';
import { encodeNumbers } from '../payload.ts';
import { PARTITIONS, type RealKafka } from './real-kafka.ts';

const PACE_MS = 20;
const POISON_KEY = 'no/#/topic';
/** Brokers may be away for longer than the client tries by itself. */
const RETRY = { retries: 100, initialRetryTime: 100, maxRetryTime: 1_000 };

/** How a source writes. */
export interface RecordSourceOptions {
  readonly topic: string;
  /** Keys are the numbers from 0; each has a count of its own. */
  readonly keys: number;
  /** Records a second, of all keys together. */
  readonly rate: number;
  /** Whether a record of which no message can be made follows each batch. */
  readonly poisons: boolean;
}

/** Writes numbered records at an even pace, in order for each key, and keeps what Kafka has confirmed. */
export class RecordSource {
  /** By key, then by number. */
  readonly publications: Publication[][];
  poisoned = 0;
  readonly #producer: Producer;
  readonly #options: RecordSourceOptions;
  #isRunning = true;
  #writing: Promise<void> = Promise.resolve();

  private constructor(producer: Producer, options: RecordSourceOptions) {
    this.#producer = producer;
    this.#options = options;
    this.publications = Array.from({ length: options.keys }, () => []);
  }

  static async start({ client }: RealKafka, options: RecordSourceOptions): Promise<RecordSource> {
    const producer = client.producer({ idempotent: true, maxInFlightRequests: 1, retry: RETRY });
    await producer.connect();
    const source = new RecordSource(producer, options);
    source.#writing = source.#write();
    // Who stops it is told of a failure.
    source.#writing.catch(() => undefined);
    return source;
  }

  /** Ends when all that was due is confirmed. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    try {
      await this.#writing;
    } finally {
      await this.#producer.disconnect();
    }
  }

  async #write(): Promise<void> {
    const { rate, keys } = this.#options;
    const beganAtMs = performance.now();
    let made = 0;
    while (this.#isRunning) {
      const wanted = Math.floor(((performance.now() - beganAtMs) * rate) / 1_000);
      const batch: Publication[] = [];
      for (; made < wanted; made += 1) {
        batch.push(this.#due(made % keys, beganAtMs + (made * 1_000) / rate));
      }
      for (let partition = 0; partition < PARTITIONS; partition += 1) {
        await this.#send(
          partition,
          batch.filter(({ publisher }) => publisher % PARTITIONS === partition),
        );
      }
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
  }

  /** Sends to one partition: of more the client would forget those whose leader moves meanwhile. */
  async #send(partition: number, batch: readonly Publication[]): Promise<void> {
    if (batch.length === 0) return;
    const { topic, poisons } = this.#options;
    const messages = batch.map(({ publisher, number }) => ({
      key: String(publisher),
      value: Buffer.from(encodeNumbers(publisher, number)),
      partition,
    }));
    if (poisons) messages.push({ key: POISON_KEY, value: Buffer.from('poison'), partition });
    const confirmed = await this.#producer.send({ topic, messages });
    if (!confirmed.some((each) => each.partition === partition && each.errorCode === 0)) {
      throw new Error(`no answer for partition ${String(partition)}`);
    }
    if (poisons) this.poisoned += 1;
    for (const each of batch) each.acknowledgedAtMs = performance.now();
  }

  #due(publisher: number, dueAtMs: number): Publication {
    const own = this.publications[publisher] ?? [];
    const publication: Publication = {
      publisher,
      number: own.length,
      qos: 1,
      dueAtMs,
      sends: 1,
      acknowledgedAtMs: undefined,
      refusal: undefined,
    };
    own.push(publication);
    return publication;
  }
}
