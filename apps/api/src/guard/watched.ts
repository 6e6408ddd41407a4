import type { DefinitionStore } from '#libs/broker-ports';

/** How old they may be when somebody is judged by them; less than the two seconds that are promised. */
const AGE_MS_MAX = 1_500;

/**
 * Definitions of a kind of which there are few: held whole, and up to date within two seconds, at once for changes made here.
 *
 * @remarks What was last heard of a store that is away is not gone by: somebody may have lost a right since.
 */
export class Watched<Item extends { readonly id: string }> {
  readonly store: DefinitionStore<Item>;
  readonly #nowMs: () => number;
  #items: ReadonlyMap<string, Item> | undefined;
  #readAtMs = -Infinity;
  #reading: Promise<ReadonlyMap<string, Item>> | undefined;

  /** @param nowMs - a clock that never goes back. */
  constructor(store: DefinitionStore<Item>, nowMs = () => performance.now()) {
    this.store = store;
    this.#nowMs = nowMs;
    store.watch((all) => {
      this.#items = new Map(all.map(({ item }) => [item.id, item]));
    });
  }

  /** By id. @throws StoreUnavailableError when they cannot be read, and were not lately. */
  async items(): Promise<ReadonlyMap<string, Item>> {
    if (this.#items !== undefined && this.#nowMs() - this.#readAtMs < AGE_MS_MAX)
      return this.#items;
    return (this.#reading ??= this.refresh().finally(() => (this.#reading = undefined)));
  }

  /** Reads them now: a change was made, or depends on them. */
  async refresh(): Promise<ReadonlyMap<string, Item>> {
    const begunAtMs = this.#nowMs();
    const items = new Map((await this.store.list()).map(({ item }) => [item.id, item]));
    this.#items = items;
    this.#readAtMs = begunAtMs;
    return items;
  }
}
