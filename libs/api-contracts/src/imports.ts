import { z } from 'zod';
import { userAclRuleSchema } from './access.ts';
import { banCreateSchema } from './bans.ts';
import { bulkOf, dryRunQuery } from './bulk.ts';
import { ACCEPTED, acceptedExample } from './long-operations.ts';
import type { Operation } from './operation.ts';
import { named } from './schema.ts';

/** The largest import. */
export const IMPORT_ROWS_MAX = 10_000;

/** A table with a header: a body of this type is a list of objects, one for each line. */
export const CSV_TYPE = 'text/csv';

/** `NAME:HASH` in each line. It is no type that a page of another origin may send without being asked first. */
export const HTPASSWD_TYPE = 'application/x-htpasswd';

const TEXT_MAX = 256;

const line = z.int().min(1).optional().describe('Where it stands in a file; named in problems.');

/** A user that is imported, after lists that tables write as text were taken apart. */
export const userImportItemSchema = z
  .strictObject({
    line,
    name: z
      .string()
      .min(1)
      .max(TEXT_MAX)
      .regex(/^(?!\.{1,2}$)/u),
    password: z.string().min(1).max(1_024).optional(),
    scram: z.boolean().optional(),
    credentials: z.array(z.string().min(1).max(1_024)).min(1).max(8).optional(),
    groups: z.array(z.string().min(1).max(TEXT_MAX)).max(100).optional(),
    acl: z.array(userAclRuleSchema).max(1_000).optional(),
  })
  .refine(({ password, credentials }) => password === undefined || credentials === undefined, {
    message: 'Give either password or credentials',
    path: ['credentials'],
  })
  .refine(({ password, scram }) => scram === undefined || password !== undefined, {
    message: 'goes with a password',
    path: ['scram'],
  });

/** A ban that is imported. */
export const banImportItemSchema = banCreateSchema.extend({ line });

const importQuery = {
  existing: z
    .enum(['skip', 'update'])
    .default('skip')
    .describe('What becomes of those that are there already; `update`: what an item names.'),
  ...dryRunQuery,
} as const;

const RESULT =
  'Each item is carried out by itself, in order. The `result` counts `rows`, `created`, `updated`, `skipped` and `failed`, and has the first 500 `problems`, each with `index`, `line` and `name` of its item; with `dry_run` it says what would come of it. A name that comes twice counts once, and fails the second time.';

/** Which users are exported, and how they are written. */
export const userExportSchema = named(
  'UserExport',
  z.strictObject({
    format: z.enum(['json', 'csv', 'htpasswd']).default('json'),
    filter: z
      .strictObject({
        username: z
          .strictObject({ like: z.string().min(1).max(TEXT_MAX) })
          .optional()
          .describe('What names begin with.'),
        group: z.string().min(1).max(TEXT_MAX).optional().describe('A group that they are in.'),
      })
      .optional()
      .describe('All must hold.'),
  }),
);

const problems = ['limit-reached', 'storage-unavailable'] as const;

/** Operations on many users and bans at once, from files and into them. */
export const IMPORT_OPERATIONS = {
  importUsers: {
    method: 'post',
    path: '/api/v1/users/imports',
    tag: 'Access',
    summary: 'Import users',
    description: `A long operation. JSON: a list of users. CSV: a header with some of \`name\`, \`password\`, \`credentials\`, \`groups\` (between semicolons), \`acl\` (as JSON) and \`scram\`. htpasswd: \`NAME:HASH\` in each line, as mosquitto_passwd writes with \`$7$\` and at least 4096 iterations, and as an export does. Until the operation has ended, what was sent is kept enciphered. ${RESULT}`,
    scope: 'users:write',
    query: z.strictObject(importQuery),
    body: bulkOf(
      'UserImport',
      'an object with `name`, either `password` (and `scram`) or `credentials` (hashes), `groups` and `acl`: as users are created',
      IMPORT_ROWS_MAX,
    ),
    otherBodyTypes: [CSV_TYPE, HTPASSWD_TYPE],
    replies: { 202: ACCEPTED },
    problems,
    example: {
      query: { existing: 'skip', dry_run: 'true' },
      body: [{ name: 'sensor-7', password: 'tide table', groups: ['sensors'] }],
      reply: acceptedExample('user-imports'),
    },
  },
  exportUsers: {
    method: 'post',
    path: '/api/v1/users/exports',
    tag: 'Access',
    summary: 'Export users',
    description:
      'A long operation. Its `result` has `count` and, as an import takes them, `users`, or the text of a file as `content`. Passwords are in it as hashes only. htpasswd holds neither groups nor rules, and one hash of each user; names that it cannot hold are in `left_out`.',
    scope: 'users:write',
    query: z.strictObject({}),
    body: userExportSchema,
    replies: { 202: ACCEPTED },
    problems,
    example: {
      body: { format: 'csv', filter: { group: 'sensors' } },
      reply: acceptedExample('user-exports'),
    },
  },
  importBans: {
    method: 'post',
    path: '/api/v1/bans/imports',
    tag: 'Access',
    summary: 'Import bans',
    description: `A long operation. JSON: a list of bans. CSV: a header with \`kind\`, \`value\`, and maybe \`reason\` and \`until\`. ${RESULT}`,
    scope: 'bans:write',
    query: z.strictObject(importQuery),
    body: bulkOf('BanImport', 'a BanCreate', IMPORT_ROWS_MAX),
    otherBodyTypes: [CSV_TYPE],
    replies: { 202: ACCEPTED },
    problems,
    example: {
      query: { existing: 'update' },
      body: [{ kind: 'cidr', value: '192.0.2.0/24', reason: 'scans' }],
      reply: acceptedExample('ban-imports'),
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
