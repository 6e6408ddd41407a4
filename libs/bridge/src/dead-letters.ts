import { reasonHeaders, type LetterReason } from './dead-letter.ts';
import { laneOf } from './murmur2.ts';
import type { RecordSource } from './placeholders.ts';
import { SinkError, type Sink, type SinkRecord } from './sink.ts';

/** Told when a dead letter is stored for good; with an error when it is not known to be. */
export type LetterDone = (error?: SinkError) => void;

interface Letter {
  readonly record: SinkRecord;
  readonly done: LetterDone;
}

const LETTERS_AT_ONCE = 100;

/**
 * Takes records that can never be published to a topic for people to look at.
 *
 * @remarks A letter keeps key, value, headers and time of the record. One round after another is sent, so that a lane has one
 * request under way at most. A letter that is refused is not tried again: its record comes again.
 */
export class DeadLetters {
  readonly #sink: Sink;
  readonly #target: string;
  #waiting: Letter[] = [];
  #isWorking = false;
  #lanes = 0;

  constructor(sink: Sink, target: string) {
    this.#sink = sink;
    this.#target = target;
  }

  /** Sends a record with the reason in its headers. */
  put(source: RecordSource, reason: LetterReason, done: LetterDone): void {
    this.#waiting.push({ record: letterOf(this.#target, source, reason), done });
    if (!this.#isWorking) void this.#work();
  }

  /** Gives up what waits; never rejects. */
  async close(): Promise<void> {
    for (const { done } of this.#waiting.splice(0)) done(new SinkError('UNAVAILABLE', 'closed'));
    await this.#sink.close();
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    // All that is refused in this turn goes out together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      await this.#send(this.#waiting.splice(0, LETTERS_AT_ONCE));
    }
    this.#isWorking = false;
  }

  async #send(letters: readonly Letter[]): Promise<void> {
    const left = new Set(letters);
    let current: number | undefined;
    try {
      if (this.#lanes === 0) this.#lanes = await this.#sink.lanes(this.#target);
      for (const [lane, group] of this.#byLane(letters)) {
        current = lane;
        const records = group.map(({ record }) => record);
        const confirmed = await this.#sink.send(this.#target, lane, records);
        if (!confirmed.includes(lane)) throw new SinkError('UNAVAILABLE', 'lane not confirmed');
        for (const letter of group) {
          left.delete(letter);
          letter.done();
        }
      }
    } catch (failure) {
      if (!(failure instanceof SinkError)) throw failure;
      this.#lanes = 0;
      // The same records may go another way next time.
      if (current !== undefined) this.#sink.renew(this.#target, current);
      for (const { done } of left) done(failure);
    }
  }

  #byLane(letters: readonly Letter[]): ReadonlyMap<number, readonly Letter[]> {
    const lanes = new Map<number, Letter[]>();
    for (const letter of letters) {
      const lane = laneOf(letter.record.key, this.#lanes);
      const group = lanes.get(lane);
      if (group === undefined) lanes.set(lane, [letter]);
      else group.push(letter);
    }
    return lanes;
  }
}

function letterOf(target: string, source: RecordSource, reason: LetterReason): SinkRecord {
  const { topic, partition, record } = source;
  const headers: Record<string, string | Buffer | string[]> = {};
  for (const [name, value] of Object.entries(record.headers ?? {})) {
    if (Array.isArray(value)) headers[name] = value.map(String);
    else if (value !== undefined) headers[name] = value;
  }
  return {
    target,
    key: record.key ?? Buffer.alloc(0),
    value: record.value ?? Buffer.alloc(0),
    headers: {
      ...headers,
      ...reasonHeaders(reason),
      'skein-topic': topic,
      'skein-partition': String(partition),
      'skein-offset': record.offset,
    },
    timestampMs: Number(record.timestamp),
  };
}
