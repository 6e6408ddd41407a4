import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Lane, type LaneLimits } from './lane.ts';
import type { OutboundRecord } from './outbound-record.ts';
import { SinkError, type Sink, type SinkRecord, type SinkRefusal } from './sink.ts';

const LIMITS: LaneLimits = {
  lingerMs: 10,
  batchRecordsMax: 4,
  batchBytesMax: 1_000,
  ackTimeoutMs: 5_000,
};

interface Answer {
  resolve(confirmed: number[]): void;
  reject(error: SinkError): void;
}

/** Lane 0 of a sink whose every answer the test gives by hand. */
class HandSink implements Pick<Sink, 'send' | 'renew'> {
  readonly requests: string[] = [];
  renewed = 0;
  #answer: Answer | undefined;
  #records: readonly SinkRecord[] = [];

  send(_target: string, _lane: number, records: readonly SinkRecord[]): Promise<number[]> {
    if (this.#answer !== undefined) throw new Error('two requests at a time');
    this.#records = records;
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

  async refuse(code: SinkError['code'], retryAfterMs?: number): Promise<void> {
    const details = retryAfterMs === undefined ? {} : { retryAfterMs };
    this.#take().reject(new SinkError(code, code, details));
    await jest.advanceTimersByTimeAsync(0);
  }

  /** Refuses the record under way of this value, and stores the others. */
  refuseOne(code: SinkError['code'], value: string): Promise<void> {
    return this.refuseEach({ [value]: code });
  }

  /** Refuses the records under way of these values, and stores the others. */
  async refuseEach(codes: Readonly<Record<string, SinkError['code']>>): Promise<void> {
    const refused = new Map<SinkRecord, SinkRefusal>();
    for (const record of this.#records) {
      const code = codes[String(record.value)];
      if (code !== undefined) refused.set(record, { code, message: code });
    }
    this.#take().reject(new SinkError('REJECTED', 'some', { refused }));
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
  let sink: HandSink;
  let lane: Lane;
  let delivered: string[];
  let failed: string[];
  let retries: number;
  let whenDelivered: (() => void) | undefined;
  let noted: (() => Promise<void>) | undefined;

  beforeEach(() => {
    jest.useFakeTimers();
    sink = new HandSink();
    delivered = [];
    failed = [];
    retries = 0;
    noted = undefined;
    const texts = (records: readonly OutboundRecord[]): string[] =>
      records.map(({ value }) => String(value));
    lane = new Lane({
      sink: sink as unknown as Sink,
      target: 't',
      lane: 0,
      limits: LIMITS,
      clock: { nowMs: Date.now, monotonicMs: Date.now },
      events: {
        delivered: (records) => {
          delivered.push(...texts(records));
          whenDelivered?.();
        },
        failed: (records, { fault }) =>
          failed.push(...texts(records).map((text) => `${text}:${fault}`)),
        retried: () => (retries += 1),
        noted: () => noted?.(),
      },
      returned: () => undefined,
    });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  function push(text: string, bytes = 10): void {
    lane.push({
      target: 't',
      key: Buffer.from('k'),
      value: Buffer.from(text),
      headers: {},
      timestampMs: Date.now(),
      bytes,
      gate: undefined,
      publisher: 'c1',
      sequence: 0,
      place: 0,
      isDone: false,
    });
  }
  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

  it('sends what one turn brings in one request when it was idle', async () => {
    push('a');
    push('b');
    expect(sink.requests).toEqual([]);
    await pass(0);
    expect(sink.requests).toEqual(['a b']);
    await sink.accept();
    expect(delivered).toEqual(['a', 'b']);
    expect(lane.size).toBe(0);
  });

  it('never has two requests under way, and lingers between small ones', async () => {
    push('a');
    await pass(0);
    push('b');
    await pass(3);
    push('c');
    await sink.accept();
    expect(sink.requests).toEqual(['a']);
    await pass(7);
    expect(sink.requests).toEqual(['a', 'b c']);
  });

  it('has one request under way also when records come as others leave', async () => {
    whenDelivered = () => {
      whenDelivered = undefined;
      for (const text of ['b', 'c', 'd', 'e', 'f']) push(text);
    };
    push('a');
    await pass(0);
    await sink.accept();
    await pass(10);
    expect(sink.requests).toEqual(['a', 'b c d e']);
    await sink.accept();
    await pass(10);
    expect(sink.requests).toEqual(['a', 'b c d e', 'f']);
  });

  it('does not linger with a full batch, by records or by bytes', async () => {
    for (const text of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']) push(text);
    await pass(0);
    await sink.accept();
    await sink.accept();
    expect(sink.requests).toEqual(['a b c d', 'e f g h']);
    push('j', 990);
    push('k', 990);
    await pass(0);
    await sink.accept();
    await pass(10);
    expect(sink.requests).toEqual(['a b c d', 'e f g h', 'i j', 'k']);
  });

  describe('whose deliveries are written down', () => {
    let notes: (() => void)[];

    beforeEach(() => {
      notes = [];
      noted = () => new Promise((resolve) => notes.push(resolve));
    });

    it('sends no more than a batch before that is done', async () => {
      for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) push(text);
      await pass(0);
      await sink.accept();
      expect(sink.requests).toEqual(['a b c d']);
      push('g');
      await pass(100);
      expect([sink.requests.length, notes.length, lane.size]).toEqual([1, 1, 3]);
      notes[0]?.();
      await pass(0);
      expect(sink.requests).toEqual(['a b c d', 'e f g']);
      await sink.accept();
      push('h');
      await pass(10);
      expect(sink.requests.at(-1)).toBe('h');
      await sink.accept();
      push('i');
      await pass(10);
      expect([sink.requests.length, notes.length]).toEqual([3, 2]);
    });

    it('waits no longer than a second', async () => {
      for (const text of ['a', 'b', 'c', 'd', 'e']) push(text);
      await pass(0);
      await sink.accept();
      await pass(1_000);
      expect(sink.requests).toEqual(['a b c d']);
      await pass(20);
      expect(sink.requests).toEqual(['a b c d', 'e']);
    });

    it('gives up what waits for that when it is closed', async () => {
      for (const text of ['a', 'b', 'c', 'd', 'e']) push(text);
      await pass(0);
      await sink.accept();
      lane.close();
      await pass(2_000);
      expect([sink.requests.length, lane.size]).toEqual([1, 0]);
      expect(failed).toEqual(['e:shutdown']);
    });
  });

  it('keeps the order and the batch while it repeats', async () => {
    push('a');
    push('b');
    await pass(0);
    push('c');
    await sink.refuse('UNAVAILABLE');
    push('d');
    await pass(50);
    await sink.refuse('UNAVAILABLE');
    await pass(100);
    expect(sink.requests).toEqual(['a b', 'a b', 'a b']);
    await sink.accept();
    await pass(10);
    await sink.accept();
    expect(delivered).toEqual(['a', 'b', 'c', 'd']);
    expect(retries).toBe(2);
    expect(sink.renewed).toBe(0);
  });

  it('repeats when the answer does not name its lane', async () => {
    push('a');
    await pass(0);
    await sink.accept([]);
    expect(delivered).toEqual([]);
    await pass(50);
    await sink.accept([1]);
    await pass(100);
    await sink.accept([0]);
    expect(sink.requests).toEqual(['a', 'a', 'a']);
    expect(delivered).toEqual(['a']);
  });

  it('splits a batch that is too large down to the record that is, and loses no other', async () => {
    for (const text of ['a', 'b', 'X', 'd']) push(text);
    await pass(0);
    await sink.refuse('TOO_LARGE');
    await sink.accept();
    await sink.refuse('TOO_LARGE');
    await sink.refuse('TOO_LARGE');
    await sink.accept();
    expect(sink.requests).toEqual(['a b X d', 'a b', 'X d', 'X', 'd']);
    expect(delivered).toEqual(['a', 'b', 'd']);
    expect(failed).toEqual(['X:too_large']);
    expect(lane.size).toBe(0);
    expect(sink.renewed).toBe(0);
  });

  describe('where less is taken than a batch may have', () => {
    let sideBytesMax: number;
    let refused: number;

    /** Pushes records of 200 bytes and has those requests refused that are too large. */
    async function carry(count: number): Promise<void> {
      for (let index = 0; index < count; index += 1) push('r', 200);
      const until = delivered.length + count;
      await pass(0);
      while (delivered.length < until) {
        const records = sink.requests.at(-1)?.split(' ').length ?? 0;
        if (records * 200 <= sideBytesMax) {
          await sink.accept();
        } else {
          refused += 1;
          await sink.refuse('TOO_LARGE');
        }
        await pass(10);
      }
    }

    beforeEach(() => {
      sideBytesMax = 400;
      refused = 0;
    });

    it('remembers what was too large', async () => {
      await carry(4);
      expect(refused).toBe(1);
      await carry(100);
      expect(refused).toBe(1);
      expect(failed).toEqual([]);
    });

    it('tries more now and then, and goes on as before when that is too large', async () => {
      await carry(4);
      await carry(2_000);
      expect(refused).toBeGreaterThan(2);
      expect(refused).toBeLessThan(20);
      expect(failed).toEqual([]);
    });

    it('comes back to full batches when they are taken', async () => {
      await carry(4);
      sideBytesMax = 1_000;
      await carry(1_000);
      expect(sink.requests.at(-1)).toBe('r r r r');
      expect(refused).toBe(1);
    });
  });

  it('finds the one record that the sink rejects', async () => {
    push('a');
    push('X');
    await pass(0);
    await sink.refuse('REJECTED');
    await sink.accept();
    await sink.refuse('REJECTED');
    expect(delivered).toEqual(['a']);
    expect(failed).toEqual(['X:other']);
  });

  it('renews the sink when it gives up what may have been stored', async () => {
    push('a');
    await pass(0);
    await sink.refuse('UNAVAILABLE');
    await pass(50);
    await sink.refuse('NOT_AUTHORIZED');
    expect(failed).toEqual(['a:not_authorized']);
    expect(sink.renewed).toBe(1);
    push('b');
    await pass(10);
    await sink.accept();
    expect(delivered).toEqual(['b']);
  });

  it('gives up the records that were refused, and delivers the others of their batch', async () => {
    for (const value of ['a', 'b', 'c']) push(value);
    await pass(0);
    await sink.refuseOne('REJECTED', 'b');
    expect(failed).toEqual(['b:other']);
    expect(delivered).toEqual(['a', 'c']);
    push('d');
    await pass(10);
    // It does not wait for a place that a record of many has none of.
    await sink.refuseOne('UNKNOWN_TARGET', 'd');
    expect(failed).toEqual(['b:other', 'd:unknown_topic']);
    push('e');
    await pass(10);
    await sink.refuseOne('UNFIT', 'e');
    expect(failed.at(-1)).toBe('e:schema_error');
    expect(lane.size).toBe(0);
  });

  it('tells of each record why it was refused', async () => {
    for (const value of ['a', 'b', 'c']) push(value);
    await pass(0);
    await sink.refuseEach({ a: 'REJECTED', c: 'UNKNOWN_TARGET' });
    expect(failed).toEqual(['a:other', 'c:unknown_topic']);
    expect(delivered).toEqual(['b']);
  });

  it('leaves the other side alone for as long as it asks', async () => {
    push('a');
    await pass(0);
    await sink.refuse('UNAVAILABLE', 60_000);
    await pass(59_000);
    expect(sink.requests).toEqual(['a']);
    await pass(1_000);
    expect(sink.requests).toEqual(['a', 'a']);
    await sink.accept();
    expect(delivered).toEqual(['a']);
  });

  it('waits for a missing target as long as a publisher waits, not longer', async () => {
    push('a');
    await pass(0);
    for (let waited = 0; failed.length === 0 && waited < 20_000; waited += 2_000) {
      await sink.refuse('UNKNOWN_TARGET');
      await pass(2_000);
    }
    expect(failed).toEqual(['a:unknown_topic']);
    expect(sink.requests.length).toBeGreaterThan(3);
  });

  it('gives everything up when it closes, and nothing twice', async () => {
    push('a');
    await pass(0);
    push('b');
    lane.close();
    await pass(0);
    expect(failed).toEqual(['b:shutdown']);
    await sink.accept();
    expect(delivered).toEqual(['a']);
    expect(lane.size).toBe(0);
  });

  it('asks no more when it closes between two attempts', async () => {
    push('a');
    await pass(0);
    await sink.refuse('UNAVAILABLE');
    lane.close();
    await pass(10_000);
    expect(sink.requests).toEqual(['a']);
    expect(failed).toEqual(['a:shutdown']);
  });

  it('ends when it closes with more than a batch behind a request that fails', async () => {
    push('a');
    await pass(0);
    for (const text of ['b', 'c']) push(text, 990);
    lane.close();
    await sink.refuse('UNAVAILABLE');
    expect(failed).toEqual(['b:shutdown', 'c:shutdown', 'a:shutdown']);
    expect(sink.requests).toEqual(['a']);
  });
});
