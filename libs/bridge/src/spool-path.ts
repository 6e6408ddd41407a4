import type {
  Log,
  RuleSpoolState,
  SpoolDamageError,
  SpoolEntry,
  SpoolError,
  SpoolLog,
} from '#libs/broker-ports';
import { AckGate } from './ack-gate.ts';
import type { BridgeClock } from './bridge-clock.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { Episode } from './episode.ts';
import type { OutboundRecord } from './outbound-record.ts';
import type { RecordFates } from './record-fates.ts';
import { SpoolFeeder } from './spool-feeder.ts';
import { SpoolIntake } from './spool-intake.ts';
import type { RuleSpoolLimits } from './spool-limits.ts';
import { SpoolRoom } from './spool-room.ts';
import { spooledRecord } from './spooled-record.ts';

/** What the way of a rule's records through the spool needs. */
export interface SpoolPathOptions {
  readonly rule: string;
  readonly spoolLog: SpoolLog;
  readonly limits: RuleSpoolLimits;
  readonly budget: BufferBudget;
  readonly clock: BridgeClock;
  readonly log: Log;
  /** Takes a record to its lane. */
  readonly push: (record: OutboundRecord) => void;
  /** The dead letter of what cannot be read; undefined when the rule has none. */
  readonly letterOf: (entry: SpoolEntry) => OutboundRecord | undefined;
  readonly fates: RecordFates;
}

/** Records that are lost, in a row as far as they are told together. */
interface SpoolHole {
  readonly records: number;
  readonly from: number;
  readonly upTo: number;
  readonly error: string;
}

/** How long a rule must have been behind before that is told. */
const BEHIND_TOLD_MS = 1_000;

/**
 * The way of a rule's records through the spool: into its log, where they are acknowledged, and from there to the lanes.
 *
 * @remarks One version of a rule after the other has a path over the same log: the next one starts when the lanes of the one
 * before are gone.
 */
export class SpoolPath {
  readonly #options: SpoolPathOptions;
  readonly #intake: SpoolIntake;
  readonly #feeder: SpoolFeeder;
  readonly #full: Episode;
  readonly #failing: Episode;
  #behindSinceMs: number | undefined;
  #isBehindTold = false;
  /** What was found damaged since the last sweep. */
  #hole: SpoolHole | undefined;

  constructor(options: SpoolPathOptions) {
    const { rule, spoolLog, clock, log } = options;
    this.#options = options;
    this.#full = new Episode({
      begin: (cause) => log.warn('bridge-spool-full', { ...this.#fields(), error: cause }),
      end: () => log.info('bridge-spool-has-room', this.#fields()),
    });
    this.#failing = new Episode({
      begin: (cause) => log.error('bridge-spool-failed', { rule, error: cause }),
      end: () => log.info('bridge-spool-recovered', this.#fields()),
    });
    const failed = (error: Error): void => this.#failing.seen(clock.monotonicMs(), error.message);
    const room = new SpoolRoom({
      spoolLog,
      bytesMax: options.limits.bytesMax,
      next: () => this.#feeder.next,
      dropped: (records) => this.#dropped(records),
      failed,
    });
    const { budget, limits, push, fates } = options;
    const shared = { spoolLog, limits, budget, clock, fates };
    this.#intake = new SpoolIntake({
      ...shared,
      room,
      told: (error) => this.#told(error),
      troubled: (reason, cause) =>
        (reason === 'spool_full' ? this.#full : this.#failing).seen(clock.monotonicMs(), cause),
    });
    this.#feeder = new SpoolFeeder({
      ...shared,
      intake: this.#intake,
      push,
      read: (entry) => this.#read(entry),
      damaged: (from, error) => this.#damaged(from, error),
      failed,
    });
  }

  /** What the log holds. */
  get state(): RuleSpoolState {
    const { records, bytes } = this.#options.spoolLog;
    return { records, bytes };
  }

  /** What is wrong with the spool, while it is. */
  get fault(): string | undefined {
    if (this.#failing.cause !== undefined) return `the spool fails: ${this.#failing.cause}`;
    return this.#full.cause && `the spool is full: ${this.#full.cause}`;
  }

  /** Whether nothing is on its way to the disk or in the lanes. */
  get isIdle(): boolean {
    return !this.#intake.isPending && this.#feeder.isIdle;
  }

  /** Whether everything was delivered or given up. */
  get isDrained(): boolean {
    return this.isIdle && this.#feeder.isCaughtUp;
  }

  /** The sequence that the next record gets. */
  get next(): number {
    return this.#intake.next;
  }

  /** All records up to this sequence were delivered or given up. */
  get done(): number {
    return this.#feeder.done;
  }

  /** Takes a record; its gate, if any, is released when it is durable. */
  offer(record: OutboundRecord): void {
    this.#intake.offer(record);
  }

  /**
   * Takes records out of the log that another node had of the rule, as long as less than half of the room is taken: the rest is
   * for what clients publish.
   *
   * @returns how many of them, from the first on, need not be kept there any more.
   */
  inherit(entries: readonly SpoolEntry[]): Promise<number> {
    const { spoolLog, limits } = this.#options;
    if (spoolLog.bytes > limits.bytesMax / 2) return Promise.resolve(0);
    return new Promise((resolve) => {
      let taken = 0;
      const gate = new AckGate((error) => resolve(error === undefined ? taken : 0), Infinity);
      for (const entry of entries) {
        const record = this.#read(entry);
        if (record !== undefined) {
          record.gate = gate;
          gate.hold();
          // A record that is not taken leaves the gate as if it were.
          if (!this.#intake.inherit(record)) {
            gate.release();
            break;
          }
        }
        taken += 1;
      }
      gate.release();
    });
  }

  /** Begins to send: the lanes of earlier versions of the rule are gone. */
  start(): void {
    const { spoolLog, log } = this.#options;
    if (spoolLog.records > 0) log.info('bridge-spool-replay', this.#fields());
    this.#feeder.start();
  }

  /** A record has left the lanes: it was delivered or given up, or, as the rule ends, it stays in the spool. */
  left(record: OutboundRecord, isDone: boolean): void {
    this.#feeder.left(record, isDone);
  }

  /** To be called when records have left. */
  advance(): void {
    this.#feeder.advance();
  }

  /** Does what is due: waiting records, the replay, the release of what is done with. */
  sweep(nowMs: number): void {
    this.#intake.sweep(nowMs);
    this.#feeder.sweep(nowMs);
    this.#full.sweep(nowMs);
    this.#failing.sweep(nowMs);
    this.#tellHole();
    this.#tellBehind(nowMs);
  }

  /** Takes and sends nothing more; what is in the log stays there. */
  stop(): void {
    this.#intake.close();
    this.#feeder.stop();
    this.#tellHole();
  }

  /** Lets the log forget what was delivered last. */
  release(): void {
    this.#feeder.release();
  }

  /** The same, and resolves when it was tried to make that durable. */
  noted(): Promise<void> {
    this.#feeder.release();
    return this.#options.spoolLog.flush();
  }

  /** Makes a record of what is in a log: that which was put there, or the dead letter of what cannot be read. */
  #read(entry: SpoolEntry): OutboundRecord | undefined {
    const record = spooledRecord(entry);
    if (record !== undefined) return record;
    const { letterOf, fates } = this.#options;
    const letter = letterOf(entry);
    const detail = `record ${String(entry.sequence)} cannot be read`;
    fates.poisoned({ fault: 'spool_damaged', detail }, 'the spool', letter !== undefined);
    if (letter === undefined) fates.count('failed', 'spool_damaged');
    return letter;
  }

  #told(error: SpoolError | undefined): void {
    if (error === undefined) {
      this.#full.passed();
      this.#failing.passed();
    }
    this.#feeder.feed();
  }

  #dropped(count: number): void {
    if (count > 0) this.#options.fates.count('dropped', 'spool_full', count);
    this.#feeder.feed();
  }

  /** Counts no fewer than are lost: some of the sequences may have been no records. */
  #damaged(from: number, { upTo, message }: SpoolDamageError): void {
    const count = upTo - from + 1;
    this.#options.fates.damaged(count);
    const { records, from: first, error } = this.#hole ?? { records: 0, from, error: message };
    this.#hole = { records: records + count, from: first, upTo, error };
  }

  #tellHole(): void {
    const { log, rule } = this.#options;
    if (this.#hole !== undefined) log.error('bridge-spool-damaged', { rule, ...this.#hole });
    this.#hole = undefined;
  }

  #tellBehind(nowMs: number): void {
    const { log, rule } = this.#options;
    if (!this.#feeder.isBehind) {
      if (this.#isBehindTold) log.info('bridge-spool-caught-up', { rule });
      this.#isBehindTold = false;
      this.#behindSinceMs = undefined;
      return;
    }
    this.#behindSinceMs ??= nowMs;
    if (this.#isBehindTold || nowMs - this.#behindSinceMs < BEHIND_TOLD_MS) return;
    this.#isBehindTold = true;
    log.info('bridge-spool-behind', this.#fields());
  }

  #fields(): Readonly<Record<string, string | number>> {
    return { rule: this.#options.rule, ...this.state };
  }
}
