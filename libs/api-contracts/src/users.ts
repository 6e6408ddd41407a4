import { z } from 'zod';
import { userAclRuleSchema } from './access.ts';
import { filterQuery, textField } from './filters.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { named, timestampSchema } from './schema.ts';

const RULES_MAX = 1_000;
const GROUPS_MAX = 100;
const TEXT_MAX = 256;
const PASSWORD_MAX = 1_024;

const groups = z.array(z.string().min(1).max(TEXT_MAX)).max(GROUPS_MAX);
const acl = z.array(userAclRuleSchema).max(RULES_MAX);
const password = z
  .string()
  .min(1)
  .max(PASSWORD_MAX)
  .describe('Only what recognises it is stored, and nothing of it is ever shown.');
const scram = z
  .boolean()
  .describe(
    'Whether the user may prove itself by SCRAM too. What is stored for that is cheaper to try passwords on than the hash, for whoever steals it. Goes with `password`.',
  );
const secret = { password: password.exactOptional(), scram: scram.exactOptional() };
const SCRAM_FAULT = { error: 'goes with a password', path: ['scram'] };

const scramHasPassword = (body: { readonly password?: string; readonly scram?: boolean }) =>
  body.scram === undefined || body.password !== undefined;

/** A stored user. */
export const userSchema = named(
  'User',
  z.object({
    name: z.string(),
    groups: z.array(z.string()),
    acl: z.array(userAclRuleSchema).describe('They come before the general rules.'),
    scram: z.boolean().describe('Whether it may prove itself by SCRAM as well.'),
    password_set_at: timestampSchema,
  }),
);

/** A stored user. */
export type UserView = z.output<typeof userSchema>;

/** A user that is wanted. */
export const userCreateSchema = named(
  'UserCreate',
  z.strictObject({
    name: z
      .string()
      .max(TEXT_MAX)
      .regex(/^(?!\.{1,2}$)./su, { error: 'must not be empty, nor a segment of dots' })
      .describe('Compared after SASLprep (RFC 4013), and shown in that form.'),
    password,
    scram: scram.default(false),
    groups: groups.default([]),
    acl: acl.default([]),
  }),
);

/** A user as it is to be from now on. */
export const userReplaceSchema = named(
  'UserReplace',
  z
    .strictObject({ ...secret, groups: groups.default([]), acl: acl.default([]) })
    .refine(scramHasPassword, SCRAM_FAULT),
);

/** What is to be different of a user. */
export const userPatchSchema = named(
  'UserPatch',
  z
    .strictObject({ ...secret, groups: groups.exactOptional(), acl: acl.exactOptional() })
    .refine(scramHasPassword, SCRAM_FAULT),
);

const userPath = z.strictObject({ user_name: z.string().min(1) });
const etag = { ETag: 'The revision of the user; send it as If-Match.' };
const ifMatch = { 'If-Match': 'The ETag last read. Required.' };
const unavailable = ['node-unavailable', 'storage-unavailable'] as const;
const changeProblems = ['precondition-failed', 'precondition-required', 'not-found'] as const;
const path = { user_name: 'sensor-7' };

const example: UserView = {
  name: 'sensor-7',
  groups: ['sensors'],
  acl: [{ effect: 'allow', actions: ['publish'], topics: ['plant/${username}/#'] }],
  scram: false,
  password_set_at: '2026-01-02T03:04:05.678Z',
};

/** What may be asked of stored users. */
export const USER_FILTERS = {
  username: textField(['eq', 'like', 'in'], 'The name, in its prepared form.'),
  group: textField(['eq'], 'A group that it is in.'),
} as const;

/** Operations on stored users. */
export const USER_OPERATIONS = {
  listUsers: {
    method: 'get',
    path: '/api/v1/users',
    tag: 'Access',
    summary: 'List stored users',
    description:
      'Those of the configuration are not among them. With a filter a page may hold fewer than `limit`, and even none, while there are more.',
    scope: 'users:read',
    query: z.strictObject({ ...pageQuery, ...filterQuery(USER_FILTERS) }),
    replies: { 200: pageReply('A page of users.', listOf('UserList', userSchema)) },
    problems: ['invalid-cursor', ...unavailable],
    example: {
      reply: {
        items: [example],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  createUser: {
    method: 'post',
    path: '/api/v1/users',
    tag: 'Access',
    summary: 'Create a user',
    description:
      'Users who are stored may log in where `auth.chain` has `kind: stored`, on every node within two seconds.',
    scope: 'users:write',
    query: z.strictObject({}),
    body: userCreateSchema,
    replies: {
      201: {
        description: 'Created.',
        schema: userSchema,
        headers: { ...etag, Location: 'The path of the user.' },
      },
    },
    problems: ['already-exists', 'unprocessable', 'overloaded', ...unavailable],
    example: {
      body: { name: 'sensor-7', password: 'tide table', groups: ['sensors'], acl: example.acl },
      reply: example,
    },
  },
  getUser: {
    method: 'get',
    path: '/api/v1/users/{user_name}',
    tag: 'Access',
    summary: 'Show a user',
    scope: 'users:read',
    pathParameters: userPath,
    query: z.strictObject({}),
    headers: { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' },
    replies: {
      200: { description: 'The user.', schema: userSchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: ['not-found', ...unavailable],
    example: { path, reply: example },
  },
  replaceUser: {
    method: 'put',
    path: '/api/v1/users/{user_name}',
    tag: 'Access',
    summary: 'Replace a user, or create it with If-None-Match: *',
    description:
      'Without a password the one before stays. Its clients are held to other rules and groups at once, and disconnected (0x87) when there is another password, on every node within two seconds.',
    scope: 'users:write',
    pathParameters: userPath,
    query: z.strictObject({}),
    body: userReplaceSchema,
    headers: { ...ifMatch, 'If-None-Match': '`*` to create only.' },
    replies: {
      200: { description: 'Replaced.', schema: userSchema, headers: etag },
      201: { description: 'Created.', schema: userSchema, headers: etag },
    },
    problems: [...changeProblems, 'unprocessable', 'overloaded', ...unavailable],
    example: { path, body: { groups: ['sensors'], acl: example.acl }, reply: example },
  },
  patchUser: {
    method: 'patch',
    path: '/api/v1/users/{user_name}',
    tag: 'Access',
    summary: 'Change a user, or set its password',
    description:
      'A JSON Merge Patch (RFC 7396): lists are replaced as a whole. What follows for its clients is what follows of PUT.',
    scope: 'users:write',
    pathParameters: userPath,
    query: z.strictObject({}),
    body: userPatchSchema,
    bodyType: 'application/merge-patch+json',
    headers: ifMatch,
    replies: { 200: { description: 'Changed.', schema: userSchema, headers: etag } },
    problems: [...changeProblems, 'unprocessable', 'overloaded', ...unavailable],
    example: { path, body: { password: 'low water' }, reply: example },
  },
  deleteUser: {
    method: 'delete',
    path: '/api/v1/users/{user_name}',
    tag: 'Access',
    summary: 'Delete a user',
    description: 'Its clients are disconnected (0x87), on every node within two seconds.',
    scope: 'users:write',
    pathParameters: userPath,
    query: z.strictObject({}),
    headers: ifMatch,
    replies: { 204: { description: 'Deleted.' } },
    problems: [...changeProblems, ...unavailable],
    example: { path },
  },
} as const satisfies Readonly<Record<string, Operation>>;
