import type { WirePage } from '#libs/api-contracts';

/** Orders texts as nodes order their lists: by UTF-16 code units. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The part of a merged list that fits a page. */
export interface Merged<Item> {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
}

/**
 * Merges the pages that several nodes gave for one position into the page of the whole.
 *
 * @remarks Each node gives its first `limit` items, so the first `limit` of the union are among them. Of equal items the
 * first is kept: a session that moves between nodes may be seen twice for a moment.
 */
export function mergePages<Item>(
  pages: readonly WirePage<Item>[],
  limit: number,
  compare: (a: Item, b: Item) => number,
): Merged<Item> {
  const all = pages.flatMap(({ items }) => items).toSorted(compare);
  const distinct = all.filter((item, index) => {
    const before = all[index - 1];
    return before === undefined || compare(before, item) !== 0;
  });
  return {
    items: distinct.slice(0, limit),
    hasMore: distinct.length > limit || pages.some(({ hasMore }) => hasMore),
  };
}
