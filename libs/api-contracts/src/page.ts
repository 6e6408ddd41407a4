import { z } from 'zod';
import { named } from './schema.ts';

/** The largest page; a larger `limit` is brought down to it. */
export const PAGE_LIMIT_MAX = 1000;

/** The query parameters of every list. */
export const pageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .transform((limit) => Math.min(limit, PAGE_LIMIT_MAX))
    .default(100)
    .describe(`Items per page, 1 to ${PAGE_LIMIT_MAX}; a larger number counts as the maximum.`),
  cursor: z.string().min(1).optional().describe('`page.next_cursor` of the page before.'),
} as const;

/** Which nodes an answer lacks. */
export const metaSchema = named(
  'Meta',
  z.object({
    partial: z
      .boolean()
      .describe('True when a node did not answer: what only it knows is missing.'),
    unavailable_nodes: z.array(z.string()),
  }),
);

/** Where a list goes on. */
export const pageSchema = named(
  'Page',
  z.object({
    next_cursor: z.string().optional().describe('Absent on the last page.'),
    has_more: z.boolean(),
    limit: z.number().int(),
  }),
);

/** The reply of a list. */
export function listOf<Item extends z.ZodType>(id: string, item: Item) {
  return named(id, z.object({ items: z.array(item), page: pageSchema, meta: metaSchema }));
}

/** The reply of a list operation: one page, and where the next one is. */
export function pageReply<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, schema, headers: { Link: 'The next page, `rel="next"`.' } };
}

/** Which nodes an answer lacks. */
export type Meta = z.infer<typeof metaSchema>;

/** Where a list goes on. */
export type Page = z.infer<typeof pageSchema>;

/** The reply of a list. */
export interface List<Item> {
  readonly items: Item[];
  readonly page: Page;
  readonly meta: Meta;
}
