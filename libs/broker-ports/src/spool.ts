/** A record as it comes back from a spool. */
export interface SpoolEntry {
  readonly sequence: number;
  /** When it was appended, as the caller said: milliseconds since 1970. */
  readonly atMs: number;
  /** The reader's to keep. */
  readonly bytes: Uint8Array;
}

/**
 * Told once of every append, in the order of the appends of a log, never before the call of append has returned.
 *
 * @remarks Without an error the record is durable. One function may serve all records of a log.
 */
export type SpoolDone = (sequence: number, error?: SpoolError) => void;

/** Which records of a log are done with, from one that is not on. */
export interface SpoolMarks {
  /** The sequence that the lowest bit of the first byte stands for. */
  readonly from: number;
  /** A bit for each sequence, set when its record is done with. */
  readonly bits: Uint8Array;
}

/** What dropOldest has dropped. */
export interface SpoolDropped {
  readonly records: number;
  readonly bytes: number;
}

/**
 * The records of one rule that its sink does not have yet, in the order of their appends.
 *
 * @remarks Nothing of a record stays in memory once it is durable.
 */
export interface SpoolLog {
  /** The lowest sequence that is not released. Equal to `next` when nothing waits. */
  readonly first: number;
  /** What the next append gets. Sequences begin at 1, grow by one and are never given twice. */
  readonly next: number;
  /** How many sequences wait: records, also such as are on their way to the disk, and failed appends, until they are released. */
  readonly records: number;
  /** What mark() was told last, as far as it was durable; undefined when it never was. */
  readonly marks: SpoolMarks | undefined;
  /** What they take of the spool. It shrinks in steps, some time after the release: records are kept in blocks. */
  readonly bytes: number;
  /**
   * Takes a record, synchronously and in order.
   *
   * @remarks Records of all logs that come in the same turn, or while the disk is busy, become durable together. When that
   * fails all of them have failed. A record whose append failed may come back after a restart when the outcome was unknown.
   *
   * @param bytes - must not change until `done` was called.
   * @returns its sequence, or undefined when the spool has no room for it or has ended: then nothing was taken and `done` is
   * not called.
   */
  append(bytes: Uint8Array, atMs: number, done: SpoolDone): number | undefined;
  /**
   * Reads durable records from the log, in order, from a sequence on or from `first` if that is higher.
   *
   * @returns records of about so many bytes together, at least one if there is one.
   * @throws SpoolDamageError when the first of them can never be read. SpoolError when they cannot be read now.
   */
  read(from: number, bytesMax: number): Promise<readonly SpoolEntry[]>;
  /**
   * Forgets all records up to a sequence, itself included; nothing happens when they are forgotten.
   *
   * @remarks Durable some time later, with the next group: after a crash the latest ones come again.
   */
  release(upTo: number): void;
  /**
   * Remembers which of the records that it keeps need not be sent again. Replaces what it was told before.
   *
   * @remarks Durable some time later, with the next group.
   */
  mark(marks: SpoolMarks): void;
  /** Resolves when it was tried to make durable what was released and marked before. */
  flush(): Promise<void>;
  /**
   * Makes room for at least so many bytes by releasing the oldest durable records of this log, in whole blocks.
   *
   * @remarks The room counts at once, so that an append right after the call finds it.
   *
   * @param countedFrom - asked when records go: those below this sequence go too, and are not counted.
   * @returns what was dropped; nothing of it was released before.
   * @throws SpoolError when the log cannot be read.
   */
  dropOldest(bytes: number, countedFrom?: () => number): Promise<SpoolDropped>;
}

/**
 * A durable store of records on their way to a sink, a log for each rule: the spool of one node.
 *
 * @remarks When it cannot write, appends fail until it can again. It never says that something is durable that is not.
 */
export interface Spool {
  /** What all logs take, bounded by `bytesMax`. */
  readonly bytes: number;
  /** Beyond it appends find no room. */
  readonly bytesMax: number;
  /** The log of a rule, with what it held before a restart; made if there is none. Each call gives the same one. */
  open(rule: string): SpoolLog;
  /** The rules that have a log, also such as nobody has opened. */
  rules(): readonly string[];
  /**
   * Ends a log and removes what it holds; appends that are not durable fail. The rule may be opened anew.
   *
   * @throws SpoolError when it could not be removed.
   */
  remove(rule: string): Promise<void>;
  /** Makes durable what was appended and released, and ends the use. Later appends take nothing. */
  close(): Promise<void>;
}

/** The spool of a node that has ended, in the hands of this one until its log is empty. */
export interface InheritedSpool {
  /** Whose it was. */
  readonly nodeId: string;
  readonly spool: Spool;
  /**
   * Whether this node has it still: its own node may have come back, and sends for itself what is left.
   *
   * @throws SpoolError when that cannot be said.
   */
  isHeld(): Promise<boolean>;
  /** Ends the use. A spool without logs is gone then; another is for whoever inherits next. */
  close(): Promise<void>;
}

/** What nodes leave behind that end, where spools are in a place that all nodes reach. */
export interface SpoolEstate {
  /**
   * Takes the spools of nodes that have ended and did not come back. Each goes to exactly one node that asks.
   *
   * @throws SpoolError when it cannot be said which these are.
   */
  inherit(): Promise<readonly InheritedSpool[]>;
}

/**
 * The spool could not do what it was asked to.
 *
 * @remarks `FULL`: the disk, or the memory of Redis, has no room. `FAILED`: anything else; the cause says what.
 */
export class SpoolError extends Error {
  override readonly name = 'SpoolError';
  readonly code: 'FULL' | 'FAILED';

  constructor(code: SpoolError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Records of a log are damaged where they are kept: no attempt will read them. What follows them may be well. */
export class SpoolDamageError extends SpoolError {
  /** The last sequence that is damaged; the first is the one that was to be read. */
  readonly upTo: number;

  constructor(upTo: number, message: string) {
    super('FAILED', message);
    this.upTo = upTo;
  }
}
