import type { Producer } from 'kafkajs';
import type { Publication } from '../history.ts';
import { encodeNumbers } from '../payload.ts';
import type { RealKafka } from './real-kafka.ts';

const PACE_MS = 20;
const POISON_KEY = 'no/#/topic';

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
    const producer = client.producer({ idempotent: true, maxInFlightRequests: 1 });
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
    const { rate, keys, topic, poisons } = this.#options;
    const beganAtMs = performance.now();
    let made = 0;
    while (this.#isRunning) {
      const wanted = Math.floor(((performance.now() - beganAtMs) * rate) / 1_000);
      const batch: Publication[] = [];
      for (; made < wanted; made += 1) {
        batch.push(this.#due(made % keys, beganAtMs + (made * 1_000) / rate));
      }
      if (batch.length > 0) {
        const messages = batch.map(({ publisher, number }) => ({
          key: String(publisher),
          value: Buffer.from(encodeNumbers(publisher, number)),
        }));
        if (poisons) messages.push({ key: POISON_KEY, value: Buffer.from('poison') });
        await this.#producer.send({ topic, messages });
        if (poisons) this.poisoned += 1;
        for (const each of batch) each.acknowledgedAtMs = performance.now();
      }
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
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
