import {
  SpoolDamageError,
  type SpoolDone,
  type SpoolDropped,
  type SpoolEntry,
  type SpoolError,
  type SpoolLog,
  type SpoolMarks,
} from '#libs/broker-ports';
import { blockCount, decodeBlock, encodeBlock, recordBytes } from './block.ts';
import {
  UnansweredError,
  type SpoolBlock,
  type SpoolChange,
  type SpoolChanged,
  type SpoolStore,
  type StoredLog,
} from './spool-store.ts';

/** How large a block grows: less waste than with small ones, and the step in which room becomes free. */
const BLOCK_BYTES_MAX = 60_000;

/** How much of one log goes into a group: Redis has a deadline for it, and memory holds it twice. */
const GROUP_BYTES_MAX = 4 * 1024 * 1024;

/** How much dropOldest() reads at a time. */
const DROP_BYTES_MAX = 1024 * 1024;

/** What a log needs of its spool. @internal */
export interface LogHost {
  readonly store: SpoolStore;
  /** Whether so many bytes more are too many. */
  isFull(bytes: number): boolean;
  /** The log takes so many bytes more of the room, or fewer. */
  resized(log: GroupedLog, bytes: number): void;
  /** The log has something to write. */
  changed(log: GroupedLog): void;
  /** Resolves when an attempt was made to write what has changed. */
  flushed(): Promise<void>;
}

interface Unstored {
  readonly bytes: Uint8Array;
  readonly atMs: number;
  readonly done: SpoolDone;
}

/** Records that are written together, and what is written. @internal */
export interface LogGroup {
  readonly log: GroupedLog;
  readonly records: readonly Unstored[];
  /** The sequence of the first of the records. */
  readonly from: number;
  readonly change: SpoolChange;
}

/** A log of a GroupedSpool. @internal */
export class GroupedLog implements SpoolLog {
  readonly rule: string;
  readonly #host: LogHost;
  /** What is not given to the store yet, and the sequence of the first of it. */
  #unstored: Unstored[] = [];
  #unstoredFrom: number;
  /** Bytes of what is not stored yet, be it with the store or not. */
  #unstoredBytes = 0;
  #first: number;
  #next: number;
  #end: number;
  #base: number;
  /** `first` as it is in the store. */
  #storedFirst: number;
  #isTidy = true;
  #marks: SpoolMarks | undefined;
  /** Whether the store has them. */
  #areMarksStored = true;
  /** Room that dropOldest() will have made. */
  #dropping = 0;
  #isEnded = false;
  #room = 0;

  constructor(stored: StoredLog, host: LogHost) {
    this.rule = stored.rule;
    this.#host = host;
    this.#first = stored.first;
    this.#storedFirst = stored.first;
    this.#next = stored.next;
    this.#unstoredFrom = stored.next;
    this.#end = stored.end;
    this.#base = stored.base;
    this.#room = this.bytes;
    this.#marks = stored.marks;
  }

  get first(): number {
    return this.#first;
  }

  get next(): number {
    return this.#next;
  }

  get records(): number {
    return this.#next - this.#first;
  }

  get marks(): SpoolMarks | undefined {
    return this.#marks;
  }

  get bytes(): number {
    return this.#end - this.#base + this.#unstoredBytes;
  }

  /** What the log takes of the room, as its spool was told last: what is free in a moment is free. */
  get taken(): number {
    return this.#room;
  }

  /** Whether the store holds more than it has to. */
  get isUntidy(): boolean {
    return !this.#isTidy || this.#storedFirst < this.#first;
  }

  append(bytes: Uint8Array, atMs: number, done: SpoolDone): number | undefined {
    const size = recordBytes(bytes);
    if (this.#isEnded || this.#host.isFull(size)) return undefined;
    const sequence = this.#next;
    this.#next += 1;
    this.#unstored.push({ bytes, atMs, done });
    this.#unstoredBytes += size;
    this.#resize();
    this.#host.changed(this);
    return sequence;
  }

  async read(from: number, bytesMax: number): Promise<readonly SpoolEntry[]> {
    const lowest = Math.max(from, this.#first);
    const entries: SpoolEntry[] = [];
    let bytes = 0;
    for (const block of await this.#host.store.read(this.rule, lowest, bytesMax)) {
      const decoded = decodeBlock(block);
      if (decoded === undefined) {
        if (entries.length > 0) return entries;
        const place = `the block that ends at ${String(block.last)}`;
        throw new SpoolDamageError(block.last, `the spool is damaged: ${place}`);
      }
      for (const entry of decoded) {
        if (entry.sequence < lowest) continue;
        bytes += entry.bytes.length;
        if (bytes > bytesMax && entries.length > 0) return entries;
        entries.push(entry);
      }
    }
    return entries;
  }

  release(upTo: number): void {
    const first = Math.min(upTo + 1, this.#next);
    if (first <= this.#first) return;
    this.#first = first;
    if (!this.#isEnded) this.#host.changed(this);
  }

  mark(marks: SpoolMarks): void {
    this.#marks = marks;
    this.#areMarksStored = false;
    if (!this.#isEnded) this.#host.changed(this);
  }

  flush(): Promise<void> {
    return this.#host.flushed();
  }

  async dropOldest(bytes: number, countedFrom?: () => number): Promise<SpoolDropped> {
    this.#dropping += bytes;
    this.#resize();
    try {
      const dropped = await this.#drop(bytes, countedFrom);
      await this.#host.flushed();
      return dropped;
    } finally {
      this.#dropping -= bytes;
      this.#resize();
    }
  }

  /** What is to be written now; the least of it only tells the store what was released. */
  take(isAll: boolean): LogGroup {
    const from = this.#unstoredFrom;
    const records = isAll ? this.#taken() : [];
    const next = from + records.length;
    const blocks = blocksOf(records, from, this.#end);
    const end = blocks.reduce((sum, block) => sum + block.bytes.length, this.#end);
    const marks = isAll && !this.#areMarksStored ? this.#marks : undefined;
    const first = Math.min(this.#first, next);
    const change = { rule: this.rule, blocks, first, next, end, marks };
    return { log: this, records, from, change };
  }

  /** A group of this log is durable. */
  stored({ change, records, from }: LogGroup, { base, isTidy }: SpoolChanged): void {
    this.#end = change.end;
    this.#base = base;
    this.#isTidy = isTidy;
    this.#storedFirst = change.first;
    if (change.marks === this.#marks) this.#areMarksStored = true;
    this.#settle(records, from, undefined);
    if (this.#unstored.length > 0 || !isTidy) this.#host.changed(this);
  }

  /** A group of this log could not be written. */
  failed({ change, records, from }: LogGroup, error: SpoolError): void {
    this.#isTidy = false;
    if (error instanceof UnansweredError) this.#end = change.end;
    this.#settle(records, from, error);
    if (this.#unstored.length > 0) this.#host.changed(this);
  }

  /** Takes nothing any more; what has not gone to the store fails. */
  endWith(error: SpoolError): void {
    this.#isEnded = true;
    const from = this.#unstoredFrom;
    const records = this.#unstored;
    this.#unstored = [];
    this.#unstoredFrom = this.#next;
    this.#settle(records, from, error);
  }

  #taken(): readonly Unstored[] {
    let bytes = 0;
    let count = 0;
    for (const record of this.#unstored) {
      bytes += recordBytes(record.bytes);
      if (count > 0 && bytes > GROUP_BYTES_MAX) break;
      count += 1;
    }
    this.#unstoredFrom += count;
    if (count === this.#unstored.length) {
      const all = this.#unstored;
      this.#unstored = [];
      return all;
    }
    return this.#unstored.splice(0, count);
  }

  #settle(records: readonly Unstored[], from: number, error: SpoolError | undefined): void {
    for (const { bytes } of records) this.#unstoredBytes -= recordBytes(bytes);
    this.#resize();
    for (const [index, { done }] of records.entries()) done(from + index, error);
  }

  #resize(): void {
    const before = this.#room;
    this.#room = this.bytes - this.#dropping;
    this.#host.resized(this, this.#room - before);
  }

  async #drop(bytes: number, countedFrom = () => 0): Promise<SpoolDropped> {
    const { store } = this.#host;
    let records = 0;
    let dropped = 0;
    while (dropped < bytes) {
      const wanted = Math.min(bytes - dropped, DROP_BYTES_MAX);
      const blocks = await store.read(this.rule, this.#first, wanted);
      if (blocks.length === 0) break;
      for (const block of blocks) {
        const begin = block.last - blockCount(block) + 1;
        const lowest = Math.max(this.#first, begin, countedFrom());
        records += Math.max(0, block.last - lowest + 1);
        dropped += block.bytes.length;
        this.release(block.last);
      }
    }
    return { records, bytes: dropped };
  }
}

function blocksOf(records: readonly Unstored[], from: number, end: number): SpoolBlock[] {
  const blocks: SpoolBlock[] = [];
  let before = end;
  let begin = 0;
  let size = 0;
  const cut = (to: number): void => {
    if (to === begin) return;
    const bytes = encodeBlock(records.slice(begin, to));
    blocks.push({ last: from + to - 1, before, bytes });
    before += bytes.length;
    begin = to;
    size = 0;
  };
  for (const [index, record] of records.entries()) {
    if (size + recordBytes(record.bytes) > BLOCK_BYTES_MAX) cut(index);
    size += recordBytes(record.bytes);
  }
  cut(records.length);
  return blocks;
}
