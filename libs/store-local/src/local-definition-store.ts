import {
  DEFINITION_REMOVALS_MAX,
  type DefinitionsChanged,
  type DefinitionStore,
  type DefinitionWriteResult,
  type StoredDefinition,
} from '#libs/broker-ports';
import { jsonFormat, Table, type Journal } from './journal.ts';
import type { LocalStoreOptions } from './local-store-options.ts';
import { TABLES } from './tables.ts';

const CONFLICT = { kind: 'conflict' } as const;
const ABSENT = { kind: 'absent' } as const;

/** The tables of each kind of definition: its items, their latest revision, and what was removed. */
const PLACES = {
  rules: [TABLES.rules, TABLES.ruleRevisions, TABLES.removedRules],
  connectors: [TABLES.connectors, TABLES.connectorRevisions, TABLES.removedConnectors],
} as const;

interface Entry<Item> {
  /** Its name in the table: the revision it was created with. */
  readonly number: number;
  readonly stored: StoredDefinition<Item>;
}

/** An item that was removed. Its name in the table is that of the item. */
interface Removal {
  readonly id: string;
  readonly atMs: number;
}

/**
 * The bridge rules or connectors of a single node: all in memory, and in a journal when they are to survive the process.
 *
 * @remarks Revisions are counted for all of a kind together, so that one made again never has a revision of its forerunner.
 */
export class LocalDefinitionStore<
  Item extends { readonly id: string },
> implements DefinitionStore<Item> {
  readonly #clock: () => number;
  readonly #journal: Journal | undefined;
  readonly #items: Table<StoredDefinition<Item>>;
  /** One value: the latest revision of any, those deleted included. */
  readonly #revisions: Table<number>;
  readonly #entries = new Map<string, Entry<Item>>();
  readonly #removals: Table<Removal>;
  /** By id, with their names in the table, in the order of their removals. */
  readonly #removed = new Map<string, Removal & { readonly number: number }>();
  readonly #watchers: DefinitionsChanged<Item>[] = [];
  #revision = 0;

  constructor(
    kind: keyof typeof PLACES,
    { journal, clock = Date.now }: Partial<LocalStoreOptions> = {},
  ) {
    const [items, revisions, removals] = PLACES[kind];
    this.#clock = clock;
    this.#journal = journal;
    this.#items = new Table(journal, jsonFormat<StoredDefinition<Item>>(items));
    this.#revisions = new Table(journal, jsonFormat<number>(revisions));
    this.#removals = new Table(journal, jsonFormat<Removal>(removals));
    for (const { path, value } of this.#items.entries()) {
      this.#entries.set(value.item.id, { number: path[0] ?? 0, stored: value });
    }
    for (const { value } of this.#revisions.entries()) this.#revision = value;
    const removed = Array.from(this.#removals.entries(), ({ path: [number = 0], value }) => ({
      ...value,
      number,
    }));
    removed.sort((one, other) => one.atMs - other.atMs);
    for (const removal of removed) this.#removed.set(removal.id, removal);
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
    this.#forget(item.id);
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
    this.#note({ id, atMs: this.#clock() }, before.number);
    await this.#committed();
    return { kind: 'stored', stored: before.stored };
  }

  watch(changed: DefinitionsChanged<Item>): void {
    this.#watchers.push(changed);
    this.#tell(changed);
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
      for (const changed of this.#watchers) this.#tell(changed);
    }
  }

  #tell(changed: DefinitionsChanged<Item>): void {
    changed(this.#list(), new Map(Array.from(this.#removed, ([id, { atMs }]) => [id, atMs])));
  }

  #note(removal: Removal, number: number): void {
    this.#removals.put([number], removal);
    this.#removed.set(removal.id, { ...removal, number });
    const [oldest] = this.#removed.keys();
    if (this.#removed.size > DEFINITION_REMOVALS_MAX && oldest !== undefined) this.#forget(oldest);
  }

  #forget(id: string): void {
    const removal = this.#removed.get(id);
    if (removal === undefined) return;
    this.#removed.delete(id);
    this.#removals.remove([removal.number]);
  }

  #list(): StoredDefinition<Item>[] {
    const items = Array.from(this.#entries.values(), ({ stored }) => stored);
    return items.sort((one, other) => (one.item.id < other.item.id ? -1 : 1));
  }
}
