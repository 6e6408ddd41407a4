import type { ExclusiveHolder, ExclusiveStore } from '#libs/broker-ports';
import { jsonFormat, Table, type Journal } from './journal.ts';
import type { LocalStoreOptions } from './local-store-options.ts';
import { TABLES } from './tables.ts';

interface Hold {
  readonly filter: string;
  readonly holder: ExclusiveHolder;
}

interface Entry {
  /** Its name in the table; filters may be longer than a key. */
  readonly number: number;
  readonly holder: ExclusiveHolder;
}

/** The exclusive subscriptions of a single node: in memory, and in a journal when sessions survive the process. */
export class LocalExclusiveStore implements ExclusiveStore {
  readonly #journal: Journal | undefined;
  readonly #table: Table<Hold>;
  readonly #entries = new Map<string, Entry>();
  #entriesEver = 0;

  constructor({ journal }: Pick<LocalStoreOptions, 'journal'> = {}) {
    this.#journal = journal;
    this.#table = new Table(journal, jsonFormat<Hold>(TABLES.exclusiveHolds));
    for (const { path, value } of this.#table.entries()) {
      const [number = 0] = path;
      this.#entriesEver = Math.max(this.#entriesEver, number);
      this.#entries.set(value.filter, { number, holder: value.holder });
    }
  }

  async claim(
    filter: string,
    holder: ExclusiveHolder,
    replaces?: ExclusiveHolder,
  ): Promise<ExclusiveHolder> {
    const held = this.#entries.get(filter);
    const isFree = held === undefined || isSame(held.holder, replaces);
    if (isFree) {
      const number = held?.number ?? (this.#entriesEver += 1);
      this.#entries.set(filter, { number, holder });
      this.#table.put([number], { filter, holder });
    }
    await this.#journal?.committed();
    return isFree ? holder : held.holder;
  }

  async release(filters: readonly string[], holder: ExclusiveHolder): Promise<void> {
    for (const filter of filters) {
      const held = this.#entries.get(filter);
      if (held === undefined || !isSame(held.holder, holder)) continue;
      this.#entries.delete(filter);
      this.#table.remove([held.number]);
    }
    await this.#journal?.committed();
  }

  async close(): Promise<void> {
    await this.#journal?.committed();
  }
}

function isSame(one: ExclusiveHolder, other: ExclusiveHolder | undefined): boolean {
  return one.clientId === other?.clientId && one.createdAtMs === other.createdAtMs;
}
