import { SpoolError, type Spool, type SpoolLog } from '#libs/broker-ports';
import { GroupedLog, type LogGroup, type LogHost } from './grouped-log.ts';
import type { SpoolChanged, SpoolStore } from './spool-store.ts';

/** What a GroupedSpool needs. */
export interface GroupedSpoolOptions {
  readonly store: SpoolStore;
  /** How many bytes all logs together may take. */
  readonly bytesMax: number;
  /** Runs a function after the turn at hand: `setImmediate`. What a turn appends is written as one group. */
  readonly defer: (run: () => void) => void;
}

/**
 * A spool over a store of blocks: sequences, groups and bounds are decided here, so that every store has the same.
 *
 * @remarks One group at a time is under way; what comes meanwhile goes into the next one. So the more there is to do, the
 * more records share one sync of the disk, and none waits for a timer.
 */
export class GroupedSpool implements Spool {
  readonly bytesMax: number;
  readonly #store: SpoolStore;
  readonly #host: LogHost;
  readonly #defer: GroupedSpoolOptions['defer'];
  readonly #logs = new Map<string, GroupedLog>();
  readonly #changed = new Set<GroupedLog>();
  /** The sum of what the logs take: it is asked for with every record. */
  #taken = 0;
  #isWriting = false;
  #isClosed = false;
  /** The write that has its turn next, for all who ask for one meanwhile. */
  #nextWrite: Promise<void> | undefined;
  /** What the store was last asked for; it does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Finds what the store holds.
   *
   * @throws SpoolError when it cannot be read.
   */
  static async open(options: GroupedSpoolOptions): Promise<GroupedSpool> {
    const spool = new GroupedSpool(options);
    for (const stored of await options.store.logs()) {
      spool.#add(new GroupedLog(stored, spool.#host));
    }
    return spool;
  }

  private constructor({ store, bytesMax, defer }: GroupedSpoolOptions) {
    this.#store = store;
    this.#host = {
      store,
      isFull: (bytes) => this.#isFull(bytes),
      resized: (log, more) => {
        if (this.#logs.get(log.rule) === log) this.#taken += more;
      },
      changed: (log) => this.#noteChange(log),
      flushed: () => this.#flushed(),
    };
    this.bytesMax = bytesMax;
    this.#defer = defer;
  }

  get bytes(): number {
    let bytes = 0;
    for (const log of this.#logs.values()) bytes += log.bytes;
    return bytes;
  }

  open(rule: string): SpoolLog {
    const found = this.#logs.get(rule);
    if (found !== undefined) return found;
    const log = new GroupedLog({ rule, first: 1, next: 1, end: 0, base: 0 }, this.#host);
    return this.#add(log);
  }

  rules(): readonly string[] {
    return [...this.#logs.keys()];
  }

  async remove(rule: string): Promise<void> {
    const log = this.#logs.get(rule);
    if (log === undefined) return;
    this.#logs.delete(rule);
    this.#taken -= log.taken;
    this.#changed.delete(log);
    log.endWith(new SpoolError('FAILED', `the log of rule ${rule} was removed`));
    await this.#inTurn(() => this.#store.remove(rule));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    while (this.#changed.size > 0) await this.#flushed();
    for (const log of this.#logs.values()) log.endWith(closedError());
    await this.#inTurn(() => this.#store.close());
  }

  #add(log: GroupedLog): GroupedLog {
    this.#logs.set(log.rule, log);
    this.#taken += log.taken;
    return log;
  }

  /** Whether so many bytes more are too many. */
  #isFull(bytes: number): boolean {
    if (this.#isClosed) return true;
    if (this.#taken + bytes <= this.bytesMax) return false;
    // What could not be removed when it was released may be in the way.
    for (const log of this.#logs.values()) if (log.isUntidy) this.#noteChange(log);
    return true;
  }

  /** Has a log written that was changed. */
  #noteChange(log: GroupedLog): void {
    if (this.#logs.get(log.rule) !== log) return;
    this.#changed.add(log);
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#defer(() => void this.#writeAll());
  }

  /** Resolves when an attempt was made to write what has changed. */
  #flushed(): Promise<void> {
    return (this.#nextWrite ??= this.#inTurn(() => {
      this.#nextWrite = undefined;
      return this.#write();
    }));
  }

  async #writeAll(): Promise<void> {
    while (this.#changed.size > 0) await this.#flushed();
    this.#isWriting = false;
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task, task);
    this.#last = result;
    return result;
  }

  async #write(): Promise<void> {
    const groups = Array.from(this.#changed, (log) => log.take(true));
    this.#changed.clear();
    if (groups.length === 0) return;
    const error = await this.#tryWrite(groups);
    if (error === undefined) return;
    for (const group of groups) group.log.failed(group, error);
    // Without room for more, what was released has to go nevertheless; the attempt may be in vain.
    if (groups.some(({ records, change }) => records.length > 0 || change.marks !== undefined)) {
      await this.#tryWrite(groups.map(({ log }) => log.take(false)));
    }
  }

  async #tryWrite(groups: readonly LogGroup[]): Promise<SpoolError | undefined> {
    let results: readonly SpoolChanged[];
    try {
      results = await this.#store.write(groups.map(({ change }) => change));
    } catch (cause) {
      return cause instanceof SpoolError
        ? cause
        : new SpoolError('FAILED', 'the spool cannot be written', { cause });
    }
    for (const [index, result] of results.entries()) {
      const group = groups[index];
      group?.log.stored(group, result);
    }
    return undefined;
  }
}

function closedError(): SpoolError {
  return new SpoolError('FAILED', 'the spool is closed');
}
