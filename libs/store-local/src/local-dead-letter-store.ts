import type {
  DeadLetter,
  DeadLetterBounds,
  DeadLetterQuery,
  DeadLetterStore,
  KeptDeadLetter,
} from '#libs/broker-ports';
import { jsonFormat, Table, type Journal } from './journal.ts';
import type { LocalStoreOptions } from './local-store-options.ts';
import { comparePlaces, placeId, placeOf, type JournalPlace } from './journal-place.ts';
import { TABLES } from './tables.ts';

interface Kept extends JournalPlace {
  readonly letter: DeadLetter;
  /** What it takes in JSON. */
  readonly bytes: number;
}

/** The dead letters of a single node: in memory, and in a journal when they are to survive the process. */
export class LocalDeadLetterStore implements DeadLetterStore {
  readonly #clock: () => number;
  readonly #journal: Journal | undefined;
  readonly #bounds: DeadLetterBounds;
  readonly #table: Table<DeadLetter>;
  /** By id, in the order of their coming. */
  readonly #kept = new Map<string, Kept>();
  #last: JournalPlace = { atMs: 0, number: 0 };
  #bytes = 0;

  constructor(bounds: DeadLetterBounds, { clock, journal }: LocalStoreOptions) {
    this.#clock = clock;
    this.#journal = journal;
    this.#bounds = bounds;
    this.#table = new Table(journal, jsonFormat<DeadLetter>(TABLES.deadLetters));
    for (const { path, value } of this.#table.entries()) {
      const [atMs = 0, number = 0] = path;
      this.#hold({ atMs, number }, value);
    }
  }

  async append(letters: readonly DeadLetter[]): Promise<number> {
    for (const letter of letters) {
      const place = this.#next();
      this.#hold(place, letter);
      this.#table.put([place.atMs, place.number], letter);
    }
    const dropped = this.#drop();
    await this.#journal?.committed();
    return dropped;
  }

  async page({ after, fromMs = 0, limit }: DeadLetterQuery): Promise<readonly KeptDeadLetter[]> {
    this.#drop();
    const from = after === undefined ? { atMs: fromMs, number: -1 } : placeOf(after);
    const found: KeptDeadLetter[] = [];
    for (const kept of this.#kept.values()) {
      if (found.length >= limit) break;
      if (comparePlaces(kept, from) > 0 && kept.atMs >= fromMs) found.push(letterOf(kept));
    }
    return found;
  }

  async get(id: string): Promise<KeptDeadLetter | undefined> {
    this.#drop();
    const kept = this.#kept.get(id);
    return kept && letterOf(kept);
  }

  async remove(ids: readonly string[]): Promise<number> {
    const found = new Set(ids.filter((id) => this.#kept.has(id)));
    for (const id of found) this.#forget(id);
    await this.#journal?.committed();
    return found.size;
  }

  async close(): Promise<void> {
    await this.#journal?.committed();
  }

  #hold(place: JournalPlace, letter: DeadLetter): void {
    const bytes = Buffer.byteLength(JSON.stringify(letter));
    this.#kept.set(placeId(place), { ...place, letter, bytes });
    this.#bytes += bytes;
    this.#last = place;
  }

  #forget(id: string): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    this.#kept.delete(id);
    this.#bytes -= kept.bytes;
    this.#table.remove([kept.atMs, kept.number]);
  }

  /** Later than all before, also when the clock was set back. */
  #next(): JournalPlace {
    const { atMs, number } = this.#last;
    const nowMs = this.#clock();
    return atMs < nowMs ? { atMs: nowMs, number: 0 } : { atMs, number: number + 1 };
  }

  /** Lets go of what is too old or too much. */
  #drop(): number {
    const { lettersMax, bytesMax, ageMsMax } = this.#bounds;
    const leastMs = this.#clock() - ageMsMax;
    let dropped = 0;
    for (const [id, { atMs }] of this.#kept) {
      const isTooMuch = this.#kept.size > lettersMax || this.#bytes > bytesMax;
      if (!isTooMuch && atMs >= leastMs) break;
      this.#forget(id);
      dropped += 1;
    }
    return dropped;
  }
}

function letterOf({ letter, ...place }: Kept): KeptDeadLetter {
  return { ...letter, id: placeId(place), atMs: place.atMs };
}
