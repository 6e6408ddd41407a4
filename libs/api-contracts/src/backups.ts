import { z } from 'zod';
import { ACCEPTED, acceptedExample } from './long-operations.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { countSchema, flagSchema, named, timestampSchema } from './schema.ts';

/** The sections of a backup in the order in which they are restored: what is named comes before what names it. */
export const BACKUP_SECTIONS = [
  'bridges',
  'bridge_rules',
  'bridge_rule_order',
  'acl_rules',
  'auth',
  'users',
  'bans',
  'roles',
  'role_bindings',
  'retained',
  'delayed',
  'sessions',
] as const;

const sectionName = z.enum(BACKUP_SECTIONS);

const sectionSchema = z.object({
  name: sectionName,
  items: countSchema,
  messages: countSchema.describe('Queued messages, of sessions.'),
  checksum: z
    .string()
    .describe(
      'What the items come to, whatever their order: two clusters with the same content have the same. Times at which sessions and delayed messages end or are due do not count.',
    ),
});

const ENCRYPTIONS = ['none', 'aes-256-gcm'] as const;

const fileName = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/)
  .describe('A file in `backups.dir`: a name without a path.');

/** A backup, as replies have it. */
export const backupSchema = named(
  'Backup',
  z.object({
    id: z.string(),
    created_at: timestampSchema.describe('When it was begun.'),
    registered_at: timestampSchema.describe('When this cluster came to know it.'),
    cluster: z.string().describe('The name of the cluster whose it is.'),
    node_version: z.string().describe('The version of the node that was asked.'),
    format_version: z.int().describe('Of the archive. A reader refuses a later one.'),
    encryption: z.enum(ENCRYPTIONS),
    bytes: countSchema,
    sha256: z.string().describe('Of the file.'),
    file: z.string().describe('Its name in `backups.dir`.'),
    replica: z.string().describe('The host of the replica that has written or read it.'),
    available: z.boolean().describe('Whether the file is in the directory of this replica.'),
    sections: z.array(sectionSchema),
  }),
);

/** A backup, as replies have it. */
export type BackupView = z.infer<typeof backupSchema>;

const createSchema = named(
  'BackupCreate',
  z.strictObject({
    encryption: z
      .enum(ENCRYPTIONS)
      .optional()
      .describe('Absent: enciphered if there is a key (`backups.key`).'),
    file: fileName
      .optional()
      .describe(
        'Makes none, but takes up one that lies in `backups.dir` already, for example of another cluster: it is read and checked as a whole.',
      ),
  }),
);

const restoreSchema = named(
  'RestoreCreate',
  z.strictObject({
    mode: z
      .enum(['missing', 'replace'])
      .default('missing')
      .describe(
        '`missing` restores what is not there. `replace` also takes the place of what is there and differs. Neither removes anything, nor touches a session whose client is connected.',
      ),
    dry_run: z
      .boolean()
      .default(false)
      .describe('Reads and checks all of it, changes nothing, and says what it would do.'),
    sections: z
      .array(sectionName)
      .min(1)
      .max(BACKUP_SECTIONS.length)
      .optional()
      .describe('Only these; all if absent.'),
  }),
);

/** Why an item was not restored. */
export const RESTORE_REFUSALS = [
  'present',
  'connected',
  'foreign',
  'busy',
  'full',
  'expired',
  'disabled',
  'unreadable',
  'failed',
] as const;

/** What came of a restore: the result of its operation. */
export const restoreResultSchema = z.object({
  backup_id: z.string(),
  mode: z.enum(['missing', 'replace']),
  dry_run: z.boolean(),
  sections: z.array(
    z.object({
      name: sectionName,
      items: countSchema,
      restored: countSchema,
      unchanged: countSchema.describe('There already, and equal.'),
      refused: z.partialRecord(z.enum(RESTORE_REFUSALS), countSchema),
    }),
  ),
  refusals: z
    .array(
      z.object({
        section: sectionName,
        id: z.string(),
        reason: z.enum(RESTORE_REFUSALS),
        detail: z.string().nullable(),
      }),
    )
    .describe('The first hundred items that were not restored.'),
});

/** What came of a restore. */
export type RestoreResult = z.infer<typeof restoreResultSchema>;

const ID = '8d0f6c1e-3a52-4a0e-9c58-5f1f2f6f7a01';

const exampleBackup: BackupView = {
  ...{ id: ID, created_at: '2026-01-02T03:04:05.678Z', registered_at: '2026-01-02T03:04:09.012Z' },
  ...{ cluster: 'skein', node_version: '1.0.0', format_version: 1, encryption: 'aes-256-gcm' },
  ...{ bytes: 1_482_112, file: `${ID}.skein`, replica: 'api-0', available: true },
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  sections: [
    {
      ...{ name: 'retained', items: 50_000, messages: 0 },
      checksum: '1b4f0e9851971998e732078544c96b36c3d01cedf7caa332359d6f1d83567014',
    },
  ],
};

const idPath = z.object({ backup_id: z.string().min(1).max(128) });
const examplePath = { backup_id: ID };

/** Operations on backups. */
export const BACKUP_OPERATIONS = {
  listBackups: {
    method: 'get',
    path: '/api/v1/backups',
    tag: 'Backups',
    summary: 'List backups',
    description: 'Those that are whole, the latest first.',
    scope: 'backups:read',
    query: z.strictObject(pageQuery),
    replies: { 200: pageReply('A page of backups.', listOf('BackupList', backupSchema)) },
    problems: ['invalid-cursor', 'storage-unavailable'],
    example: {
      reply: {
        items: [exampleBackup],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  createBackup: {
    method: 'post',
    path: '/api/v1/backups',
    tag: 'Backups',
    summary: 'Make a backup',
    description:
      'Of what is defined over REST, roles and their bindings, retained and delayed messages, and durable sessions with their queues. Each item is as it was at one moment, and not all of them at the same: clients go on meanwhile. The result of the operation is the backup.',
    scope: 'backups:write',
    topics: [],
    body: createSchema,
    replies: { 202: ACCEPTED },
    problems: ['unprocessable', 'limit-reached', 'storage-unavailable'],
    example: { body: { encryption: 'aes-256-gcm' }, reply: acceptedExample('backup') },
  },
  getBackup: {
    method: 'get',
    path: '/api/v1/backups/{backup_id}',
    tag: 'Backups',
    summary: 'Show a backup',
    scope: 'backups:read',
    pathParameters: idPath,
    replies: { 200: { description: 'The backup.', schema: backupSchema } },
    problems: ['not-found', 'storage-unavailable'],
    example: { path: examplePath, reply: exampleBackup },
  },
  deleteBackup: {
    method: 'delete',
    path: '/api/v1/backups/{backup_id}',
    tag: 'Backups',
    summary: 'Delete a backup',
    description:
      'With its file, which has to be in the directory of this replica. With `forget` it may be missing: then the cluster knows the backup no longer, and what there is of the file elsewhere stays.',
    scope: 'backups:write',
    topics: [],
    pathParameters: idPath,
    query: z.strictObject({ forget: flagSchema.optional() }),
    replies: { 204: { description: 'Deleted.' } },
    problems: ['not-found', 'conflict', 'storage-unavailable'],
    example: { path: examplePath },
  },
  downloadBackup: {
    method: 'get',
    path: '/api/v1/backups/{backup_id}/content',
    tag: 'Backups',
    summary: 'Download a backup',
    description:
      'The file as it is: enciphered, or lines of JSON in gzip. It has the hashes of passwords and the content of messages.',
    scope: 'definitions:read',
    alsoNeeds: ['payloads:read'],
    topics: [],
    pathParameters: idPath,
    replies: {
      200: {
        description: 'The file.',
        contentType: 'application/octet-stream',
        schema: z.string(),
        headers: { ETag: 'Its SHA-256.', 'Content-Disposition': 'Its name.' },
      },
    },
    problems: ['not-found', 'conflict', 'storage-unavailable'],
    example: { path: examplePath },
  },
  restoreBackup: {
    method: 'post',
    path: '/api/v1/backups/{backup_id}/restores',
    tag: 'Backups',
    summary: 'Restore a backup',
    description:
      'Into this cluster, whosever it was. The whole file is read and checked before anything is changed. Sessions are made by nodes as if their clients had been here and gone; one whose client is connected stays as it is. Roles that the caller could not give are refused.',
    scope: 'backups:execute',
    alsoNeeds: ['definitions:write'],
    topics: [],
    pathParameters: idPath,
    body: restoreSchema,
    replies: { 202: ACCEPTED },
    problems: ['not-found', 'conflict', 'limit-reached', 'storage-unavailable'],
    example: {
      path: examplePath,
      body: { mode: 'missing', dry_run: true },
      reply: acceptedExample('restore'),
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
