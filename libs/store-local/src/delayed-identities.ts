import { REMEMBERED_MESSAGES, type MessageIdentity } from '#libs/broker-ports';
import { DueHeap } from './due-heap.ts';
import { nameOf } from './identity-name.ts';
import { jsonFormat, Table, type Journal } from './journal.ts';
import { TABLES } from './tables.ts';

/** For how long after it was due a message is remembered. */
const REMEMBERED_MS = 3_600_000;

interface Remembered {
  readonly name: string;
  readonly untilMs: number;
}

/** The delayed messages that may be stored once only: those that wait, and those that were due lately. */
export class DelayedIdentities {
  readonly #table: Table<Remembered>;
  readonly #names = new Map<number, string>();
  readonly #known = new Set<string>();
  readonly #heap = new DueHeap();
  #ever = 0;

  constructor(journal: Journal | undefined) {
    this.#table = new Table(journal, jsonFormat<Remembered>(TABLES.delayedIdentities));
    for (const { path, value } of this.#table.entries()) {
      const [number = 0] = path;
      this.#ever = Math.max(this.#ever, number);
      this.#keep(number, value);
    }
  }

  has(identity: MessageIdentity): boolean {
    return this.#known.has(nameOf(identity));
  }

  add(identity: MessageIdentity, dueAtMs: number): void {
    const remembered = { name: nameOf(identity), untilMs: dueAtMs + REMEMBERED_MS };
    this.#ever += 1;
    this.#keep(this.#ever, remembered);
    this.#table.put([this.#ever], remembered);
  }

  /** Forgets what was due long ago, and of the rest the first ones, if they are many. */
  sweep(nowMs: number, waiting: number): void {
    for (let next = this.#heap.peek(); next !== undefined; next = this.#heap.peek()) {
      const { number, atMs } = next;
      if (atMs > nowMs && this.#names.size <= waiting + REMEMBERED_MESSAGES) return;
      this.#heap.shift();
      this.#known.delete(this.#names.get(number) ?? '');
      this.#names.delete(number);
      this.#table.remove([number]);
    }
  }

  #keep(number: number, { name, untilMs }: Remembered): void {
    this.#names.set(number, name);
    this.#known.add(name);
    this.#heap.add({ atMs: untilMs, number });
  }
}
