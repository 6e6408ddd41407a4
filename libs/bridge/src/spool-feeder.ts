import { SpoolDamageError, SpoolError, type SpoolEntry, type SpoolLog } from '#libs/broker-ports';
import type { BridgeClock } from './bridge-clock.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { Fifo } from './fifo.ts';
import type { OutboundRecord } from './outbound-record.ts';
import type { RecordFates } from './record-fates.ts';
import type { SpoolIntake } from './spool-intake.ts';
import type { RuleSpoolLimits } from './spool-limits.ts';

/** What a feeder works with. */
export interface SpoolFeederOptions {
  readonly spoolLog: SpoolLog;
  readonly limits: RuleSpoolLimits;
  readonly budget: BufferBudget;
  readonly clock: BridgeClock;
  readonly intake: SpoolIntake;
  /** Takes a record to its lane. */
  readonly push: (record: OutboundRecord) => void;
  /** The log cannot be read now. */
  readonly failed: (error: SpoolError) => void;
  /** Records of the log are lost: from a sequence on, as far as the error says. */
  readonly damaged: (from: number, error: SpoolDamageError) => void;
  /** Makes a record of what the log has; undefined when there is none to make, and that is told. */
  readonly read: (entry: SpoolEntry) => OutboundRecord | undefined;
  readonly fates: RecordFates;
}

/** What a rule may have in its lanes however full the buffer is, so that it gets on beside greedy ones. */
const WINDOW_BYTES_MIN = 256 * 1024;
const READ_BYTES_MAX = 512 * 1024;

/**
 * Carries the records of a log to their lanes, in the order of the log, and forgets those that are done with.
 *
 * @remarks A rule that is caught up gets a record from memory as soon as it is durable. Else its records wait in the log, and
 * are read back as the lanes empty. Lanes deliver out of order; the log is released up to the first record that is not
 * done with, so a crash repeats what was delivered beyond it: no more than the lanes hold.
 */
export class SpoolFeeder {
  readonly #options: SpoolFeederOptions;
  #next: number;
  /** What was read and waits for its turn. */
  #ahead: readonly SpoolEntry[] = [];
  #aheadAt = 0;
  #state: 'waiting' | 'running' | 'stopped' = 'waiting';
  #isFeeding = false;
  #isReading = false;
  /** What is in the lanes, in the order of the log. */
  readonly #inLanes = new Fifo<OutboundRecord>();
  #laneBytes = 0;
  /** How many records may be read back now. */
  #allowance: number;
  #sweptMs: number;

  constructor(options: SpoolFeederOptions) {
    this.#options = options;
    this.#next = options.spoolLog.first;
    this.#allowance = options.limits.replayRecordsPerSecond === 0 ? Infinity : 1;
    this.#sweptMs = options.clock.monotonicMs();
  }

  /** The next sequence that goes to the lanes. */
  get next(): number {
    return this.#next;
  }

  /** Whether the lanes have, or have had, all that the log has. */
  get isCaughtUp(): boolean {
    return this.#next === this.#options.spoolLog.next;
  }

  /** All up to this sequence are done with. */
  get done(): number {
    const next = Math.max(this.#next, this.#options.spoolLog.first);
    return (this.#inLanes.at(0)?.sequence ?? next) - 1;
  }

  /** Whether records must be read back before live ones go on. */
  get isBehind(): boolean {
    return this.#next < this.#options.intake.first;
  }

  /** Whether nothing is in the lanes. */
  get isIdle(): boolean {
    return this.#inLanes.size === 0;
  }

  /** Begins: nothing of the log is in other hands any more. */
  start(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'running';
    this.#next = this.#options.spoolLog.first;
    this.feed();
  }

  /** Gives the lanes nothing more. What they have may still be done with. */
  stop(): void {
    this.#state = 'stopped';
  }

  /** Gives the lanes what they have room for. */
  feed(): void {
    if (this.#state !== 'running' || this.#isFeeding) return;
    this.#isFeeding = true;
    while (this.#hasRoom) {
      const record = this.#take();
      if (record === undefined) break;
      this.#inLanes.push(record);
      this.#laneBytes += record.bytes;
      this.#options.push(record);
    }
    this.#isFeeding = false;
    if (this.isBehind && this.#hasRoom && this.#aheadAt === this.#ahead.length) void this.#read();
  }

  /** A record has left the lanes: it was delivered or given up, or, as the rule ends, it stays in the log. */
  left(record: OutboundRecord, isDone: boolean): void {
    record.isDone = isDone;
    this.#laneBytes -= record.bytes;
  }

  /** To be called when records have left. */
  advance(): void {
    while (this.#inLanes.at(0)?.isDone === true) this.#inLanes.shift();
    // A release costs the disk a group, unless records are on their way there.
    if (this.#options.intake.isPending) this.release();
    this.feed();
  }

  /** Lets the log forget what is done with. */
  release(): void {
    this.#options.spoolLog.release((this.#inLanes.at(0)?.sequence ?? this.#next) - 1);
  }

  sweep(nowMs: number): void {
    const { replayRecordsPerSecond: rate } = this.#options.limits;
    const gained = (rate * (nowMs - this.#sweptMs)) / 1_000;
    this.#allowance = rate === 0 ? Infinity : Math.min(this.#allowance + gained, rate);
    this.#sweptMs = nowMs;
    this.release();
    this.feed();
  }

  get #hasRoom(): boolean {
    return this.#laneBytes < WINDOW_BYTES_MIN || !this.#options.budget.isHalfFull;
  }

  /** The next record for the lanes, unless it is not durable yet or must be read first. */
  #take(): OutboundRecord | undefined {
    for (;;) {
      this.#next = Math.max(this.#next, this.#options.spoolLog.first);
      const { isBehind } = this;
      const record = isBehind ? this.#takeRead() : this.#takeRecent();
      if (record === undefined || !this.#isExpired(record)) return record;
      if (isBehind) this.#allowance += 1;
      this.#options.budget.give(record.bytes);
      this.#options.fates.count('dropped', 'expired');
    }
  }

  #takeRecent(): OutboundRecord | undefined {
    for (;;) {
      const record = this.#options.intake.take(this.#next);
      if (record === undefined) return undefined;
      this.#next += 1;
      if (!record.isDone) return record;
      this.#options.budget.give(record.bytes);
    }
  }

  #takeRead(): OutboundRecord | undefined {
    while (this.#allowance >= 1) {
      const entry = this.#ahead[this.#aheadAt];
      if (entry === undefined) return undefined;
      this.#aheadAt += 1;
      if (entry.sequence < this.#next) continue;
      this.#next = entry.sequence + 1;
      this.#allowance -= 1;
      const record = this.#decode(entry);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  #decode(entry: SpoolEntry): OutboundRecord | undefined {
    const record = this.#options.read(entry);
    if (record !== undefined) this.#options.budget.add(record.bytes);
    return record;
  }

  #isExpired({ timestampMs }: OutboundRecord): boolean {
    const { clock, limits } = this.#options;
    return clock.nowMs() - timestampMs > limits.ageSecondsMax * 1_000;
  }

  /** What is damaged holds up nothing behind it. */
  #passOver(error: SpoolDamageError): void {
    const from = Math.max(this.#next, this.#options.spoolLog.first);
    if (from <= error.upTo) this.#options.damaged(from, error);
    this.#next = Math.max(this.#next, error.upTo + 1);
    this.feed();
  }

  async #read(): Promise<void> {
    if (this.#isReading || this.#allowance < 1) return;
    const { spoolLog, intake, failed } = this.#options;
    const { told } = intake;
    this.#isReading = true;
    try {
      this.#ahead = await spoolLog.read(this.#next, READ_BYTES_MAX);
      this.#aheadAt = 0;
    } catch (error) {
      this.#isReading = false;
      if (error instanceof SpoolDamageError) return this.#passOver(error);
      if (error instanceof SpoolError) return failed(error);
      throw error;
    }
    this.#isReading = false;
    // Without records nothing is there up to the last whose fate is known; what is not durable yet is waited for.
    if (this.#ahead.length === 0 && told < this.#next) return;
    if (this.#ahead.length === 0) this.#next = told + 1;
    this.feed();
  }
}
