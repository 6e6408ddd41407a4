/** A definition with what the store knows of it. Those of the configuration cannot be changed over REST. */
export interface StoredDefinition<Item> {
  readonly item: Item;
  readonly source: 'config' | 'api';
  /** Grows with each change; the ETag of the API. */
  readonly revision: number;
}

/** `conflict`: the item exists (create) or has another revision (replace, delete). */
export type DefinitionWriteResult<Item> =
  | { readonly kind: 'stored'; readonly stored: StoredDefinition<Item> }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'absent' };

/** How many removals a definition store remembers. */
export const DEFINITION_REMOVALS_MAX = 1_000;

/**
 * Told of all items there are, and of those that were removed: when, by id, in milliseconds since 1970. Only the latest
 * {@link DEFINITION_REMOVALS_MAX} are known, and none that was made again. An item that is in neither was lost.
 */
export type DefinitionsChanged<Item> = (
  items: readonly StoredDefinition<Item>[],
  removed: ReadonlyMap<string, number>,
) => void;

/**
 * What is made through the API, or by the nodes themselves, and has an id, shared by all nodes: one store for one kind.
 *
 * @remarks A kind of which there are few is held whole by who needs it, see {@link DefinitionStore.watch}; of one with many
 * items, {@link DefinitionStore.follow} tells which of those that were read count no more.
 */
export interface DefinitionStore<Item extends { readonly id: string }> {
  /** All of them. */
  list(): Promise<readonly StoredDefinition<Item>[]>;
  /** One of them; undefined when there is none. */
  get(id: string): Promise<StoredDefinition<Item> | undefined>;
  /** Those after an id, in an order of the store's own; the id need not be there. Whoever is there throughout comes once. */
  page(query: DefinitionPageQuery): Promise<readonly StoredDefinition<Item>[]>;
  /** Creates when `revision` is undefined, else replaces exactly that revision. */
  put(item: Item, revision: number | undefined): Promise<DefinitionWriteResult<Item>>;
  /** Deletes; when `revision` is given, exactly that one. */
  remove(id: string, revision: number | undefined): Promise<DefinitionWriteResult<Item>>;
  /** Calls back within two seconds of a change by any node, and once at the start. */
  watch(changed: DefinitionsChanged<Item>): void;
  /**
   * Calls back within two seconds of a change by any node with the ids of what has changed. With undefined, anything may
   * have: once at the start, and when there was too much of it.
   */
  follow(changed: (ids: readonly string[] | undefined) => void): void;
  /** Stops watching and following. */
  close(): Promise<void>;
}

/** Which part of a kind. */
export interface DefinitionPageQuery {
  /** @defaultValue from the first */
  readonly after?: string | undefined;
  readonly limit: number;
}
