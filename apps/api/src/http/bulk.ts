import type { z } from 'zod';
import type { BulkResults } from '#libs/api-contracts';
import { ProblemError } from './problem-error.ts';
import { checkedItem } from './request-check.ts';

/** What came of one item of a bulk request. */
export type BulkResult = BulkResults['items'][number];

/** An item that can be handed on, and its place in the request. */
export interface BulkItem<Wanted> {
  readonly index: number;
  readonly wanted: Wanted;
}

/** A bulk request: items that can be handed on, and results of those that cannot. */
export interface BulkSplit<Wanted> {
  readonly items: readonly BulkItem<Wanted>[];
  readonly refused: readonly BulkResult[];
}

/** Checks each item as the operation for one would; `make` may refuse it besides with a ProblemError. */
export function splitBulk<Schema extends z.ZodType, Wanted>(
  schema: Schema,
  body: readonly unknown[],
  make: (item: z.output<Schema>) => Wanted,
): BulkSplit<Wanted> {
  const items: BulkItem<Wanted>[] = [];
  const refused: BulkResult[] = [];
  for (const [index, value] of body.entries()) {
    try {
      items.push({ index, wanted: make(checkedItem(schema, value)) });
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      refused.push(refusedItem(index, error));
    }
  }
  return { items, refused };
}

/** The result of an item that is refused. */
export function refusedItem(index: number, error: ProblemError, id?: string): BulkResult {
  const { errors } = error.extras;
  const problem = {
    ...{ code: error.code, detail: error.message },
    ...(errors && { errors: [...errors] }),
  };
  return { index, status: error.status, ...(id !== undefined && { id }), problem };
}

/** All results in the order of the request. */
export function bulkResults(results: readonly BulkResult[]): BulkResults {
  return { items: results.toSorted((a, b) => a.index - b.index) };
}
