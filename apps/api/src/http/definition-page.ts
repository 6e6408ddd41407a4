import type { DefinitionStore, StoredDefinition } from '#libs/broker-ports';

const READ_AT_ONCE = 1_000;

/** The definitions behind one that meet a condition, one more than fit a page: whether there are more. */
export async function wantedDefinitions<Item extends { readonly id: string }>(
  store: Pick<DefinitionStore<Item>, 'page'>,
  {
    after,
    limit,
    isWanted,
  }: {
    readonly after: string | undefined;
    readonly limit: number;
    readonly isWanted: (item: Item) => boolean;
  },
): Promise<{ readonly items: readonly Item[]; readonly after: string | undefined }> {
  const found: Item[] = [];
  let from = after;
  let read: readonly StoredDefinition<Item>[];
  do {
    read = await store.page({ after: from, limit: READ_AT_ONCE });
    for (const { item } of read) if (isWanted(item)) found.push(item);
    from = read.at(-1)?.item.id;
  } while (found.length <= limit && read.length === READ_AT_ONCE);
  const items = found.slice(0, limit);
  return { items, after: found.length > limit ? items.at(-1)?.id : undefined };
}
