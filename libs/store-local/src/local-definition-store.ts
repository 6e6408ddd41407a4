import type { DefinitionStore, DefinitionWriteResult, StoredDefinition } from '#libs/broker-ports';
import { jsonFormat, Table, type Journal } from './journal.ts';
import type { LocalStoreOptions } from './local-store-options.ts';
import { TABLES } from './tables.ts';

const CONFLICT = { kind: 'conflict' } as const;
const ABSENT = { kind: 'absent' } as const;

/** The tables of each kind of definition: its items, and their latest revision. */
const PLACES = {
  rules: [TABLES.rules, TABLES.ruleRevisions],
  connectors: [TABLES.connectors, TABLES.connectorRevisions],
} as const;

interface Entry<Item> {
  /** Its name in the table: the revision it was created with. */
  readonly number: number;
  readonly stored: StoredDefinition<Item>;
}

/**
 * The bridge rules or connectors of a single node: all in memory, and in a journal when they are to survive the process.
 *
 * @remarks Revisions are counted for all of a kind together, so that one made again never has a revision of its forerunner.
 */
export class LocalDefinitionStore<
  Item extends { readonly id: string },
> implements DefinitionStore<Item> {
  readonly #journal: Journal | undefined;
  readonly #items: Table<StoredDefinition<Item>>;
  /** One value: the latest revision of any, those deleted included. */
  readonly #revisions: Table<number>;
  readonly #entries = new Map<string, Entry<Item>>();
  readonly #watchers: ((items: readonly StoredDefinition<Item>[]) => void)[] = [];
  #revision = 0;

  constructor(kind: keyof typeof PLACES, { journal }: Pick<LocalStoreOptions, 'journal'> = {}) {
    const [items, revisions] = PLACES[kind];
    this.#journal = journal;
    this.#items = new Table(journal, jsonFormat<StoredDefinition<Item>>(items));
    this.#revisions = new Table(journal, jsonFormat<number>(revisions));
    for (const { path, value } of this.#items.entries()) {
      this.#entries.set(value.item.id, { number: path[0] ?? 0, stored: value });
    }
    for (const { value } of this.#revisions.entries()) this.#revision = value;
  }

  async list(): Promise<readonly StoredDefinition<Item>[]> {
    return this.#list();
  }

  async put(item: Item, revision: number | undefined): Promise<DefinitionWriteResult<Item>> {
    const before = this.#entries.get(item.id);
    if (before === undefined && revision !== undefined) return ABSENT;
    if (before?.stored.revision !== revision) return CONFLICT;
    this.#revision += 1;
    const stored: StoredDefinition<Item> = { item, source: 'api', revision: this.#revision };
    const number = before?.number ?? this.#revision;
    this.#entries.set(item.id, { number, stored });
    this.#items.put([number], stored);
    this.#revisions.put([0], this.#revision);
    await this.#committed();
    return { kind: 'stored', stored };
  }

  async remove(id: string, revision: number | undefined): Promise<DefinitionWriteResult<Item>> {
    const before = this.#entries.get(id);
    if (before === undefined) return ABSENT;
    if (revision !== undefined && before.stored.revision !== revision) return CONFLICT;
    this.#entries.delete(id);
    this.#items.remove([before.number]);
    await this.#committed();
    return { kind: 'stored', stored: before.stored };
  }

  watch(changed: (items: readonly StoredDefinition<Item>[]) => void): void {
    this.#watchers.push(changed);
    changed(this.#list());
  }

  async close(): Promise<void> {
    this.#watchers.length = 0;
    await this.#journal?.committed();
  }

  async #committed(): Promise<void> {
    try {
      await this.#journal?.committed();
    } finally {
      // Also when it could not be written: it is in force, and the next write takes it along.
      for (const changed of this.#watchers) changed(this.#list());
    }
  }

  #list(): StoredDefinition<Item>[] {
    const items = Array.from(this.#entries.values(), ({ stored }) => stored);
    return items.sort((one, other) => (one.item.id < other.item.id ? -1 : 1));
  }
}
