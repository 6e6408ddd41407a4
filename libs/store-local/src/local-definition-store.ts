import {
  API_DEFINITION_KINDS,
  DEFINITION_REMOVALS_MAX,
  type ApiDefinitionKind,
  type DefinitionPageQuery,
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
  users: [TABLES.users, TABLES.userRevisions, TABLES.removedUsers],
  acl: [TABLES.aclRules, TABLES.aclRevisions, TABLES.removedAclRules],
  bans: [TABLES.bans, TABLES.banRevisions, TABLES.removedBans],
  settings: [TABLES.settings, TABLES.settingRevisions, TABLES.removedSettings],
} as const;

function placesOf(
  kind: keyof typeof PLACES | ApiDefinitionKind,
): readonly [items: number, revision: number, removals: number] {
  if (kind in PLACES) return PLACES[kind as keyof typeof PLACES];
  const first = TABLES.apiDefinitions + 3 * API_DEFINITION_KINDS.indexOf(kind as ApiDefinitionKind);
  return [first, first + 1, first + 2];
}

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
 * The definitions of a kind of a single node: all in memory, and in a journal when they are to survive the process.
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
  /** Their ids in order. */
  readonly #ids: string[];
  readonly #watchers: DefinitionsChanged<Item>[] = [];
  readonly #followers: ((ids: readonly string[] | undefined) => void)[] = [];
  #revision = 0;

  constructor(
    kind: keyof typeof PLACES | ApiDefinitionKind,
    { journal, clock = Date.now }: Partial<LocalStoreOptions> = {},
  ) {
    const [items, revisions, removals] = placesOf(kind);
    this.#clock = clock;
    this.#journal = journal;
    this.#items = new Table(journal, jsonFormat<StoredDefinition<Item>>(items));
    this.#revisions = new Table(journal, jsonFormat<number>(revisions));
    this.#removals = new Table(journal, jsonFormat<Removal>(removals));
    for (const { path, value } of this.#items.entries()) {
      this.#entries.set(value.item.id, { number: path[0] ?? 0, stored: value });
    }
    this.#ids = [...this.#entries.keys()].sort();
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

  async get(id: string): Promise<StoredDefinition<Item> | undefined> {
    return this.#entries.get(id)?.stored;
  }

  async page({ after, limit }: DefinitionPageQuery): Promise<readonly StoredDefinition<Item>[]> {
    const from = after === undefined ? 0 : this.#placeOf(after);
    const first = this.#ids[from] === after ? from + 1 : from;
    return this.#itemsOf(this.#ids.slice(first, first + limit));
  }

  async put(item: Item, revision: number | undefined): Promise<DefinitionWriteResult<Item>> {
    const before = this.#entries.get(item.id);
    if (before === undefined && revision !== undefined) return ABSENT;
    if (before?.stored.revision !== revision) return CONFLICT;
    this.#revision += 1;
    const stored: StoredDefinition<Item> = { item, source: 'api', revision: this.#revision };
    const number = before?.number ?? this.#revision;
    if (before === undefined) this.#ids.splice(this.#placeOf(item.id), 0, item.id);
    this.#entries.set(item.id, { number, stored });
    this.#items.put([number], stored);
    this.#forget(item.id);
    this.#revisions.put([0], this.#revision);
    await this.#committed(item.id);
    return { kind: 'stored', stored };
  }

  async remove(id: string, revision: number | undefined): Promise<DefinitionWriteResult<Item>> {
    const before = this.#entries.get(id);
    if (before === undefined) return ABSENT;
    if (revision !== undefined && before.stored.revision !== revision) return CONFLICT;
    this.#entries.delete(id);
    this.#ids.splice(this.#placeOf(id), 1);
    this.#items.remove([before.number]);
    this.#note({ id, atMs: this.#clock() }, before.number);
    await this.#committed(id);
    return { kind: 'stored', stored: before.stored };
  }

  watch(changed: DefinitionsChanged<Item>): void {
    this.#watchers.push(changed);
    this.#tell(changed);
  }

  follow(changed: (ids: readonly string[] | undefined) => void): void {
    this.#followers.push(changed);
    changed(undefined);
  }

  async close(): Promise<void> {
    this.#watchers.length = 0;
    this.#followers.length = 0;
    await this.#journal?.committed();
  }

  async #committed(id: string): Promise<void> {
    try {
      await this.#journal?.committed();
    } finally {
      // Also when it could not be written: it is in force, and the next write takes it along.
      for (const changed of this.#watchers) this.#tell(changed);
      for (const changed of this.#followers) changed([id]);
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
    return this.#itemsOf(this.#ids);
  }

  #itemsOf(ids: readonly string[]): StoredDefinition<Item>[] {
    return ids.flatMap((id) => this.#entries.get(id)?.stored ?? []);
  }

  /** Where an id stands among the others, or would. */
  #placeOf(id: string): number {
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ids[middle] ?? '') < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
