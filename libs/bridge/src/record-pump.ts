import type { InjectedMessage, PublishDone } from '#libs/broker-ports';
import { Deferred } from './deferred.ts';
import type { ConsumedRecord, RecordBatch } from './source.ts';

/** What a pump works with. */
export interface RecordPumpOptions {
  /** Makes the message of a record; undefined skips the record for good. */
  readonly map: (record: ConsumedRecord) => InjectedMessage | undefined;
  readonly inject: (message: InjectedMessage, done: PublishDone) => void;
  /** The publish pipeline took a record. */
  readonly delivered: (record: ConsumedRecord) => void;
  /** The publish pipeline refused a record: whether it is to be skipped for good or offered again later. */
  readonly refused: (record: ConsumedRecord, error: Error) => 'skip' | 'again';
  /** True offers the first record alone until it is taken: it was refused before, and what follows it need not go again. */
  readonly cautious: boolean;
}

/** Most records of one partition inside the publish pipeline. */
const IN_FLIGHT_MAX = 256;
const HEARTBEAT_MS = 500;

/**
 * Carries one batch of a partition through the publish pipeline, in order and without gaps.
 *
 * @remarks When a record is to be offered again, the pump lets those under way finish and ends. Offsets are resolved only up to
 * the first record that is not done: what came behind it goes again, so that receivers see the order once more (at least
 * once).
 */
export class RecordPump {
  readonly #batch: RecordBatch;
  readonly #options: RecordPumpOptions;
  readonly #settled = new Deferred();
  #done: boolean[] = [];
  /** Records before this one are resolved. */
  #resolved = 0;
  #next = 0;
  #inFlight = 0;
  #window: number;
  #refused = false;
  #pumping = false;
  #ended = false;

  constructor(batch: RecordBatch, options: RecordPumpOptions) {
    this.#batch = batch;
    this.#options = options;
    this.#window = options.cautious ? 1 : IN_FLIGHT_MAX;
  }

  /** How many records, from the first one on, are done with. */
  get resolved(): number {
    return this.#resolved;
  }

  /**
   * Runs to the end of the batch, to a record that is to be offered again, or until the batch is not active any more.
   *
   * @returns whether a record is to be offered again.
   * @throws what the heartbeat throws.
   */
  async run(): Promise<boolean> {
    const heartbeat = setInterval(() => {
      if (this.#batch.active()) this.#batch.heartbeat().catch((error: unknown) => this.#end(error));
      else this.#advance();
    }, HEARTBEAT_MS);
    this.#advance();
    try {
      await this.#settled.promise;
    } finally {
      clearInterval(heartbeat);
    }
    return this.#refused;
  }

  #end(error?: unknown): void {
    this.#ended = true;
    if (error === undefined) this.#settled.resolve();
    else this.#settled.reject(error);
  }

  /** Injects what the window allows; a pipeline that answers at once comes back here through #finished and returns. */
  #advance(): void {
    if (this.#pumping || this.#ended) return;
    const { records } = this.#batch;
    this.#pumping = true;
    let turn = IN_FLIGHT_MAX;
    while (this.#mayInject() && turn > 0) {
      this.#inject(this.#next);
      this.#next += 1;
      turn -= 1;
    }
    this.#pumping = false;
    this.#resolveDone();
    if (this.#resolved === records.length) this.#end();
    else if (this.#inFlight > 0) return;
    else if (this.#refused || !this.#batch.active()) this.#end();
    else setImmediate(() => this.#advance());
  }

  #mayInject(): boolean {
    return (
      this.#next < this.#batch.records.length &&
      this.#inFlight < this.#window &&
      !this.#refused &&
      this.#batch.active()
    );
  }

  #inject(index: number): void {
    const record = this.#batch.records[index];
    const message = record && this.#options.map(record);
    if (record === undefined || message === undefined) {
      this.#done[index] = true;
      return;
    }
    this.#inFlight += 1;
    this.#options.inject(message, (error) => {
      this.#inFlight -= 1;
      if (this.#ended) return;
      if (error === undefined) {
        this.#done[index] = true;
        this.#window = IN_FLIGHT_MAX;
        this.#options.delivered(record);
      } else if (this.#options.refused(record, error) === 'skip') {
        this.#done[index] = true;
      } else {
        this.#refused = true;
      }
      this.#advance();
    });
  }

  #resolveDone(): void {
    const from = this.#resolved;
    while (this.#done[this.#resolved] === true) this.#resolved += 1;
    const last = this.#batch.records[this.#resolved - 1];
    if (this.#resolved === from || last === undefined) return;
    this.#batch.resolve(last.offset, this.#resolved - from);
  }
}
