import { SpoolError, type SpoolMarks } from '#libs/broker-ports';

/** Records that were written together: what a store keeps as one value. */
export interface SpoolBlock {
  /** The sequence of its last record: its name in the log. */
  readonly last: number;
  /** How many bytes of blocks were stored in the log before it. */
  readonly before: number;
  readonly bytes: Uint8Array;
}

/** What a store knows of a log. */
export interface StoredLog {
  readonly rule: string;
  /** The lowest sequence that is not released. */
  readonly first: number;
  /** The sequence after the highest that was given. */
  readonly next: number;
  /** How many bytes of blocks were ever stored. */
  readonly end: number;
  /** `before` of the lowest block that is kept, or `end`. */
  readonly base: number;
  /** What was last marked in it, if anything was. */
  readonly marks?: SpoolMarks | undefined;
}

/** The store did not say what became of a group: its blocks may be there, so they count until they are released. */
export class UnansweredError extends SpoolError {}

/** What becomes of a log in a group: its blocks to add, and its state thereafter; without marks, these are as before. */
export interface SpoolChange extends Omit<StoredLog, 'base'> {
  readonly blocks: readonly SpoolBlock[];
}

/** What a log is like after a change. */
export interface SpoolChanged {
  readonly base: number;
  /** False: there are blocks below `first` still, which the next change goes on to remove. */
  readonly isTidy: boolean;
}

/** Where a spool keeps its blocks: the part that a file and Redis have to do for themselves. */
export interface SpoolStore {
  /** All logs, at the start. */
  logs(): Promise<readonly StoredLog[]>;
  /**
   * Carries changes out and makes them durable, and removes blocks whose records are all below `first`. Called again only
   * after it has ended.
   *
   * @returns how each log is now, in the order of the changes.
   * @throws SpoolError when it could not; with `FULL` for lack of room. UnansweredError when nobody knows.
   */
  write(changes: readonly SpoolChange[]): Promise<readonly SpoolChanged[]>;
  /**
   * The blocks from the one on that holds a sequence, or from the lowest above it.
   *
   * @returns so many that they have so many bytes together, or all there are.
   * @throws SpoolError when they cannot be read.
   */
  read(rule: string, from: number, bytesMax: number): Promise<readonly SpoolBlock[]>;
  /** Removes a log with all its blocks. */
  remove(rule: string): Promise<void>;
  /** Ends the use. */
  close(): Promise<void>;
}
