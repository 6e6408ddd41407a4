import { z } from 'zod';
import { bulkOf, bulkResultsSchema, dryRunQuery } from './bulk.ts';
import { choiceField, filterQuery, textField, timeField } from './filters.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { MQTT_TEXT_MAX, named, timestampSchema } from './schema.ts';

const TEXT_MAX = 256;

const KINDS = ['client_id', 'client_id_regex', 'username', 'ip', 'cidr'] as const;

const banKind = z
  .enum(KINDS)
  .describe(
    'What the value is: a client id, a regular expression (RE2, at most 256 characters) that is found in client ids, a user name, an address, or a network.',
  );

const reason = z.string().max(TEXT_MAX).default('');

const until = timestampSchema.optional().describe('When it ends. Absent: it does not.');

/** A ban. */
export const banSchema = named(
  'Ban',
  z.object({
    id: z.string().describe('Made of what it is on.'),
    kind: banKind,
    value: z.string(),
    reason: z.string(),
    by: z.enum(['admin', 'flapping']),
    created_at: timestampSchema,
    until: timestampSchema.nullable().describe('Null: it does not end.'),
  }),
);

/** A ban. */
export type BanView = z.output<typeof banSchema>;

/** A ban that is wanted. */
export const banCreateSchema = named(
  'BanCreate',
  z.strictObject({ kind: banKind, value: z.string().min(1).max(MQTT_TEXT_MAX), reason, until }),
);

/** A ban that is wanted. */
export type BanCreate = z.output<typeof banCreateSchema>;

/** What of a ban may be changed: whom it is on says its id. */
export const banReplaceSchema = named('BanReplace', z.strictObject({ reason, until }));

/** One item of a bulk change: a ban to make, or `{"op": "delete", "id": …}`. */
export const banWishSchema = z.union([
  z.strictObject({
    op: z.literal('delete'),
    id: z
      .string()
      .min(1)
      .max(MQTT_TEXT_MAX + TEXT_MAX),
  }),
  banCreateSchema.extend({ op: z.literal('create').default('create') }),
]);

/** What may be asked of bans. */
export const BAN_FILTERS = {
  kind: choiceField(KINDS, ['eq', 'in'], 'What it is on.'),
  value: textField(['eq', 'like'], 'Whom it is on.'),
  reason: textField(['eq', 'like'], 'Why.'),
  by: choiceField(['admin', 'flapping'], ['eq'], 'Who has made it.'),
  until: timeField(['gte', 'lte'], 'When it ends; one without an end meets neither.'),
  created_at: timeField(['gte', 'lte'], 'When it was made.'),
} as const;

const most = (what: string) => z.int().min(0).max(1_000_000).describe(what);

const flappingFields = {
  connections_max: most(
    'Most connections of a client that end within a window at a node. 0 bans nobody.',
  ),
  connections_per_address_max: most('The same of a user from one address. 0 bans none.'),
  window_seconds: z.int().min(1).max(3_600),
  ban_seconds: z.int().min(1).max(2_592_000),
};

/** When nodes ban by themselves. */
export const autoBanConfigSchema = named(
  'AutoBanConfig',
  z.object({
    ...flappingFields,
    source: z.enum(['config', 'api']).describe('`config`: as `flapping` of the node that answers.'),
  }),
);

/** When nodes ban by themselves. */
export type AutoBanConfigView = z.output<typeof autoBanConfigSchema>;

/** When nodes are to ban by themselves. */
export const autoBanConfigReplaceSchema = named(
  'AutoBanConfigReplace',
  z.strictObject(flappingFields),
);

const banPath = z.strictObject({ ban_id: z.string().min(1) });
const exampleBan: BanView = {
  id: 'address:192.0.2.0/24',
  kind: 'cidr',
  value: '192.0.2.0/24',
  reason: 'scans',
  by: 'admin',
  created_at: '2026-01-02T03:04:05.678Z',
  until: null,
};
const exampleFlapping = {
  ...{ connections_max: 100, connections_per_address_max: 0 },
  ...{ window_seconds: 60, ban_seconds: 300 },
};
const path = { ban_id: exampleBan.id };
const etag = { ETag: 'The revision; send it as If-Match.' };
const ifMatch = { 'If-Match': 'The ETag last read. Required.' };
const known = { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' };
const unavailable = ['node-unavailable', 'storage-unavailable'] as const;

/** Operations on who may not connect. */
export const BAN_OPERATIONS = {
  listBans: {
    method: 'get',
    path: '/api/v1/bans',
    tag: 'Access',
    summary: 'List bans',
    scope: 'bans:read',
    query: z.strictObject({ ...pageQuery, ...filterQuery(BAN_FILTERS) }),
    replies: { 200: pageReply('A page of bans.', listOf('BanList', banSchema)) },
    problems: ['invalid-cursor', ...unavailable],
    example: {
      query: { kind: 'cidr' },
      reply: {
        items: [exampleBan],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  createBan: {
    method: 'post',
    path: '/api/v1/bans',
    tag: 'Access',
    summary: 'Ban somebody',
    description:
      'Every node disconnects whom it is on within two seconds, an MQTT 5 client with 0x98, and refuses CONNECT with 0x8A from then on.',
    scope: 'bans:write',
    query: z.strictObject({}),
    body: banCreateSchema,
    replies: {
      201: {
        description: 'Created.',
        schema: banSchema,
        headers: { ...etag, Location: 'The path of the ban.' },
      },
    },
    problems: ['already-exists', 'limit-reached', 'unprocessable', ...unavailable],
    example: { body: { kind: 'cidr', value: '192.0.2.0/24', reason: 'scans' }, reply: exampleBan },
  },
  changeBans: {
    method: 'post',
    path: '/api/v1/bans/bulk',
    tag: 'Access',
    summary: 'Make and lift many bans',
    description: 'One after the other. What was done before a faulty item stays.',
    scope: 'bans:write',
    query: z.strictObject({ ...dryRunQuery }),
    body: bulkOf('BanChanges', 'a BanCreate, or `{"op": "delete", "id": …}`'),
    replies: { 200: { description: 'What came of each.', schema: bulkResultsSchema } },
    problems: unavailable,
    example: {
      body: [
        { kind: 'client_id', value: 'probe-7', reason: 'noise' },
        { op: 'delete', id: 'address:192.0.2.0/24' },
      ],
      reply: {
        items: [
          { index: 0, status: 201, id: 'client_id:probe-7' },
          {
            ...{ index: 1, status: 404, id: 'address:192.0.2.0/24' },
            problem: { code: 'not-found', detail: 'There is no ban with this id' },
          },
        ],
      },
    },
  },
  getBan: {
    method: 'get',
    path: '/api/v1/bans/{ban_id}',
    tag: 'Access',
    summary: 'Show a ban',
    scope: 'bans:read',
    pathParameters: banPath,
    query: z.strictObject({}),
    headers: known,
    replies: {
      200: { description: 'The ban.', schema: banSchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: ['not-found', ...unavailable],
    example: { path, reply: exampleBan },
  },
  replaceBan: {
    method: 'put',
    path: '/api/v1/bans/{ban_id}',
    tag: 'Access',
    summary: 'Change reason and end of a ban, or make it with If-None-Match: *',
    description: 'Whom it is on says its id, as `client_id:probe-7` or `address:192.0.2.0/24`.',
    scope: 'bans:write',
    pathParameters: banPath,
    query: z.strictObject({}),
    body: banReplaceSchema,
    headers: { ...ifMatch, 'If-None-Match': '`*` to create only.' },
    replies: {
      200: { description: 'Replaced.', schema: banSchema, headers: etag },
      201: { description: 'Created.', schema: banSchema, headers: etag },
    },
    problems: [
      ...(['precondition-failed', 'precondition-required', 'not-found'] as const),
      ...(['limit-reached', 'unprocessable', ...unavailable] as const),
    ],
    example: { path, body: { reason: 'scans' }, reply: exampleBan },
  },
  deleteBan: {
    method: 'delete',
    path: '/api/v1/bans/{ban_id}',
    tag: 'Access',
    summary: 'Lift a ban',
    scope: 'bans:write',
    pathParameters: banPath,
    query: z.strictObject({}),
    headers: { 'If-Match': 'The ETag last read, if only that ban is meant.' },
    replies: { 204: { description: 'Lifted, on every node within two seconds.' } },
    problems: ['not-found', 'precondition-failed', ...unavailable],
    example: { path },
  },
  getAutoBanConfig: {
    method: 'get',
    path: '/api/v1/auto-bans/config',
    tag: 'Access',
    summary: 'Show when nodes ban by themselves',
    scope: 'bans:read',
    query: z.strictObject({}),
    headers: known,
    replies: {
      200: { description: 'The settings in force.', schema: autoBanConfigSchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: unavailable,
    example: { reply: { ...exampleFlapping, source: 'config' } },
  },
  replaceAutoBanConfig: {
    method: 'put',
    path: '/api/v1/auto-bans/config',
    tag: 'Access',
    summary: 'Say when nodes ban by themselves',
    description:
      'In force on every node within two seconds, instead of `flapping` of the configuration. What was counted is forgotten; bans that were made stay.',
    scope: 'bans:write',
    query: z.strictObject({}),
    body: autoBanConfigReplaceSchema,
    headers: ifMatch,
    replies: { 200: { description: 'Replaced.', schema: autoBanConfigSchema, headers: etag } },
    problems: ['precondition-failed', 'precondition-required', ...unavailable],
    example: { body: exampleFlapping, reply: { ...exampleFlapping, source: 'api' } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
