import { Deferred } from './deferred.ts';
import type { ConsumedRecord, RecordBatch } from './source.ts';

/**
 * What became of a record.
 *
 * @remarks `taken`: the publish pipeline has it. `skipped`: it is done with for another reason. `again`: it cannot be taken now,
 * and those of its key wait behind it. `stop`: it cannot be taken, and the whole partition waits behind it.
 */
export type RecordOutcome = 'taken' | 'skipped' | 'again' | 'stop';

/** What a pump works with. */
export interface RecordPumpOptions {
  /** Carries a record; tells what became of it exactly once, at once or later. */
  readonly carry: (record: ConsumedRecord, settled: (outcome: RecordOutcome) => void) => void;
  /** False while nothing is to be begun; looked at again with every heartbeat. */
  readonly ready: () => boolean;
  /**
   * Offsets of records that are done with although one before them is not. The pump passes over them and keeps the set right:
   * the next pump of the partition is to get the same one.
   */
  readonly ahead: Set<string>;
  /** True offers one record at a time until one is taken: some were refused before, and what follows need not go again. */
  readonly cautious: boolean;
}

/** Most records of one partition inside the publish pipeline. */
const IN_FLIGHT_MAX = 256;
/** When more keys than this wait, it is not for something of theirs: the partition waits. */
const WAITING_KEYS_MAX = 8;
const HEARTBEAT_MS = 500;

/**
 * Carries one batch of a partition through the publish pipeline, in the order of each key.
 *
 * @remarks Records without a key are of one key. When a record is to be offered again, no more of its key are offered; those of
 * other keys go on to the end of the batch. Offsets are resolved only up to the first record that is not done. What came
 * behind a refused one of its own key goes again, so that receivers see the order once more (at least once); what other
 * keys had does not, as long as `ahead` is kept.
 */
export class RecordPump {
  readonly #batch: RecordBatch;
  readonly #options: RecordPumpOptions;
  readonly #settled = new Deferred();
  readonly #done: boolean[];
  /** By key, the first record that is to be offered again. */
  readonly #waiting = new Map<string, number>();
  /** Records before this one are resolved. */
  #resolved = 0;
  #next = 0;
  #inFlight = 0;
  #window: number;
  #taken = 0;
  #halted = false;
  #pumping = false;
  #ended = false;

  constructor(batch: RecordBatch, options: RecordPumpOptions) {
    this.#batch = batch;
    this.#options = options;
    this.#window = options.cautious ? 1 : IN_FLIGHT_MAX;
    this.#done = batch.records.map(({ offset }) => options.ahead.has(offset));
  }

  /** How many records, from the first one on, are done with. */
  get resolved(): number {
    return this.#resolved;
  }

  /** How many records the publish pipeline took. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Runs until all records of the batch are done with or wait for one that is to be offered again, or until the batch is not
   * active any more.
   *
   * @returns whether a record is to be offered again.
   * @throws what the heartbeat or `carry` throws.
   */
  async run(): Promise<boolean> {
    const heartbeat = setInterval(() => {
      if (this.#batch.active()) this.#batch.heartbeat().catch((error: unknown) => this.#end(error));
      this.#advance();
    }, HEARTBEAT_MS);
    try {
      this.#advance();
      await this.#settled.promise;
    } finally {
      clearInterval(heartbeat);
    }
    return this.#halted || this.#waiting.size > 0;
  }

  #end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error === undefined) {
      this.#rememberAhead();
      this.#settled.resolve();
    } else {
      this.#options.ahead.clear();
      this.#settled.reject(error);
    }
  }

  /** Offers what the window allows; a pipeline that answers at once comes back here through #finished and returns. */
  #advance(): void {
    if (this.#pumping || this.#ended) return;
    this.#pumping = true;
    let turn = IN_FLIGHT_MAX;
    while (this.#mayOffer() && turn > 0) {
      this.#offer(this.#next);
      this.#next += 1;
      turn -= 1;
    }
    this.#pumping = false;
    if (this.#ended) return;
    this.#resolveDone();
    if (this.#inFlight > 0) return;
    if (this.#next === this.#batch.records.length || this.#halted || !this.#batch.active()) {
      this.#end();
    } else if (this.#options.ready()) setImmediate(() => this.#advance());
  }

  #mayOffer(): boolean {
    return (
      !this.#ended &&
      this.#next < this.#batch.records.length &&
      this.#inFlight < this.#window &&
      !this.#halted &&
      this.#batch.active() &&
      this.#options.ready()
    );
  }

  #offer(index: number): void {
    const record = this.#batch.records[index];
    if (record === undefined || this.#done[index] === true || this.#waits(record)) return;
    this.#inFlight += 1;
    const settled = (outcome: RecordOutcome): void => {
      this.#inFlight -= 1;
      if (this.#ended) return;
      this.#finished(record, index, outcome);
      this.#advance();
    };
    try {
      this.#options.carry(record, settled);
    } catch (error) {
      this.#end(error);
    }
  }

  #finished(record: ConsumedRecord, index: number, outcome: RecordOutcome): void {
    if (outcome === 'again') {
      const key = keyOf(record);
      this.#waiting.set(key, Math.min(index, this.#waiting.get(key) ?? index));
      if (this.#waiting.size > WAITING_KEYS_MAX) this.#halted = true;
    } else if (outcome === 'stop') {
      this.#halted = true;
    } else {
      this.#done[index] = true;
      if (outcome === 'skipped') return;
      this.#taken += 1;
      this.#window = IN_FLIGHT_MAX;
    }
  }

  #waits(record: ConsumedRecord): boolean {
    return this.#waiting.size > 0 && this.#waiting.has(keyOf(record));
  }

  #resolveDone(): void {
    const { ahead } = this.#options;
    const from = this.#resolved;
    while (this.#done[this.#resolved] === true) {
      if (ahead.size > 0) ahead.delete(this.#batch.records[this.#resolved]?.offset ?? '');
      this.#resolved += 1;
    }
    const last = this.#batch.records[this.#resolved - 1];
    if (this.#resolved === from || last === undefined) return;
    this.#batch.resolve(last.offset, this.#resolved - from);
  }

  #rememberAhead(): void {
    const { records } = this.#batch;
    for (let index = this.#resolved; index < records.length; index += 1) {
      const record = records[index];
      if (record === undefined || this.#done[index] !== true) continue;
      const waitsFrom = this.#waiting.size > 0 ? this.#waiting.get(keyOf(record)) : undefined;
      if (waitsFrom === undefined || index < waitsFrom) this.#options.ahead.add(record.offset);
    }
  }
}

function keyOf({ key }: ConsumedRecord): string {
  return key?.toString('latin1') ?? '';
}
