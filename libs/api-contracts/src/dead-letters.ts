import { z } from 'zod';
import { filterBody, filterQuery, isSomeFilter, textField, timeField } from './filters.ts';
import { ACCEPTED, acceptedExample } from './long-operations.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { countSchema, flagSchema, named, timestampSchema } from './schema.ts';

/** What dead letters can be filtered by. */
export const DEAD_LETTER_FILTERS = {
  bridge: textField(['eq'], 'The bridge of the rule.'),
  rule: textField(['eq'], 'The rule that could not carry it.'),
  at: timeField(['gte', 'lte'], 'When it came.'),
} as const;

const letterId = z
  .string()
  .max(31)
  .regex(/^\d{1,15}-\d{1,15}$/)
  .describe('The id of a dead letter.');

/** A dead letter that Skein keeps. */
export const deadLetterSchema = named(
  'DeadLetter',
  z.object({
    id: z.string(),
    at: timestampSchema.describe('When it came.'),
    bridge: z.string(),
    rule: z.string(),
    stage: z.string().describe('Where it failed: an expression, a template, the other side.'),
    reason: z.string().describe('In a word, as metrics call it.'),
    error: z.string().describe('In words.'),
    target: z.string().nullable().describe('Where it should have gone; null when unknown.'),
    record_at: timestampSchema.describe('The time of the record.'),
    value_bytes: countSchema,
    is_cut: z.boolean().describe('Its value is not whole, so that it cannot be replayed.'),
    key: z.string().optional().describe('In base64; only with `payload`.'),
    value: z.string().optional().describe('Only with `payload`.'),
    value_encoding: z
      .enum(['plain', 'base64'])
      .optional()
      .describe('`base64` also when text was asked for and the value is not UTF-8.'),
    headers: z
      .record(z.string(), z.array(z.string()))
      .optional()
      .describe('Only with `payload`. Those that are bytes are base64.'),
  }),
);

/** What a removal has removed. */
export const deadLetterRemovalSchema = named(
  'DeadLetterRemoval',
  z.object({
    removed: countSchema.describe('With `dry_run`: how many would be.'),
    has_more: z.boolean().describe('Older ones were looked at only; the same call goes on.'),
    dry_run: z.boolean(),
  }),
);

/** What became of dead letters that were to be replayed. */
export const deadLetterReplaySchema = named(
  'DeadLetterReplay',
  z.object({
    results: z.array(
      z.object({
        id: z.string(),
        outcome: z
          .enum([
            ...(['replayed', 'pending', 'absent', 'idle', 'cut'] as const),
            ...(['filtered', 'unreadable', 'failed'] as const),
          ])
          .describe(
            '`replayed`: stored, and no letter any more. `pending`: its rule has it, and the other side not yet; it is removed when that has. `absent`: there is none of this id. `idle`: its rule is not at work. `cut`: its value is not whole. `filtered`: the rule does not take it any more. `unreadable`: it does not say which message it was. `failed`: refused, see `detail`; it stays.',
          ),
        detail: z.string().nullable(),
      }),
    ),
  }),
);

/** A dead letter as the API shows it. */
export type DeadLetterView = z.infer<typeof deadLetterSchema>;

/** What a removal has removed. */
export type DeadLetterRemoval = z.infer<typeof deadLetterRemovalSchema>;

/** What became of dead letters that were to be replayed. */
export type DeadLetterReplay = z.infer<typeof deadLetterReplaySchema>;

const letterFilter = named(
  'DeadLetterFilter',
  z
    .strictObject(filterBody(DEAD_LETTER_FILTERS))
    .refine(isSomeFilter, 'Name at least one condition')
    .describe(
      'The filters of the list of dead letters; `at[gte]=` is `{"at": {"gte": …}}` here. All must hold.',
    ),
);

const replayRequest = named(
  'DeadLetterReplayRequest',
  z
    .strictObject({
      ids: z.array(letterId).min(1).max(100).optional().describe('Replayed in this order.'),
      filter: letterFilter.optional(),
      per_second: z
        .int()
        .min(1)
        .max(10_000)
        .optional()
        .describe('With `filter` only: so many each second at most; 100 if absent.'),
      dry_run: z
        .boolean()
        .default(false)
        .describe('With `filter` only: replays nothing, and counts what it would replay.'),
    })
    .refine((body) => (body.ids === undefined) !== (body.filter === undefined), {
      message: 'Give either ids or filter',
      path: ['ids'],
    })
    .refine((body) => body.per_second === undefined || body.filter !== undefined, {
      message: 'Only with filter',
      path: ['per_second'],
    })
    .refine((body) => !body.dry_run || body.filter !== undefined, {
      message: 'Only with filter',
      path: ['dry_run'],
    }),
);

const exampleLetter = {
  ...{ id: '1767225600000-0', at: '2026-01-01T00:00:00.000Z', bridge: 'main', rule: 'orders' },
  ...{ stage: 'value', reason: 'value_error', error: 'value: payload is not JSON' },
  ...{ target: 'orders', record_at: '2026-01-01T00:00:00.000Z', value_bytes: 4, is_cut: false },
};

/** Operations on dead letters. */
export const DEAD_LETTER_OPERATIONS = {
  listDeadLetters: {
    method: 'get',
    path: '/api/v1/dead-letters',
    tag: 'Bridge',
    summary: 'List dead letters',
    description:
      'Records of rules with `keep_dead_letters` that could not be carried, in the order in which they came. A page may have fewer than asked for although more follow.',
    scope: 'dead_letters:read',
    topics: [],
    query: z.strictObject({
      ...pageQuery,
      ...filterQuery(DEAD_LETTER_FILTERS),
      payload: z
        .enum(['none', 'base64', 'text'])
        .default('none')
        .describe('How to show values; `none` leaves keys, values and headers out.'),
    }),
    replies: {
      200: pageReply('A page of dead letters.', listOf('DeadLetterList', deadLetterSchema)),
    },
    problems: ['invalid-cursor', 'node-unavailable', 'storage-unavailable'],
    example: {
      reply: {
        items: [exampleLetter],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  deleteDeadLetters: {
    method: 'delete',
    path: '/api/v1/dead-letters',
    tag: 'Bridge',
    summary: 'Delete dead letters',
    description: 'All that meet the filters; without filters all. At most 2,000 are looked at.',
    scope: 'dead_letters:write',
    topics: [],
    query: z.strictObject({
      ...filterQuery(DEAD_LETTER_FILTERS),
      dry_run: flagSchema.optional().describe('Only says how many there are.'),
    }),
    replies: {
      200: {
        description: 'How many were deleted, or would be; ask again while there are more.',
        schema: deadLetterRemovalSchema,
      },
    },
    problems: ['node-unavailable', 'storage-unavailable'],
    example: {
      query: { rule: 'orders' },
      reply: { removed: 1, has_more: false, dry_run: false },
    },
  },
  replayDeadLetters: {
    method: 'post',
    path: '/api/v1/dead-letters/replays',
    tag: 'Bridge',
    summary: 'Replay dead letters',
    description:
      'Gives letters back to their rules as these are now: mend the rule first. What failed at an expression goes through all of the rule; else the value is as it was made, and target, key and headers are made anew. A letter that is stored then is removed; one that fails at the same place again becomes a new letter. When a node dies on the way, a record may be stored twice: `mqtt-msg-id` is as it was. With `ids` the reply says what became of each. With `filter` it is a long operation, in the order in which letters came, of those that are there when it is asked for: its `result` counts `matched` and each outcome, and has the first hundred `problems` of those that failed. Where `attempts` is above 1, those that the worker before had replayed may be counted as `absent`.',
    scope: 'dead_letters:execute',
    topics: [],
    query: z.strictObject({}),
    body: replayRequest,
    replies: {
      200: { description: 'What became of each.', schema: deadLetterReplaySchema },
      202: { ...ACCEPTED, example: acceptedExample('dead-letter-replays') },
    },
    problems: ['limit-reached', 'node-unavailable', 'storage-unavailable'],
    example: {
      body: { ids: ['1767225600000-0'] },
      reply: { results: [{ id: '1767225600000-0', outcome: 'replayed', detail: null }] },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
