import { SpoolDamageError, SpoolError, type SpoolEntry, type SpoolLog } from '#libs/broker-ports';
import type { BridgeClock } from './bridge-clock.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { DoneMarks } from './done-marks.ts';
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
/** How many records may leave the lanes before that is written down, also when that costs the disk a group. */
const LEFT_MAX = 100;

/**
 * Carries the records of a log to their lanes, in the order of the log, and forgets those that are done with.
 *
 * @remarks A rule that is caught up gets a record from memory as soon as it is durable. Else its records wait in the log, and
 * are read back as the lanes empty. Lanes deliver out of order; the log is released up to the first record that is not
 * done with, and those beyond it that are get marks: a crash repeats what was delivered since the last group that went to the disk.
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
  #laneBytes = 0;
  /** What need not be sent; below `#next`, the rest of it is in the lanes. */
  #done: DoneMarks;
  /** How many records have left the lanes since that was written down. */
  #left = 0;
  /** How many records may be read back now. */
  #allowance: number;
  #sweptMs: number;

  constructor(options: SpoolFeederOptions) {
    this.#options = options;
    this.#next = options.spoolLog.first;
    this.#done = new DoneMarks(options.spoolLog);
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
    return (this.isIdle ? next : this.#done.first) - 1;
  }

  /** Whether records must be read back before live ones go on. */
  get isBehind(): boolean {
    return this.#next < this.#options.intake.first;
  }

  /** Whether nothing is in the lanes. */
  get isIdle(): boolean {
    return this.#done.first >= this.#next;
  }

  /** Begins: nothing of the log is in other hands any more. */
  start(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'running';
    this.#next = this.#options.spoolLog.first;
    this.#done = new DoneMarks(this.#options.spoolLog);
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
      this.#laneBytes += record.bytes;
      this.#options.push(record);
    }
    this.#isFeeding = false;
    if (this.isBehind && this.#hasRoom && this.#aheadAt === this.#ahead.length) void this.#read();
  }

  /** A record has left the lanes: it was delivered or given up, or, as the rule ends, it stays in the log. */
  left(record: OutboundRecord, isDone: boolean): void {
    this.#laneBytes -= record.bytes;
    if (!isDone) return;
    this.#done.add(record.sequence);
    this.#left += 1;
  }

  /** To be called when records have left. */
  advance(): void {
    if (this.#left >= LEFT_MAX) this.release();
    // A release costs the disk a group, unless records are on their way there.
    else if (this.#options.intake.isPending) this.#options.spoolLog.release(this.#done.first - 1);
    this.feed();
  }

  /** Lets the log forget what is done with, and remember what is beyond something that is not. */
  release(): void {
    const { spoolLog } = this.#options;
    spoolLog.release(this.#done.first - 1);
    if (this.#left === 0) return;
    this.#left = 0;
    const { beyond } = this.#done;
    if (beyond !== undefined) spoolLog.mark(beyond);
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
      this.#passTo(this.#options.spoolLog.first);
      const { isBehind } = this;
      const record = isBehind ? this.#takeRead() : this.#takeRecent();
      if (record === undefined || !this.#isExpired(record)) return record;
      this.#done.add(record.sequence);
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
      this.#done.add(record.sequence);
      this.#options.budget.give(record.bytes);
    }
  }

  #takeRead(): OutboundRecord | undefined {
    while (this.#allowance >= 1) {
      const entry = this.#ahead[this.#aheadAt];
      if (entry === undefined) return undefined;
      this.#aheadAt += 1;
      if (entry.sequence < this.#next) continue;
      this.#passTo(entry.sequence);
      this.#next += 1;
      if (this.#done.has(entry.sequence)) continue;
      this.#allowance -= 1;
      const record = this.#decode(entry);
      if (record !== undefined) return record;
      this.#done.add(entry.sequence);
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

  /** There is nothing to send before a sequence. */
  #passTo(next: number): void {
    for (; this.#next < next; this.#next += 1) this.#done.add(this.#next);
  }

  /** What is damaged holds up nothing behind it. */
  #passOver(error: SpoolDamageError): void {
    const from = Math.max(this.#next, this.#options.spoolLog.first);
    if (from <= error.upTo) this.#options.damaged(from, error);
    this.#passTo(error.upTo + 1);
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
    if (this.#ahead.length === 0) this.#passTo(told + 1);
    this.feed();
  }
}
