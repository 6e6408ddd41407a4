import {
  API_JOURNALS,
  type ApiJournal,
  type ApiJournalBounds,
  type ApiJournalName,
  type ApiJournalQuery,
  type ApiJournalRecord,
} from '#libs/broker-ports';
import { jsonFormat, Table, type Journal } from './journal.ts';
import type { LocalStoreOptions } from './local-store-options.ts';
import { comparePlaces, placeId, placeOf, type JournalPlace } from './journal-place.ts';
import { TABLES } from './tables.ts';

interface Kept<Entry> extends JournalPlace {
  readonly entry: Entry;
}

/** A journal of the API of a single node: all in memory, and in a file when it is to survive the process. */
export class LocalApiJournal<Entry> implements ApiJournal<Entry> {
  readonly #clock: () => number;
  readonly #journal: Journal | undefined;
  readonly #bounds: ApiJournalBounds;
  readonly #table: Table<Entry>;
  /** In the order of their coming. */
  readonly #kept: Kept<Entry>[] = [];

  constructor(
    name: ApiJournalName,
    bounds: ApiJournalBounds,
    { clock, journal }: LocalStoreOptions,
  ) {
    this.#clock = clock;
    this.#journal = journal;
    this.#bounds = bounds;
    this.#table = new Table(
      journal,
      jsonFormat<Entry>(TABLES.apiJournals + API_JOURNALS.indexOf(name)),
    );
    for (const { path, value } of this.#table.entries()) {
      const [atMs = 0, number = 0] = path;
      this.#kept.push({ atMs, number, entry: value });
    }
  }

  async append(entry: Entry): Promise<string> {
    const place = this.#next();
    this.#kept.push({ ...place, entry });
    this.#table.put([place.atMs, place.number], entry);
    this.#drop();
    await this.#journal?.committed();
    return placeId(place);
  }

  async page({
    before,
    after,
    limit,
  }: ApiJournalQuery): Promise<readonly ApiJournalRecord<Entry>[]> {
    this.#drop();
    const from = after === undefined ? undefined : this.#placeAfter(placeOf(after));
    const to = before === undefined ? this.#kept.length : this.#placeBefore(placeOf(before));
    const found =
      from === undefined
        ? this.#kept.slice(Math.max(to - limit, 0), to).reverse()
        : this.#kept.slice(from, from + limit);
    return found.map((kept) => ({ id: placeId(kept), atMs: kept.atMs, entry: kept.entry }));
  }

  /** Later than all before, also when the clock was set back. */
  #next(): JournalPlace {
    const last = this.#kept.at(-1);
    const nowMs = this.#clock();
    if (last === undefined || last.atMs < nowMs) return { atMs: nowMs, number: 0 };
    return { atMs: last.atMs, number: last.number + 1 };
  }

  /** Lets go of what is too old or too much. */
  #drop(): void {
    const { entriesMax, ageMsMax } = this.#bounds;
    const leastMs = this.#clock() - ageMsMax;
    let count = Math.max(this.#kept.length - entriesMax, 0);
    while ((this.#kept[count]?.atMs ?? Infinity) < leastMs) count += 1;
    for (const { atMs, number } of this.#kept.splice(0, count)) this.#table.remove([atMs, number]);
  }

  #placeBefore(place: JournalPlace): number {
    return this.#count((kept) => comparePlaces(kept, place) < 0);
  }

  #placeAfter(place: JournalPlace): number {
    return this.#count((kept) => comparePlaces(kept, place) <= 0);
  }

  /** How many there are at the beginning of which something holds. */
  #count(holds: (kept: JournalPlace) => boolean): number {
    let low = 0;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const kept = this.#kept[middle];
      if (kept !== undefined && holds(kept)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
