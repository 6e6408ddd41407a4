import type { DefinitionStore } from '#libs/broker-ports';

/** Definitions of a kind of which there are few: held whole, and up to date within two seconds, at once for changes made here. */
export class Watched<Item extends { readonly id: string }> {
  readonly store: DefinitionStore<Item>;
  #items: ReadonlyMap<string, Item> | undefined;

  constructor(store: DefinitionStore<Item>) {
    this.store = store;
    store.watch((all) => {
      this.#items = new Map(all.map(({ item }) => [item.id, item]));
    });
  }

  /** By id. @throws StoreUnavailableError when they were never read, and cannot be now. */
  async items(): Promise<ReadonlyMap<string, Item>> {
    return this.#items ?? (await this.refresh());
  }

  /** Reads them now: a change was made, or depends on them. */
  async refresh(): Promise<ReadonlyMap<string, Item>> {
    const items = new Map((await this.store.list()).map(({ item }) => [item.id, item]));
    this.#items = items;
    return items;
  }
}
