import type { SpoolError, SpoolLog } from '#libs/broker-ports';
import type { BridgeClock } from './bridge-clock.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { Fifo } from './fifo.ts';
import type { OutboundRecord } from './outbound-record.ts';
import type { RecordFates } from './record-fates.ts';
import type { RuleSpoolLimits } from './spool-limits.ts';
import { encodeRecord } from './spool-record.ts';
import type { SpoolRoom } from './spool-room.ts';

/** What an intake works with. */
export interface SpoolIntakeOptions {
  readonly spoolLog: SpoolLog;
  readonly limits: RuleSpoolLimits;
  readonly budget: BufferBudget;
  readonly clock: BridgeClock;
  /** One more record is durable, or will never be. */
  readonly told: (error: SpoolError | undefined) => void;
  readonly room: SpoolRoom;
  /** There was no room, or the spool cannot write. */
  readonly troubled: (reason: SpoolReason, cause: string) => void;
  readonly fates: RecordFates;
}

/** A record that waits for room. */
interface BlockedRecord {
  readonly record: OutboundRecord;
  /** For so long: milliseconds of the clock that never goes back. */
  readonly untilMs: number;
}

/** Why the spool did not take a record. */
export type SpoolReason = 'spool_full' | 'spool_failed' | 'shutdown';

/** Most bytes of a rule on their way to the disk: a disk that hangs must not fill memory. */
const PENDING_BYTES_MAX = 16 * 1024 * 1024;
/** Most bytes of records that are durable, and kept in memory in case their turn comes soon. */
const RECENT_BYTES_MAX = 1024 * 1024;
/** Most bytes that wait for room. */
const BLOCKED_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Takes records into the log of a rule, and holds their acknowledgements until they are durable.
 *
 * @remarks The newest records stay in memory, so that a rule that is caught up never reads: all that are not durable yet, and
 * of the others as many as RECENT_BYTES_MAX allows. The rest is in the log alone.
 */
export class SpoolIntake {
  readonly #options: SpoolIntakeOptions;
  readonly #recent = new Fifo<OutboundRecord>();
  /** The sequence of the first of the recent records; without any, of the next. */
  #first: number;
  #told = 0;
  #pendingBytes = 0;
  #recentBytes = 0;
  #recentBytesMax = RECENT_BYTES_MAX;
  readonly #blocked = new Fifo<BlockedRecord>();
  #blockedBytes = 0;

  constructor(options: SpoolIntakeOptions) {
    this.#options = options;
    this.#first = options.spoolLog.next;
  }

  /** From this sequence on memory has the records. */
  get first(): number {
    return this.#first;
  }

  /** The fate of all records up to this sequence is known; 0 before that of one is. */
  get told(): number {
    return this.#told;
  }

  /** Whether records are on their way to the disk. */
  get isPending(): boolean {
    return this.#pendingBytes > 0;
  }

  /** The sequence that the next record gets, if those that wait for room get it. */
  get next(): number {
    return this.#options.spoolLog.next + this.#blocked.size;
  }

  /** Takes a record, or deals with it as the policy for a full spool says. */
  offer(record: OutboundRecord): void {
    if (this.#blocked.size > 0 || !this.#append(record)) this.#withoutRoom(record);
  }

  /** Takes a record that is durable elsewhere, if there is room: it waits there else. */
  inherit(record: OutboundRecord): boolean {
    return this.#blocked.size === 0 && this.#append(record);
  }

  /** Takes the record of a sequence out of memory, when its fate is known, and forgets those before it. */
  take(sequence: number): OutboundRecord | undefined {
    while (this.#first < sequence && this.#first <= this.#told) this.#forgetFirst();
    if (this.#first !== sequence || sequence > this.#told) return undefined;
    return this.#shift();
  }

  /** Looks whether there is room by now for what waits for it. */
  sweep(nowMs: number): void {
    for (let first = this.#blocked.at(0); first !== undefined; first = this.#blocked.at(0)) {
      const { record, untilMs } = first;
      const isOver = nowMs >= untilMs || record.gate?.open === false;
      if (!isOver && !this.#append(record)) return;
      this.#unblock();
      if (isOver) this.#options.fates.refused(record, 'spool_full');
    }
  }

  /** Refuses what waits for room. What is durable is for the next version of the rule to read. */
  close(): void {
    this.#recentBytesMax = 0;
    this.#forgetOld();
    for (let record = this.#unblock(); record !== undefined; record = this.#unblock()) {
      this.#options.fates.refused(record, 'shutdown');
    }
  }

  /** Whether the disk does not keep up. */
  #isBusy({ bytes }: OutboundRecord): boolean {
    return this.#pendingBytes + bytes > PENDING_BYTES_MAX;
  }

  #append(record: OutboundRecord): boolean {
    const { spoolLog, room, budget } = this.#options;
    if (this.#isBusy(record)) return false;
    const bytes = encodeRecord(record);
    if (!room.has(bytes.length)) return false;
    const sequence = spoolLog.append(bytes, record.timestampMs, this.#tell);
    if (sequence === undefined) return false;
    record.sequence = sequence;
    if (this.#recent.size === 0) this.#first = sequence;
    this.#recent.push(record);
    this.#pendingBytes += record.bytes;
    budget.add(record.bytes);
    return true;
  }

  readonly #tell = (sequence: number, error?: SpoolError): void => {
    const record = this.#recent.at(sequence - this.#first);
    if (record === undefined) return;
    this.#told = sequence;
    this.#pendingBytes -= record.bytes;
    this.#recentBytes += record.bytes;
    const { gate } = record;
    if (error === undefined) {
      record.gate = undefined;
      gate?.release();
    } else {
      record.isDone = true;
      this.#failed(record, error);
    }
    this.#options.told(error);
    this.#forgetOld();
  };

  #failed(record: OutboundRecord, error: SpoolError): void {
    const { limits, room, troubled } = this.#options;
    if (error.code === 'FULL') {
      if (limits.onFull === 'drop-oldest' && !room.isBeingMade) room.make(record.bytes);
      troubled('spool_full', error.message);
      this.#dropOrRefuse(record);
    } else {
      troubled('spool_failed', error.message);
      this.#options.fates.refused(record, 'spool_failed');
    }
    record.gate = undefined;
  }

  #withoutRoom(record: OutboundRecord): void {
    const { limits, room, troubled, budget } = this.#options;
    troubled('spool_full', 'there is no room for a record');
    // Nothing that is on the disk makes room on the way there.
    const mayDrop = limits.onFull === 'drop-oldest' && !this.#isBusy(record);
    if (mayDrop && room.make(record.bytes) && this.#append(record)) return;
    if (limits.onFull !== 'block' || this.#blockedBytes + record.bytes > BLOCKED_BYTES_MAX) {
      return this.#dropOrRefuse(record);
    }
    const untilMs = this.#options.clock.monotonicMs() + limits.blockMs;
    this.#blocked.push({ record, untilMs });
    this.#blockedBytes += record.bytes;
    budget.add(record.bytes);
  }

  #dropOrRefuse(record: OutboundRecord): void {
    if (this.#options.limits.onFull !== 'drop-newest')
      return this.#options.fates.refused(record, 'spool_full');
    this.#options.fates.count('dropped', 'spool_full');
    record.span?.end('spool_full');
    record.gate?.release();
  }

  #unblock(): OutboundRecord | undefined {
    const record = this.#blocked.shift()?.record;
    if (record === undefined) return undefined;
    this.#blockedBytes -= record.bytes;
    this.#options.budget.give(record.bytes);
    return record;
  }

  #forgetOld(): void {
    while (this.#recentBytes > this.#recentBytesMax && this.#first <= this.#told) {
      this.#forgetFirst();
    }
  }

  #forgetFirst(): void {
    const record = this.#shift();
    // From now on it is on the disk alone.
    record?.span?.end();
    this.#options.budget.give(record?.bytes ?? 0);
  }

  #shift(): OutboundRecord | undefined {
    const record = this.#recent.shift();
    if (record === undefined) return undefined;
    this.#first += 1;
    this.#recentBytes -= record.bytes;
    return record;
  }
}
