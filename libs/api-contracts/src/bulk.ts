import { z } from 'zod';
import { fieldErrorSchema } from './problem.ts';
import { countSchema, named } from './schema.ts';

/** The largest bulk request. */
export const BULK_ITEMS_MAX = 1_000;

/** The body of a bulk operation. Each item is checked for itself, so that a faulty one does not keep the others. */
export function bulkOf(id: string, item: string, itemsMax = BULK_ITEMS_MAX) {
  return named(
    id,
    z
      .array(z.unknown())
      .min(1)
      .max(itemsMax)
      .describe(`Each ${item}. One that is faulty does not keep the others.`),
  );
}

/** Whether a bulk operation is to change nothing, and only to say what would come of it. */
export const dryRunQuery = {
  dry_run: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .default(false)
    .describe('`true`: nothing is changed; the results say what would come of it.'),
} as const;

/** Whether a bulk operation is to be done as a whole or not at all. */
export const atomicQuery = {
  atomic: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .default(false)
    .describe('`true`: when an item is faulty, none is carried out.'),
} as const;

/** What came of each item of a bulk operation. */
export const bulkResultsSchema = named(
  'BulkResults',
  z.object({
    items: z
      .array(
        z.object({
          index: countSchema.describe('Its place in the request, from 0.'),
          status: z.number().int().describe('What the item alone would be answered with.'),
          id: z.string().optional(),
          problem: z
            .object({
              code: z.string(),
              detail: z.string(),
              errors: z.array(fieldErrorSchema).optional(),
            })
            .optional(),
        }),
      )
      .describe('In the order of the request.'),
  }),
);

/** What came of each item of a bulk operation. */
export type BulkResults = z.output<typeof bulkResultsSchema>;
