import { z } from 'zod';
import { filterQuery, textField, timeField } from './filters.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { roleIdSchema, scopesSchema } from './roles.ts';
import { named, timestampSchema } from './schema.ts';

const TEXT_MAX = 256;
const LIST_MAX = 100;
const TOPIC_MAX = 1_024;
const OVERLAP_SECONDS_MAX = 604_800;

const name = z.string().min(1).max(TEXT_MAX).describe('For people; it need not be unique.');
const topicPrefixes = z
  .array(
    z
      .string()
      .min(1)
      .max(TOPIC_MAX)
      .regex(/^[^+#\0]+$/u, { error: 'must hold neither + nor #' }),
  )
  .min(1)
  .max(LIST_MAX)
  .describe(
    'Levels with which topics have to begin: `plants/7` is for that topic and all below. They bind publishing, subscribing for clients, retained messages and streams.',
  );
const cidrs = z
  .array(z.string().min(1).max(64))
  .max(LIST_MAX)
  .describe('Addresses or networks from which the key may be used; none: from anywhere.');

/** An API key. */
export const apiKeySchema = named(
  'ApiKey',
  z.object({
    id: z.string(),
    name: z.string(),
    prefix: z.string().describe('What its secret begins with: tells keys apart.'),
    role: z.string().nullable(),
    scopes: z.array(z.string()).describe('Besides those of its role.'),
    topic_prefixes: z.array(z.string()).nullable().describe('Null: any topic.'),
    allowed_cidrs: z.array(z.string()).describe('Empty: from anywhere.'),
    created_at: timestampSchema,
    created_by: z.string(),
    expires_at: timestampSchema.nullable(),
    last_used_at: timestampSchema.nullable().describe('To the minute.'),
    previous_secret_expires_at: timestampSchema
      .nullable()
      .describe('Until when the secret before the last rotation is taken.'),
  }),
);

/** An API key. */
export type ApiKeyView = z.output<typeof apiKeySchema>;

/** What the list of keys can be filtered by. */
export const API_KEY_FILTERS = {
  name: textField(['eq', 'like'], 'Its name.'),
  prefix: textField(['eq'], 'What its secret begins with: `skn_` and its id.'),
  role: textField(['eq', 'in'], 'The role that it names itself.'),
  created_by: textField(['eq'], 'Who has made it.'),
  created_at: timeField(['gte', 'lte'], 'When it was made.'),
  expires_at: timeField(['gte', 'lte'], 'When it ends; one that never does meets neither.'),
  last_used_at: timeField(
    ['gte', 'lte'],
    'When it was used last; one that never was meets neither.',
  ),
} as const;

/** A key whose secret is shown, once. */
export const apiKeySecretSchema = named(
  'ApiKeySecret',
  z.object({
    ...apiKeySchema.shape,
    secret: z.string().describe('Shown this once: only a hash of it is kept.'),
  }),
);

/** A key whose secret is shown, once. */
export type ApiKeySecretView = z.output<typeof apiKeySecretSchema>;

/** A key that is wanted. */
export const apiKeyCreateSchema = named(
  'ApiKeyCreate',
  z
    .strictObject({
      name,
      role: roleIdSchema.exactOptional(),
      scopes: scopesSchema.default([]),
      topic_prefixes: topicPrefixes.exactOptional(),
      allowed_cidrs: cidrs.default([]),
      expires_at: timestampSchema.exactOptional(),
    })
    .refine(({ role, scopes }) => role !== undefined || scopes.length > 0, {
      error: 'a key needs a role or scopes',
      path: ['role'],
    }),
);

/** What is to be different of a key. */
export const apiKeyPatchSchema = named(
  'ApiKeyPatch',
  z.strictObject({
    name: name.exactOptional(),
    role: roleIdSchema.nullable().exactOptional(),
    scopes: scopesSchema.exactOptional(),
    topic_prefixes: topicPrefixes.nullable().exactOptional(),
    allowed_cidrs: cidrs.exactOptional(),
    expires_at: timestampSchema.nullable().exactOptional(),
  }),
);

/** How a key gets another secret. */
export const apiKeyRotationSchema = named(
  'ApiKeyRotation',
  z.strictObject({
    overlap_seconds: z
      .number()
      .int()
      .min(0)
      .max(OVERLAP_SECONDS_MAX)
      .default(0)
      .describe('For how long the secret before it is taken too.'),
  }),
);

/** Who calls. */
export const whoamiSchema = named(
  'Whoami',
  z.object({
    kind: z.enum(['local', 'bootstrap', 'api_key', 'jwt']),
    id: z.string().describe('As the audit log has it.'),
    name: z.string(),
    roles: z.array(z.string()),
    scopes: z.array(z.string()),
    topic_prefixes: z.array(z.string()).nullable().describe('Null: any topic.'),
    expires_at: timestampSchema.nullable(),
    limits: z.array(
      z.object({
        policy: z.string(),
        requests_per_second: z.number(),
        burst: z.number(),
      }),
    ),
  }),
);

/** Who calls. */
export type WhoamiView = z.output<typeof whoamiSchema>;

const path = z.strictObject({ key_id: z.string().min(1).max(TEXT_MAX) });
const etag = { ETag: 'The revision of the key; send it as If-Match.' };
const ifMatch = { 'If-Match': 'The ETag last read. Required.' };
const granted = ['scope-escalation', 'limit-reached', 'unprocessable', 'overloaded'] as const;
const none = z.strictObject({});

const example: ApiKeyView = {
  id: 'q2m5x4k3n6p2r7b7',
  name: 'dashboard',
  prefix: 'skn_q2m5x4k3n6p2r7b7',
  role: 'viewer',
  scopes: [],
  topic_prefixes: null,
  allowed_cidrs: ['10.0.0.0/8'],
  created_at: '2026-01-02T03:04:05.678Z',
  created_by: 'bootstrap',
  expires_at: '2027-01-02T03:04:05.678Z',
  last_used_at: null,
  previous_secret_expires_at: null,
};
const secret = 'skn_q2m5x4k3n6p2r7b7_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG';
const at = { key_id: example.id };

/** Operations on API keys, and who the caller is. */
export const API_KEY_OPERATIONS = {
  listApiKeys: {
    ...{ method: 'get', path: '/api/v1/api-keys', tag: 'Administrators' },
    summary: 'List API keys',
    description: 'Never their secrets. The key of the configuration is not among them.',
    scope: 'api_keys:read',
    query: z.strictObject({ ...pageQuery, ...filterQuery(API_KEY_FILTERS) }),
    replies: { 200: pageReply('A page of keys.', listOf('ApiKeyList', apiKeySchema)) },
    problems: ['invalid-cursor'],
    example: {
      reply: {
        items: [example],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  createApiKey: {
    ...{ method: 'post', path: '/api/v1/api-keys', tag: 'Administrators' },
    summary: 'Make an API key',
    description:
      'The secret is in this reply and nowhere else. A key can do no more than who makes it. Without any key an API on loopback is open to its machine; with the first one it is not.',
    scope: 'api_keys:write',
    query: none,
    body: apiKeyCreateSchema,
    replies: {
      201: {
        description: 'Made.',
        schema: apiKeySecretSchema,
        headers: { ...etag, Location: 'The path of the key.' },
      },
    },
    problems: ['already-exists', 'conflict', ...granted],
    example: {
      body: {
        name: example.name,
        role: 'viewer',
        allowed_cidrs: example.allowed_cidrs,
        expires_at: '2027-01-02T03:04:05.678Z',
      },
      reply: { ...example, secret },
    },
  },
  getApiKey: {
    ...{ method: 'get', path: '/api/v1/api-keys/{key_id}', tag: 'Administrators' },
    summary: 'Show an API key',
    scope: 'api_keys:read',
    pathParameters: path,
    query: none,
    headers: { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' },
    replies: {
      200: { description: 'The key.', schema: apiKeySchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: ['not-found'],
    example: { path: at, reply: example },
  },
  patchApiKey: {
    ...{ method: 'patch', path: '/api/v1/api-keys/{key_id}', tag: 'Administrators' },
    summary: 'Change what an API key may do',
    description: 'A JSON Merge Patch (RFC 7396): lists are replaced as a whole.',
    scope: 'api_keys:write',
    pathParameters: path,
    query: none,
    body: apiKeyPatchSchema,
    bodyType: 'application/merge-patch+json',
    headers: ifMatch,
    replies: { 200: { description: 'Changed.', schema: apiKeySchema, headers: etag } },
    problems: ['precondition-failed', 'precondition-required', 'not-found', 'conflict', ...granted],
    example: { path: at, body: { role: 'operator' }, reply: { ...example, role: 'operator' } },
  },
  deleteApiKey: {
    ...{ method: 'delete', path: '/api/v1/api-keys/{key_id}', tag: 'Administrators' },
    summary: 'Revoke an API key',
    description: 'In force at every replica with the next request. Not the last admin (409).',
    scope: 'api_keys:write',
    pathParameters: path,
    query: none,
    headers: { 'If-Match': 'The ETag last read, to revoke no other state of the key.' },
    replies: { 204: { description: 'Revoked.' } },
    problems: ['precondition-failed', 'not-found', 'conflict', 'overloaded'],
    example: { path: at },
  },
  rotateApiKey: {
    ...{ method: 'post', path: '/api/v1/api-keys/{key_id}/rotations', tag: 'Administrators' },
    summary: 'Give an API key another secret',
    description:
      'The secret is in this reply and nowhere else. The one before it is taken for `overlap_seconds` more, and any older one not at all.',
    scope: 'api_keys:write',
    pathParameters: path,
    query: none,
    body: apiKeyRotationSchema,
    replies: {
      201: { description: 'Rotated.', schema: apiKeySecretSchema, headers: etag },
    },
    problems: ['not-found', 'conflict', 'scope-escalation'],
    example: { path: at, body: { overlap_seconds: 3_600 }, reply: { ...example, secret } },
  },
  whoami: {
    ...{ method: 'get', path: '/api/v1/whoami', tag: 'Administrators' },
    summary: 'Who the caller is and what it may do',
    scope: 'any',
    query: none,
    replies: { 200: { description: 'The caller.', schema: whoamiSchema } },
    problems: [],
    example: {
      reply: {
        kind: 'api_key',
        id: `key:${example.id}`,
        name: example.name,
        roles: ['publisher'],
        scopes: ['messages:publish', 'system:read', 'topics:read'],
        topic_prefixes: ['plants/7'],
        expires_at: null,
        limits: [{ policy: 'requests', requests_per_second: 500, burst: 1_000 }],
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
