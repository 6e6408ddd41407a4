import { z } from 'zod';
import { choiceField, filterQuery, textField, timeField } from './filters.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { countSchema, named, timestampSchema } from './schema.ts';

const OUTCOMES = ['done', 'refused', 'failed'] as const;

/** What records of the audit log are found by. */
export const AUDIT_FILTERS = {
  actor: textField(['eq'], 'Who: `key:ID`, `jwt:SUBJECT`, `bootstrap`, `local`, `unknown`.'),
  action: textField(['eq', 'in'], 'The operationId.'),
  resource: textField(
    ['eq', 'like'],
    'What it was about: a path, such as `/api/v1/users/sensor-7`.',
  ),
  outcome: choiceField(OUTCOMES, ['eq'], 'How it ended.'),
  time: timeField(['gte', 'lte'], 'When it was answered.'),
} as const;

/** A change that was asked for, or a credential that was refused. */
export const auditRecordSchema = named(
  'AuditRecord',
  z.object({
    id: z.string().describe('In the order of their coming.'),
    time: timestampSchema,
    actor: z
      .string()
      .describe(
        '`key:ID`, `jwt:SUBJECT`, `bootstrap` (the key of the configuration), `local` or `unknown`.',
      ),
    actor_name: z.string().nullable(),
    remote_address: z.string(),
    action: z.string().nullable().describe('The operationId; null: there is no such operation.'),
    method: z.string(),
    route: z.string().nullable().describe('The path with its parameters in braces.'),
    resource: z
      .string()
      .describe(
        'The path of what was made; else the path and query that were asked for. Only what has to be is percent-encoded. At most 1,024 characters.',
      ),
    fields: z
      .array(z.string())
      .describe('The fields of the body, without their values; at most 50.'),
    before: z.string().nullable().describe('The ETag that the caller had seen.'),
    after: z.string().nullable().describe('The ETag that the change has made.'),
    outcome: z.enum(OUTCOMES).describe('`refused`: 4xx, `failed`: 5xx.'),
    status: z.int(),
    duration_ms: countSchema,
    request_id: z.string(),
  }),
);

/** A change that was asked for, or a credential that was refused. */
export type AuditRecord = z.infer<typeof auditRecordSchema>;

const example: AuditRecord = {
  id: '1767323045678-0',
  time: '2026-01-02T03:04:05.678Z',
  actor: 'key:k1',
  actor_name: 'deployment',
  remote_address: '192.0.2.7',
  action: 'createUser',
  method: 'POST',
  route: '/api/v1/users',
  resource: '/api/v1/users/sensor-7',
  fields: ['name', 'password'],
  before: null,
  after: '"1"',
  outcome: 'done',
  status: 201,
  duration_ms: 71,
  request_id: '0f2a7c1e-3a6d-4b57-9f0a-5c2b5d0e9d11',
};

/** Operations on the audit log. Nothing changes it. */
export const AUDIT_OPERATIONS = {
  listAuditRecords: {
    method: 'get',
    path: '/api/v1/audit-records',
    tag: 'Administrators',
    summary: 'List audit records',
    description:
      'Who changed what through this API, the latest first: a record for each request that is not a GET, and for each credential that was refused. Requests beyond a rate limit leave none. With `Accept: application/x-ndjson` one record a line.',
    scope: 'audit:read',
    query: z.strictObject({ ...pageQuery, ...filterQuery(AUDIT_FILTERS) }),
    replies: {
      200: {
        ...pageReply('A page of records.', listOf('AuditRecordList', auditRecordSchema)),
        otherTypes: ['application/x-ndjson'],
      },
    },
    problems: ['invalid-cursor', 'storage-unavailable'],
    example: {
      query: { action: 'createUser', outcome: 'done' },
      reply: {
        items: [example],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
