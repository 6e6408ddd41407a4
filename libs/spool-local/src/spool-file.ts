import { mkdir, realpath, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { SpoolError, type SpoolMarks } from '#libs/broker-ports';
import type { SpoolBlock, SpoolChange, SpoolChanged, SpoolStore, StoredLog } from '#libs/spool';
import { isForeign } from './lmdb-header.ts';

const FILE = 'spool.mdb';

/*
 * Keys:
 *
 *   [0]                        the format of the file
 *   [1, rule]                  `first next end` of the log
 *   [2, rule, last, before]    a block
 *   [3, rule]                  marks: the sequence of the first bit, in 8 bytes, and the bits
 */
const FORMAT_KEY: Key = [0];
const FORMAT = '1';
const LOGS = 1;
const BLOCKS = 2;
const MARKS = 3;
const MARKS_HEAD_BYTES = 8;

/**
 * How many blocks one transaction removes of a log. Each removal takes pages before it gives some back: on a full disk
 * a few can be removed, many at once cannot.
 */
const REMOVALS_MAX = 64;

/** Less room than this on its file system means that a write has failed for lack of it. */
const ROOM_BYTES_MIN = 1024 * 1024;

/** What the system and the driver say when there is no room: file too large, no space, quota; map full. */
const FULL_CODES: ReadonlySet<unknown> = new Set([27, 28, 122, -30_792]);

/** The files that this process has open: the driver would open one twice as if it were one. */
const OPEN_FILES = new Set<string>();

type Key = (number | string)[];
type Database = RootDatabase<Buffer, Key>;

/** The blocks of a spool in an LMDB file: copied on write, so that a crash leaves a group as a whole or nothing of it. */
export class SpoolFile implements SpoolStore {
  readonly #database: Database;
  readonly #directory: string;
  readonly #file: string;

  /**
   * Opens the file in a directory and makes both if needed.
   *
   * @throws SpoolError when that cannot be done, or the file is in use, damaged or of another version. It names the setting.
   */
  static async open(directory: string): Promise<SpoolFile> {
    try {
      await mkdir(directory, { recursive: true });
      const file = join(await realpath(directory), FILE);
      if (OPEN_FILES.has(file)) throw new Error('it is in use by this process');
      if (await isForeign(file)) throw new Error(`${FILE} is damaged or no file of a spool`);
      const database = openDatabase(file);
      const fault = await faultOf(database);
      if (fault !== undefined) {
        await database.close();
        throw new Error(fault);
      }
      OPEN_FILES.add(file);
      return new SpoolFile(database, directory, file);
    } catch (cause) {
      const reason = String(fieldOf(cause, 'message') ?? cause);
      const message = `bridge.spool.dir: ${directory} cannot be used: ${reason}`;
      throw new SpoolError('FAILED', message, { cause });
    }
  }

  private constructor(database: Database, directory: string, file: string) {
    this.#database = database;
    this.#directory = directory;
    this.#file = file;
  }

  async logs(): Promise<readonly StoredLog[]> {
    const logs: StoredLog[] = [];
    for (const { key, value } of this.#database.getRange({ start: [LOGS], end: [LOGS + 1] })) {
      const rule = String(key[1]);
      const [first, next, end] = value.toString().split(' ').map(Number);
      if (first === undefined || next === undefined || end === undefined) {
        throw new SpoolError('FAILED', `the spool is damaged: the state of rule ${rule}`);
      }
      const [head] = this.#keys(rule, 1);
      const marks = marksOf(this.#database.get([MARKS, rule]));
      logs.push({ rule, first, next, end, base: head?.before ?? end, marks });
    }
    return logs;
  }

  async write(changes: readonly SpoolChange[]): Promise<readonly SpoolChanged[]> {
    this.#database.resetReadTxn();
    const plans = changes.map((change) => this.#plan(change));
    await this.#commit((results) => {
      for (const [index, { rule, blocks, first, next, end, marks }] of changes.entries()) {
        for (const { last, before, bytes } of blocks) {
          results.add(this.#database.put([BLOCKS, rule, last, before], asBuffer(bytes)));
        }
        const state = `${String(first)} ${String(next)} ${String(end)}`;
        results.add(this.#database.put([LOGS, rule], Buffer.from(state)));
        if (marks !== undefined) results.add(this.#database.put([MARKS, rule], bytesOf(marks)));
        for (const key of plans[index]?.released ?? []) results.add(this.#database.remove(key));
      }
    });
    return plans;
  }

  async read(rule: string, from: number, bytesMax: number): Promise<readonly SpoolBlock[]> {
    const blocks: SpoolBlock[] = [];
    let bytes = 0;
    this.#database.resetReadTxn();
    try {
      const range = { start: [BLOCKS, rule, from], end: [BLOCKS, rule, Infinity] };
      for (const { key, value } of this.#database.getRange(range)) {
        blocks.push({ ...nameOf(key), bytes: value });
        bytes += value.length;
        if (bytes >= bytesMax) break;
      }
    } catch (cause) {
      throw new SpoolError('FAILED', 'the spool cannot be read', { cause });
    }
    return blocks;
  }

  async remove(rule: string): Promise<void> {
    for (;;) {
      this.#database.resetReadTxn();
      const keys = this.#keys(rule, REMOVALS_MAX);
      await this.#commit((results) => {
        for (const { key } of keys) results.add(this.#database.remove(key));
        if (keys.length === REMOVALS_MAX) return;
        results.add(this.#database.remove([LOGS, rule]));
        results.add(this.#database.remove([MARKS, rule]));
      });
      if (keys.length < REMOVALS_MAX) return;
    }
  }

  async close(): Promise<void> {
    await this.#database.close();
    OPEN_FILES.delete(this.#file);
  }

  /** What is to go in this transaction, and what the log is like after it. */
  #plan({ rule, blocks, first, end }: SpoolChange): SpoolChanged & { readonly released: Key[] } {
    const released: Key[] = [];
    for (const { key, last, before } of this.#keys(rule, REMOVALS_MAX + 1)) {
      const isTidy = last >= first;
      if (isTidy || released.length === REMOVALS_MAX) return { released, base: before, isTidy };
      released.push(key);
    }
    return { released, base: blocks[0]?.before ?? end, isTidy: true };
  }

  /** The names of the lowest blocks of a log. */
  #keys(rule: string, limit: number): { key: Key; last: number; before: number }[] {
    const range = { start: [BLOCKS, rule], end: [BLOCKS, rule, Infinity], limit };
    return Array.from(this.#database.getKeys(range), (key) => ({ key, ...nameOf(key) }));
  }

  /** Makes one transaction, and resolves when it is synced. */
  async #commit(make: (results: Set<Promise<boolean>>) => void): Promise<void> {
    // The driver gives one promise to many writes, and another one to the batch: each of them rejects when it fails.
    const results = new Set<Promise<boolean>>();
    try {
      const batch = this.#database.batch(() => make(results));
      await Promise.all(results.add(batch));
    } catch (error) {
      const cause = await causeOf(error);
      const code = (await this.#isFull(cause)) ? 'FULL' : 'FAILED';
      throw new SpoolError(code, `bridge.spool.dir: ${this.#directory} cannot be written`, {
        cause,
      });
    }
  }

  /** The driver tells of a write that was cut short by a full disk as of any other fault, so the room is looked at. */
  async #isFull(cause: unknown): Promise<boolean> {
    if (FULL_CODES.has(fieldOf(cause, 'code'))) return true;
    const room = await statfs(this.#directory).catch(() => undefined);
    return room !== undefined && room.bavail * room.bsize < ROOM_BYTES_MIN;
  }
}

function openDatabase(file: string): Database {
  return open<Buffer, Key>({
    path: file,
    encoding: 'binary',
    // Otherwise a write resolves before it is on the disk.
    overlappingSync: false,
    // Groups are made by the spool; the driver's own would reject a promise that nobody holds.
    eventTurnBatching: false,
  });
}

/** What is wrong with a file; marks a new one with the format. */
async function faultOf(database: Database): Promise<string | undefined> {
  // The first read, which also shows this process to others that open the file.
  const format = database.get(FORMAT_KEY)?.toString();
  if (format !== undefined && format !== FORMAT)
    return `${FILE} has format ${format}, this version reads ${FORMAT}`;
  // The driver keeps a line for each process, and the system tells which of them are gone.
  database.readerCheck();
  const processes = Array.from(database.readerList().matchAll(/^\s*(\d+) /gmu), ([, pid]) => pid);
  const other = processes.find((pid) => pid !== String(process.pid));
  if (other !== undefined) return `it is in use by process ${other}`;
  if (format === undefined) await database.put(FORMAT_KEY, Buffer.from(FORMAT));
  return undefined;
}

/** The driver's error carries a promise that rejects with the system's error. */
function causeOf(error: unknown): Promise<unknown> {
  return Promise.resolve(fieldOf(error, 'commitError')).then(
    () => error,
    (cause: unknown) => cause,
  );
}

function fieldOf(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
}

function nameOf(key: Key): { last: number; before: number } {
  return { last: Number(key[2]), before: Number(key[3]) };
}

function bytesOf({ from, bits }: SpoolMarks): Buffer {
  const head = Buffer.alloc(MARKS_HEAD_BYTES);
  head.writeBigUInt64BE(BigInt(from));
  return Buffer.concat([head, bits]);
}

function marksOf(bytes: Buffer | undefined): SpoolMarks | undefined {
  if (bytes === undefined) return undefined;
  // The driver's buffer does not outlive the next read.
  const bits = Uint8Array.from(bytes.subarray(MARKS_HEAD_BYTES));
  return { from: Number(bytes.readBigUInt64BE()), bits };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
