import { z } from 'zod';
import { PROBLEMS, fieldErrorSchema, type ProblemCode } from './problem.ts';
import { countSchema, named } from './schema.ts';

/** Why one item of many was not done; as a problem, without what the request as a whole has. */
export const itemProblemSchema = named(
  'ItemProblem',
  z.object({
    code: z.enum(Object.keys(PROBLEMS) as ProblemCode[]),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    errors: z.array(fieldErrorSchema).optional(),
    mqtt_reason_code: z.number().int().optional(),
  }),
);

/** Why one item of many was not done. */
export type ItemProblem = z.infer<typeof itemProblemSchema>;

/** What became of one item of many; spread what the item itself shows. */
export const itemFields = {
  index: countSchema.describe('Its place in the request, from 0.'),
  status: z.number().int().describe('The status that it would have had by itself.'),
  problem: itemProblemSchema.optional().describe('Only where it was not done.'),
} as const;

/** The reply of a bulk operation: an item for each of the request, in its order. */
export function itemResultsOf<Shape extends z.ZodRawShape>(id: string, shape: Shape) {
  return named(id, z.object({ items: z.array(z.object({ ...itemFields, ...shape })) }));
}
