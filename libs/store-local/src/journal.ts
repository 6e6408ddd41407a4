/** Where a value is kept: one number or more, so that keys stay short whatever clients call their topics and themselves. */
export type JournalPath = readonly number[];

/** A value as it was found at the start. */
export interface JournalEntry {
  readonly path: JournalPath;
  readonly bytes: Uint8Array;
}

/**
 * Keeps on disk what the stores hold in memory: written as it changes, read once at the start.
 *
 * @remarks Changes are collected in the order of the calls and become durable together: a crash leaves all of a group
 * or nothing of it.
 */
export interface Journal {
  /** Writes a value, or overwrites it. The bytes must not change afterwards. */
  put(table: number, path: JournalPath, bytes: Uint8Array): void;
  /** Removes a value; nothing happens when there is none. */
  remove(table: number, path: JournalPath): void;
  /** All values of a table, in the order of their paths. */
  entries(table: number): Iterable<JournalEntry>;
  /**
   * Resolves when every change made before the call is on disk.
   *
   * @throws StoreUnavailableError when it could not be written. The changes are kept and written with the next ones.
   */
  committed(): Promise<void>;
}

/** How the values of a table are written; `decode` gives undefined for bytes that `encode` did not make. */
export interface TableFormat<Value> {
  readonly table: number;
  encode(value: Value): Uint8Array;
  decode(bytes: Uint8Array, path: JournalPath): Value | undefined;
}

/** The values of one kind in a journal; without a journal it keeps nothing and costs nothing. */
export class Table<Value> {
  readonly #journal: Journal | undefined;
  readonly #format: TableFormat<Value>;

  constructor(journal: Journal | undefined, format: TableFormat<Value>) {
    this.#journal = journal;
    this.#format = format;
  }

  put(path: JournalPath, value: Value): void {
    this.#journal?.put(this.#format.table, path, this.#format.encode(value));
  }

  remove(path: JournalPath): void {
    this.#journal?.remove(this.#format.table, path);
  }

  /** @throws Error when the file holds something else: the disk, or another program, has changed it. */
  *entries(): Generator<{ readonly path: JournalPath; readonly value: Value }, void, undefined> {
    const { table } = this.#format;
    for (const { path, bytes } of this.#journal?.entries(table) ?? []) {
      const value = this.#format.decode(bytes, path);
      if (value === undefined) {
        throw new Error(
          `the data file is damaged: table ${String(table)}, entry ${path.join('.')}`,
        );
      }
      yield { path, value };
    }
  }
}

/** The format of plain values. What this process wrote is believed when it is read back. */
export function jsonFormat<Value>(table: number): TableFormat<Value> {
  return {
    table,
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Value,
  };
}
