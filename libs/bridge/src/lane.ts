import type { BridgeClock } from './bridge-clock.ts';
import type { OutboundRecord } from './outbound-record.ts';
import { SinkError, type Sink, type SinkRecord, type SinkRefusal } from './sink.ts';

/** Why a lane gave records up, in a word and in words. */
export interface LaneLoss {
  readonly fault:
    | 'too_large'
    | 'not_authorized'
    | 'unknown_topic'
    | 'schema_error'
    | 'other'
    | 'expired'
    | 'timeout'
    | 'shutdown';
  readonly detail: string;
}

/** What a lane tells its rule; records come in groups, never one by one. */
export interface LaneEvents {
  delivered(records: readonly OutboundRecord[], seconds: number): void;
  failed(records: readonly OutboundRecord[], loss: LaneLoss): void;
  /** An attempt failed and will be repeated. */
  retried(error: SinkError): void;
  /** Resolves when it is written down, as far as that can be done, what was delivered. Undefined where nothing is. */
  noted(): Promise<void> | undefined;
}

/** The limits of a lane. */
export interface LaneLimits {
  /** Least time between the starts of two sends that are not full. */
  readonly lingerMs: number;
  readonly batchRecordsMax: number;
  readonly batchBytesMax: number;
  /** How old records of a target that does not exist may become, and for how long it is waited for. */
  readonly ackTimeoutMs: number;
  /** How old records may become. @defaultValue as old as it takes */
  readonly ageMsMax?: number | undefined;
  /** Whether access that is denied is waited for: it may be granted yet. @defaultValue false */
  readonly awaitsAccess?: boolean | undefined;
}

/** Where a lane leads, and what it works with. */
export interface LaneOptions {
  readonly sink: Sink;
  readonly target: string;
  readonly lane: number;
  readonly limits: LaneLimits;
  readonly clock: BridgeClock;
  readonly events: LaneEvents;
  /** Takes back what a lane holds that was abandoned. */
  readonly returned: (records: readonly OutboundRecord[]) => void;
}

/** What is told of records that a rule which ends gives up. @internal */
export const ENDED: LaneLoss = { fault: 'shutdown', detail: 'the rule ends' };

/** What is told of records that became too old. @internal */
export const EXPIRED: LaneLoss = { fault: 'expired', detail: 'it became too old' };

/** What is told of records whose publishers were refused meanwhile. @internal */
export const LATE: LaneLoss = { fault: 'timeout', detail: 'it was not delivered in time' };

const FAULTS: Readonly<Record<SinkError['code'], LaneLoss['fault']>> = {
  UNAVAILABLE: 'other',
  UNKNOWN_TARGET: 'unknown_topic',
  TOO_LARGE: 'too_large',
  NOT_AUTHORIZED: 'not_authorized',
  REJECTED: 'other',
  UNFIT: 'schema_error',
};

/** After how many large batches a larger one is tried, where one was too large before. */
const PROBE_BATCHES = 64;
const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 2_000;
/** How long a lane waits for what was delivered to be written down: a disk that hangs stops no lane. */
const NOTED_MS_MAX = 1_000;

/**
 * The way of all records to one lane of a target, for example a Kafka partition: a queue with at most one request under way, so that nothing overtakes.
 *
 * @remarks A batch, once begun, is repeated unchanged until the other side has it, so that it can tell a repeat. After a crash a spool
 * sends again what was not written down as delivered: that and the request under way are a batch at most. Records are
 * given up only for reasons that repeating cannot cure; what follows them goes on. A lane that was idle sends at the end of
 * the turn; a busy one collects for `lingerMs` or until a batch is full.
 * What was too large once is not tried again but now and then.
 */
export class Lane {
  readonly #options: LaneOptions;
  #queue: OutboundRecord[] = [];
  #head = 0;
  #bytes = 0;
  /** Halves of a batch that was refused for its size: they go before the queue. */
  #parts: (readonly OutboundRecord[])[] = [];
  #underWay = 0;
  /** How many records of the batches since it was last written down what was delivered. */
  #unnoted = 0;
  /** Whether requests are being made: records that come meanwhile are seen to at the end. */
  #isRunning = false;
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  #restUntilMs = 0;
  /** Since when the target has not existed, as far as the other side answered. */
  #unknownSinceMs: number | undefined;
  #closed = false;
  #isAbandoned = false;
  #wake: (() => void) | undefined;
  /** How large a batch may be, by what the other side took and refused. */
  #bytesMax: number;
  /** The largest batch that was taken since the last refusal. */
  #bytesTaken = 0;
  #takenInARow = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#bytesMax = options.limits.batchBytesMax;
  }

  /** Records that are neither delivered nor given up. */
  get size(): number {
    let size = this.#queue.length - this.#head + this.#underWay;
    for (const part of this.#parts) size += part.length;
    return size;
  }

  push(record: OutboundRecord): void {
    this.#queue.push(record);
    this.#bytes += record.bytes;
    this.#schedule();
  }

  /** Gives up everything at once, except what a request under way may still deliver. */
  close(): void {
    this.#closed = true;
    this.#unschedule();
    this.#wake?.();
    const rest = this.#takeRest();
    if (rest.length > 0) this.#options.events.failed(rest, ENDED);
  }

  /** The other side has fewer lanes by now: when it says so of this one, all that is here is returned. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#wake?.();
  }

  /** Takes out what its publishers will send again, as far as no attempt was begun with it. */
  takeLate(): readonly OutboundRecord[] {
    const waiting = this.#queue.slice(this.#head);
    const late = waiting.filter(isLate);
    if (late.length === 0) return late;
    this.#queue = waiting.filter((record) => !isLate(record));
    this.#head = 0;
    this.#bytes -= bytesOf(late);
    if (this.#queue.length === 0) this.#unschedule();
    return late;
  }

  get #full(): boolean {
    const { batchRecordsMax } = this.#options.limits;
    return this.#queue.length - this.#head >= batchRecordsMax || this.#bytes >= this.#bytesMax;
  }

  #schedule(): void {
    if (this.#isRunning || this.#turn !== undefined) return;
    if (this.#timer !== undefined && !this.#full) return;
    const { clock, limits } = this.#options;
    const restMs = this.#full
      ? 0
      : Math.min(this.#restUntilMs - clock.monotonicMs(), limits.lingerMs);
    if (restMs > 0) {
      this.#timer = setTimeout(this.#start, restMs);
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#turn = setImmediate(this.#start);
  }

  #unschedule(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    this.#timer = undefined;
    this.#turn = undefined;
  }

  readonly #start = (): void => {
    this.#timer = undefined;
    this.#turn = undefined;
    void this.#run();
  };

  /** Sends until less than a full batch is left. */
  async #run(): Promise<void> {
    const { clock, limits } = this.#options;
    this.#isRunning = true;
    do {
      this.#restUntilMs = clock.monotonicMs() + limits.lingerMs;
      const waiting = this.#parts[0]?.length ?? this.#queue.length - this.#head;
      const count = Math.min(waiting, limits.batchRecordsMax);
      if (this.#unnoted + count > limits.batchRecordsMax) await this.#note();
      const batch = this.#nextBatch();
      // They may have been taken out meanwhile.
      if (batch.length === 0) break;
      this.#unnoted += batch.length;
      this.#underWay = batch.length;
      await this.#deliver(batch);
    } while (this.#parts.length > 0 || this.#full);
    this.#isRunning = false;
    if (this.#queue.length > this.#head) this.#schedule();
  }

  /** Has it written down what was delivered. */
  async #note(): Promise<void> {
    this.#unnoted = 0;
    const noted = this.#options.events.noted();
    if (noted === undefined) return;
    await Promise.race([noted, this.#pause(NOTED_MS_MAX)]);
    this.#wake?.();
  }

  #nextBatch(): readonly OutboundRecord[] {
    const part = this.#parts.shift();
    if (part !== undefined) return part;
    const { batchRecordsMax } = this.#options.limits;
    const batch: OutboundRecord[] = [];
    let bytes = 0;
    while (batch.length < batchRecordsMax) {
      const record = this.#queue[this.#head];
      if (record === undefined || (batch.length > 0 && bytes + record.bytes > this.#bytesMax))
        break;
      batch.push(record);
      bytes += record.bytes;
      this.#head += 1;
    }
    this.#bytes -= bytes;
    if (this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return batch;
  }

  /** Repeats one batch until it is delivered, split or given up. */
  async #deliver(batch: readonly OutboundRecord[]): Promise<void> {
    const { clock, events } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      const startedMs = clock.monotonicMs();
      if (this.#isTooOld(batch)) {
        if (attempt > 0) this.#renew();
        this.#underWay = 0;
        events.failed(batch, EXPIRED);
        return;
      }
      const error = await this.#attempt(batch);
      if (error === undefined) {
        this.#underWay = 0;
        this.#unknownSinceMs = undefined;
        this.#grow(batch);
        events.delivered(batch, (clock.monotonicMs() - startedMs) / 1_000);
        return;
      }
      if (this.#isAbandoned && !this.#closed && error.code === 'UNKNOWN_TARGET') {
        this.#underWay = 0;
        this.#options.returned([...batch, ...this.#takeRest()]);
        return;
      }
      if (error.refused !== undefined) {
        this.#part(batch, error.refused, (clock.monotonicMs() - startedMs) / 1_000);
        return;
      }
      const loss = this.#closed ? ENDED : this.#verdict(batch, error);
      if (loss !== undefined) {
        // An earlier attempt may have been stored under the sequence numbers that come next.
        if (attempt > 0) this.#renew();
        this.#giveUp(batch, loss);
        return;
      }
      events.retried(error);
      const backoffMs = Math.min(BACKOFF_MIN_MS * 2 ** attempt, BACKOFF_MAX_MS);
      await this.#pause(Math.max(backoffMs, error.retryAfterMs ?? 0));
      if (this.#closed) return this.#giveUp(batch, ENDED);
    }
  }

  #renew(): void {
    const { sink, target, lane } = this.#options;
    sink.renew(target, lane);
  }

  #takeRest(): readonly OutboundRecord[] {
    const rest = [...this.#parts.flat(), ...this.#queue.slice(this.#head)];
    this.#parts = [];
    this.#queue = [];
    this.#head = 0;
    this.#bytes = 0;
    return rest;
  }

  async #attempt(batch: readonly OutboundRecord[]): Promise<SinkError | undefined> {
    const { sink, target, lane } = this.#options;
    try {
      const confirmed = await sink.send(target, lane, batch);
      if (confirmed.includes(lane)) return undefined;
      return new SinkError('UNKNOWN_TARGET', `no answer for lane ${lane} of ${target}`);
    } catch (error) {
      if (error instanceof SinkError) return error;
      throw error;
    }
  }

  /** Ends a batch of which the other side has refused a part and stored the rest. */
  #part(
    batch: readonly OutboundRecord[],
    refused: ReadonlyMap<SinkRecord, SinkRefusal>,
    seconds: number,
  ): void {
    const { events } = this.#options;
    this.#underWay = 0;
    const stored = batch.filter((record) => !refused.has(record));
    if (stored.length > 0) events.delivered(stored, seconds);
    for (const record of batch) {
      const refusal = refused.get(record);
      if (refusal !== undefined) events.failed([record], lossOf(refusal));
    }
  }

  /** Whether every record of a batch has become too old. A part of one cannot be taken out: it may be stored already. */
  #isTooOld(batch: readonly OutboundRecord[]): boolean {
    const { clock, limits } = this.#options;
    if (limits.ageMsMax === undefined || this.#closed) return false;
    const oldestMs = clock.nowMs() - limits.ageMsMax;
    return batch.every(({ timestampMs }) => timestampMs < oldestMs);
  }

  /** Why repeating this batch is of no use; undefined when it is. */
  #verdict(batch: readonly OutboundRecord[], error: SinkError): LaneLoss | undefined {
    const { code } = error;
    const { clock, limits } = this.#options;
    if (code === 'UNAVAILABLE' || (code === 'NOT_AUTHORIZED' && limits.awaitsAccess === true)) {
      this.#unknownSinceMs = undefined;
      return undefined;
    }
    if (code === 'UNKNOWN_TARGET') {
      const monotonicMs = clock.monotonicMs();
      const unknownMs = monotonicMs - (this.#unknownSinceMs ??= monotonicMs);
      // Records of a spool may be old already when the other side is not quite up yet.
      const ageMs = clock.nowMs() - (batch.at(-1)?.timestampMs ?? 0);
      if (Math.min(unknownMs, ageMs) <= limits.ackTimeoutMs) return undefined;
    }
    return lossOf(error);
  }

  #giveUp(batch: readonly OutboundRecord[], loss: LaneLoss): void {
    this.#underWay = 0;
    if (batch.length > 1 && (loss.fault === 'too_large' || loss.fault === 'other')) {
      if (loss.fault === 'too_large') this.#shrink(batch);
      // One bad record must not take its neighbours with it.
      const half = batch.length >> 1;
      this.#parts.unshift(batch.slice(0, half), batch.slice(half));
    } else {
      this.#options.events.failed(batch, loss);
    }
  }

  /** What was too large once would be again: the next batches are as large as one that was taken, or half as large. */
  #shrink(batch: readonly OutboundRecord[]): void {
    const bytes = bytesOf(batch);
    if (this.#bytesTaken >= bytes) this.#bytesTaken = 0;
    this.#bytesMax = Math.min(this.#bytesMax, Math.max(this.#bytesTaken, bytes >> 1));
    this.#takenInARow = 0;
  }

  /** What the other side takes may have grown, or one record alone was too large: now and then a little more is tried. */
  #grow(batch: readonly OutboundRecord[]): void {
    const { batchBytesMax } = this.#options.limits;
    if (this.#bytesMax === batchBytesMax) return;
    const bytes = bytesOf(batch);
    this.#bytesTaken = Math.max(this.#bytesTaken, bytes);
    if (bytes * 2 >= this.#bytesMax) this.#takenInARow += 1;
    if (this.#takenInARow < PROBE_BATCHES) return;
    this.#takenInARow = 0;
    this.#bytesMax = Math.min(batchBytesMax, this.#bytesMax + (this.#bytesMax >> 2) + 1);
  }

  #pause(pauseMs: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Whether the publisher of a record was refused for want of time, and will send it again; the other side has not refused it. @internal */
export function isLate({ gate, letter }: OutboundRecord): boolean {
  return gate?.isLate === true && letter?.origin === undefined;
}

function lossOf({ code, message }: SinkRefusal): LaneLoss {
  return { fault: FAULTS[code], detail: message };
}

function bytesOf(batch: readonly OutboundRecord[]): number {
  return batch.reduce((sum, { bytes }) => sum + bytes, 0);
}
