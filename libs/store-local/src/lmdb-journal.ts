import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { StoreUnavailableError } from '#libs/broker-ports';
import type { Journal, JournalEntry, JournalPath } from './journal.ts';

const FILE = 'skein.mdb';

/** The key and value that tell the layout of the file. Tables begin at 1. */
const FORMAT_KEY = [0];
const FORMAT = '1';

interface Change {
  readonly key: number[];
  /** Undefined removes the key. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * A journal in an LMDB file.
 *
 * @remarks One transaction at a time is under way; what changes meanwhile goes into the next one. So the more there is
 * to do, the more changes share one sync of the disk.
 */
export class LmdbJournal implements Journal {
  readonly #database: RootDatabase<Buffer, number[]>;
  #pending: Change[] = [];
  /** The transaction under way. */
  #running: Promise<void> | undefined;
  /** The one after it, which takes all that is pending when it begins. */
  #next: Promise<void> | undefined;

  /**
   * Opens the file in a directory and makes both if needed.
   *
   * @throws Error when the directory cannot be used, or the file is in use or was written by another version.
   */
  static async open(directory: string): Promise<LmdbJournal> {
    await mkdir(directory, { recursive: true });
    const file = join(directory, FILE);
    const database = open<Buffer, number[]>({
      path: file,
      encoding: 'binary',
      // Otherwise a write resolves before it is on the disk.
      overlappingSync: false,
      // Groups are made here; the driver's own would reject a promise that nobody holds.
      eventTurnBatching: false,
    });
    // The first read, which also shows this process to others that open the file.
    const format = database.get(FORMAT_KEY)?.toString() ?? FORMAT;
    const fault =
      format === FORMAT
        ? otherUserOf(database)
        : `has format ${format}, this version reads ${FORMAT}`;
    if (fault !== undefined) {
      await database.close();
      throw new Error(`${file} ${fault}`);
    }
    await database.put(FORMAT_KEY, Buffer.from(FORMAT));
    return new LmdbJournal(database);
  }

  private constructor(database: RootDatabase<Buffer, number[]>) {
    this.#database = database;
  }

  put(table: number, path: JournalPath, bytes: Uint8Array): void {
    this.#pending.push({ key: [table, ...path], bytes });
  }

  remove(table: number, path: JournalPath): void {
    this.#pending.push({ key: [table, ...path], bytes: undefined });
  }

  *entries(table: number): Generator<JournalEntry, void, undefined> {
    for (const { key, value } of this.#database.getRange({ start: [table], end: [table + 1] })) {
      yield { path: key.slice(1), bytes: value };
    }
  }

  committed(): Promise<void> {
    if (this.#pending.length === 0) return this.#next ?? this.#running ?? Promise.resolve();
    this.#next ??= this.#commitAfter(this.#running);
    return this.#next;
  }

  /** Writes what is pending, waits for the transaction under way and closes the file. */
  async close(): Promise<void> {
    try {
      await this.committed();
    } finally {
      await this.#database.close();
    }
  }

  async #commitAfter(before: Promise<void> | undefined): Promise<void> {
    // Who waits for the transaction before learns of its failure; this one begins in any case.
    await before?.catch(() => undefined);
    await Promise.resolve();
    const changes = this.#pending;
    this.#pending = [];
    this.#running = this.#next;
    this.#next = undefined;
    try {
      await this.#write(changes);
    } catch (cause) {
      handleCommitError(cause);
      this.#pending = [...changes, ...this.#pending];
      throw new StoreUnavailableError('the data file cannot be written', { cause });
    } finally {
      if (this.#next === undefined) this.#running = undefined;
    }
  }

  async #write(changes: readonly Change[]): Promise<void> {
    const database = this.#database;
    // The driver gives one promise to many writes, and another one to the batch: each of them rejects when it fails.
    const results = new Set<Promise<boolean>>();
    const batch = database.batch(() => {
      for (const { key, bytes } of changes) {
        results.add(
          bytes === undefined ? database.remove(key) : database.put(key, asBuffer(bytes)),
        );
      }
    });
    await Promise.all(results.add(batch));
  }
}

/** The driver's error carries a promise that rejects with the system's error, which nobody else would handle. */
function handleCommitError(error: unknown): void {
  if (!(error instanceof Error) || !('commitError' in error)) return;
  Promise.resolve(error.commitError).catch(() => undefined);
}

/** Another process that has the file open: two with memories of their own would undo each other's writes. */
function otherUserOf(database: RootDatabase<Buffer, number[]>): string | undefined {
  // The driver keeps a line for each process, and the system tells which of them are gone.
  database.readerCheck();
  const processes = Array.from(database.readerList().matchAll(/^\s*(\d+) /gmu), ([, pid]) => pid);
  const other = processes.find((pid) => pid !== String(process.pid));
  return other === undefined ? undefined : `is in use by process ${other}`;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
