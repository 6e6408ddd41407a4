import { z } from 'zod';
import { choiceField, filterQuery, textField, timeField } from './filters.ts';
import { itemProblemSchema } from './item-results.ts';
import type { Operation, Reply } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { countSchema, named, timestampSchema } from './schema.ts';

const STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
const SORTS = ['-created_at', 'created_at'] as const;

/** What long operations are found by. */
export const LONG_OPERATION_FILTERS = {
  kind: textField(['eq', 'in'], 'What it does, for example `client-disconnects`.'),
  state: choiceField(STATES, ['eq', 'in'], 'Where it is.'),
  actor: textField(['eq'], 'Who: `key:ID`, `jwt:SUBJECT`, `bootstrap` or `local`.'),
  created_at: timeField(['gte', 'lte'], 'When it was asked for.'),
} as const;

const summary = {
  id: z.string(),
  kind: z.string(),
  state: z.enum(STATES),
  actor: z.string().describe('Who has asked for it: as in audit records.'),
  created_at: timestampSchema,
  updated_at: timestampSchema,
  ended_at: timestampSchema.nullable(),
  progress: z.object({
    done: countSchema,
    total: countSchema.nullable().describe('Null: nobody knows how much there is to do.'),
  }),
  cancel_requested: z.boolean().describe('It ends as soon as its worker has heard of it.'),
  attempts: countSchema.describe(
    'How often it was begun: a replica that stops or dies leaves it to the next.',
  ),
  problem: itemProblemSchema.nullable().describe('Why it has failed.'),
};

/** A long operation as lists have it. */
export const longOperationSummarySchema = named('LongOperationSummary', z.object(summary));

/** A long operation, as replies have it. */
export const longOperationSchema = named(
  'LongOperation',
  z.object({
    ...summary,
    result: z
      .unknown()
      .optional()
      .describe(
        'What it came to, or null. Absent: the caller may not see it; see `result_scope`. A caller that is bound to topics sees those of its own operations.',
      ),
    result_scope: z.string().nullable().describe('What a caller needs to see the result.'),
  }),
);

/** A long operation as lists have it. */
export type LongOperationSummary = z.infer<typeof longOperationSummarySchema>;

/** A long operation, as replies have it. */
export type LongOperation = z.infer<typeof longOperationSchema>;

/** The reply of whatever begins a long operation. */
export const ACCEPTED = {
  description: 'The long operation that does it.',
  schema: longOperationSchema,
  headers: { Location: 'Where the operation is.' },
} as const satisfies Reply;

/** A long operation for the document: one that was just asked for. */
export function acceptedExample(kind: string): LongOperation {
  return {
    ...{ id: '5b0f1d0e-7a3c-4a52-9a3e-0d7c2f6a1b11', kind, state: 'queued', actor: 'key:k1' },
    ...{ created_at: '2026-01-02T03:04:05.678Z', updated_at: '2026-01-02T03:04:05.678Z' },
    ...{ ended_at: null, progress: { done: 0, total: null }, cancel_requested: false },
    ...{ attempts: 0, problem: null, result: null, result_scope: null },
  };
}

const { result: _, result_scope: __, ...exampleSummary } = acceptedExample('client-disconnects');

const idPath = z.object({ operation_id: z.string().min(1).max(128) });
const examplePath = { operation_id: exampleSummary.id };

/** Operations on long operations. */
export const LONG_OPERATION_OPERATIONS = {
  listOperations: {
    method: 'get',
    path: '/api/v1/operations',
    tag: 'Operations',
    summary: 'List long operations',
    description:
      'Those that wait or run, at most 100, and those that have ended: the latest 400, for seven days, and as long as their results together are not larger than 64 Mi characters; without their results.',
    scope: 'operations:read',
    query: z.strictObject({
      ...pageQuery,
      ...filterQuery(LONG_OPERATION_FILTERS),
      sort: z.enum(SORTS).default('-created_at').describe('The order; the latest first if absent.'),
    }),
    replies: {
      200: pageReply(
        'A page of operations.',
        listOf('LongOperationList', longOperationSummarySchema),
      ),
    },
    problems: ['invalid-cursor', 'storage-unavailable'],
    example: {
      query: { state: 'running' },
      reply: {
        items: [exampleSummary],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  getOperation: {
    method: 'get',
    path: '/api/v1/operations/{operation_id}',
    tag: 'Operations',
    summary: 'Show a long operation',
    scope: 'operations:read',
    pathParameters: idPath,
    replies: { 200: { description: 'The operation.', schema: longOperationSchema } },
    problems: ['not-found', 'storage-unavailable'],
    example: { path: examplePath, reply: acceptedExample('client-disconnects') },
  },
  cancelOperation: {
    method: 'delete',
    path: '/api/v1/operations/{operation_id}',
    tag: 'Operations',
    summary: 'Cancel a long operation',
    description:
      'One that waits ends at once; one that runs as soon as its worker has heard of it, within seconds. What it has done stays done.',
    scope: 'operations:write',
    pathParameters: idPath,
    replies: { 202: { description: 'The operation.', schema: longOperationSchema } },
    problems: ['not-found', 'conflict', 'storage-unavailable'],
    example: {
      path: examplePath,
      reply: { ...acceptedExample('client-disconnects'), cancel_requested: true, state: 'running' },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
