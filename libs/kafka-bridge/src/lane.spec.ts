import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { KafkaError, type KafkaPort, type KafkaRecord } from './kafka-port.ts';
import { Lane, type LaneLimits } from './lane.ts';
import type { OutboundRecord } from './outbound-record.ts';

const LIMITS: LaneLimits = {
  lingerMs: 10,
  batchRecordsMax: 4,
  batchBytesMax: 1_000,
  ackTimeoutMs: 5_000,
};

interface Answer {
  resolve(confirmed: number[]): void;
  reject(error: KafkaError): void;
}

/** Partition 0 of a Kafka whose every answer the test gives by hand. */
class HandKafka implements Pick<KafkaPort, 'send' | 'renew'> {
  readonly requests: string[] = [];
  renewed = 0;
  #answer: Answer | undefined;

  send(_topic: string, _partition: number, records: readonly KafkaRecord[]): Promise<number[]> {
    if (this.#answer !== undefined) throw new Error('two requests at a time');
    this.requests.push(records.map(({ value }) => String(value)).join(' '));
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
    });
  }

  renew(): void {
    this.renewed += 1;
  }

  async accept(confirmed = [0]): Promise<void> {
    this.#take().resolve(confirmed);
    await jest.advanceTimersByTimeAsync(0);
  }

  async refuse(code: KafkaError['code']): Promise<void> {
    this.#take().reject(new KafkaError(code, code));
    await jest.advanceTimersByTimeAsync(0);
  }

  #take(): Answer {
    const answer = this.#answer;
    this.#answer = undefined;
    if (answer === undefined) throw new Error('no request is open');
    return answer;
  }
}

describe('Lane', () => {
  let kafka: HandKafka;
  let lane: Lane;
  let delivered: string[];
  let failed: string[];
  let retries: number;

  beforeEach(() => {
    jest.useFakeTimers();
    kafka = new HandKafka();
    delivered = [];
    failed = [];
    retries = 0;
    const texts = (records: readonly OutboundRecord[]): string[] =>
      records.map(({ value }) => String(value));
    lane = new Lane({
      port: kafka as unknown as KafkaPort,
      topic: 't',
      partition: 0,
      limits: LIMITS,
      clock: Date.now,
      events: {
        delivered: (records) => delivered.push(...texts(records)),
        failed: (records, failure) =>
          failed.push(...texts(records).map((text) => `${text}:${failure}`)),
        retried: () => (retries += 1),
      },
    });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  function push(text: string, bytes = 10): void {
    lane.push({
      key: Buffer.from('k'),
      value: Buffer.from(text),
      headers: {},
      timestampMs: Date.now(),
      bytes,
      gate: undefined,
    });
  }
  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

  it('sends what one turn brings in one request when it was idle', async () => {
    push('a');
    push('b');
    expect(kafka.requests).toEqual([]);
    await pass(0);
    expect(kafka.requests).toEqual(['a b']);
    await kafka.accept();
    expect(delivered).toEqual(['a', 'b']);
    expect(lane.size).toBe(0);
  });

  it('never has two requests under way, and lingers between small ones', async () => {
    push('a');
    await pass(0);
    push('b');
    await pass(3);
    push('c');
    await kafka.accept();
    expect(kafka.requests).toEqual(['a']);
    await pass(7);
    expect(kafka.requests).toEqual(['a', 'b c']);
  });

  it('does not linger with a full batch, by records or by bytes', async () => {
    for (const text of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']) push(text);
    await pass(0);
    await kafka.accept();
    await kafka.accept();
    expect(kafka.requests).toEqual(['a b c d', 'e f g h']);
    push('j', 990);
    push('k', 990);
    await pass(0);
    await kafka.accept();
    await pass(10);
    expect(kafka.requests).toEqual(['a b c d', 'e f g h', 'i j', 'k']);
  });

  it('keeps the order and the batch while it repeats', async () => {
    push('a');
    push('b');
    await pass(0);
    push('c');
    await kafka.refuse('UNAVAILABLE');
    push('d');
    await pass(50);
    await kafka.refuse('UNAVAILABLE');
    await pass(100);
    expect(kafka.requests).toEqual(['a b', 'a b', 'a b']);
    await kafka.accept();
    await pass(10);
    await kafka.accept();
    expect(delivered).toEqual(['a', 'b', 'c', 'd']);
    expect(retries).toBe(2);
    expect(kafka.renewed).toBe(0);
  });

  it('repeats when the answer does not name its partition', async () => {
    push('a');
    await pass(0);
    await kafka.accept([]);
    expect(delivered).toEqual([]);
    await pass(50);
    await kafka.accept([1]);
    await pass(100);
    await kafka.accept([0]);
    expect(kafka.requests).toEqual(['a', 'a', 'a']);
    expect(delivered).toEqual(['a']);
  });

  it('splits a batch that is too large down to the record that is, and loses no other', async () => {
    for (const text of ['a', 'b', 'X', 'd']) push(text);
    await pass(0);
    await kafka.refuse('TOO_LARGE');
    await kafka.accept();
    await kafka.refuse('TOO_LARGE');
    await kafka.refuse('TOO_LARGE');
    await kafka.accept();
    expect(kafka.requests).toEqual(['a b X d', 'a b', 'X d', 'X', 'd']);
    expect(delivered).toEqual(['a', 'b', 'd']);
    expect(failed).toEqual(['X:too_large']);
    expect(lane.size).toBe(0);
    expect(kafka.renewed).toBe(0);
  });

  it('finds the one record that Kafka rejects', async () => {
    push('a');
    push('X');
    await pass(0);
    await kafka.refuse('REJECTED');
    await kafka.accept();
    await kafka.refuse('REJECTED');
    expect(delivered).toEqual(['a']);
    expect(failed).toEqual(['X:other']);
  });

  it('takes a new producer when it gives up what Kafka may have stored', async () => {
    push('a');
    await pass(0);
    await kafka.refuse('UNAVAILABLE');
    await pass(50);
    await kafka.refuse('NOT_AUTHORIZED');
    expect(failed).toEqual(['a:not_authorized']);
    expect(kafka.renewed).toBe(1);
    push('b');
    await pass(10);
    await kafka.accept();
    expect(delivered).toEqual(['b']);
  });

  it('waits for a missing topic as long as a publisher waits, not longer', async () => {
    push('a');
    await pass(0);
    for (let waited = 0; failed.length === 0 && waited < 20_000; waited += 2_000) {
      await kafka.refuse('UNKNOWN_TOPIC');
      await pass(2_000);
    }
    expect(failed).toEqual(['a:unknown_topic']);
    expect(kafka.requests.length).toBeGreaterThan(3);
  });

  it('gives everything up when it closes, and nothing twice', async () => {
    push('a');
    await pass(0);
    push('b');
    await kafka.refuse('UNAVAILABLE');
    lane.close();
    await pass(0);
    expect(failed).toEqual(['b:shutdown']);
    await kafka.accept();
    expect(delivered).toEqual(['a']);
    expect(lane.size).toBe(0);
  });
});
