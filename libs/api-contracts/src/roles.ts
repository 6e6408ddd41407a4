import { z } from 'zod';
import { choiceField, filterQuery, flagField, textField } from './filters.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { named, timestampSchema } from './schema.ts';
import { SCOPES, type Scope } from './scope.ts';

const READ_BY_VIEWERS = [
  ...['system', 'cluster', 'nodes', 'operations', 'listeners', 'clients', 'sessions'],
  ...['subscriptions', 'topics', 'retained', 'delayed', 'bans', 'bridges', 'bridge_rules'],
  ...['dead_letters', 'config', 'events', 'stats', 'alarms', 'certificates'],
];
const CHANGED_BY_OPERATORS = [
  ...['cluster', 'nodes', 'operations', 'listeners', 'clients', 'sessions', 'subscriptions'],
  ...['topics', 'retained', 'delayed', 'bans', 'bridges', 'bridge_rules', 'dead_letters'],
  ...['config', 'alarms', 'certificates'],
];

/** The scopes there are among these resources. */
function scopesOn(resources: readonly string[], verbs: readonly string[]): Scope[] {
  return SCOPES.filter((scope) => {
    const [resource = '', verb = ''] = scope.split(':');
    return resources.includes(resource) && verbs.includes(verb);
  });
}

const ALL_VERBS = ['read', 'write', 'execute'];
const VIEWER = scopesOn(READ_BY_VIEWERS, ['read']);

/** The roles that are always there, and what each may do. Nobody changes them. */
export const BUILT_IN_ROLES = {
  viewer: { description: 'Sees how the cluster is.', scopes: VIEWER },
  operator: {
    description: 'Keeps the cluster running.',
    scopes: [
      ...VIEWER,
      ...scopesOn(CHANGED_BY_OPERATORS, ['write', 'execute']),
      ...scopesOn(['traces', 'webhooks', 'logs', 'diagnostics'], ALL_VERBS),
      ...scopesOn(['backups'], ['read', 'write']),
    ],
  },
  publisher: {
    description: 'Publishes messages.',
    scopes: ['system:read', 'topics:read', 'messages:publish'],
  },
  security_admin: {
    description: 'Says who may do what.',
    scopes: [
      ...VIEWER.filter((scope) => scope !== 'bans:read'),
      ...scopesOn(['bans', 'auth', 'users', 'acl', 'api_keys', 'roles'], ALL_VERBS),
      'audit:read',
      'certificates:execute',
    ],
  },
  admin: { description: 'May do everything.', scopes: SCOPES },
} as const satisfies Readonly<
  Record<string, { readonly description: string; readonly scopes: readonly Scope[] }>
>;

/** The role that may do everything. */
export const ADMIN_ROLE = 'admin';

const ROLE_ID = /^[a-z][a-z0-9_-]{0,63}$/;
const TEXT_MAX = 256;

/** The id of a role. */
export const roleIdSchema = z
  .string()
  .max(64)
  .regex(ROLE_ID, {
    error: 'must be 1 to 64 lower-case letters, digits, _ and -, a letter first',
  })
  .describe('The id of a built-in role, or of one that was made.');

/** What a caller may do. */
export const scopesSchema = z
  .array(z.enum(SCOPES as readonly [Scope, ...Scope[]]))
  .max(SCOPES.length)
  .describe('`resource:verb` each.');

/** A role. */
export const roleSchema = named(
  'Role',
  z.object({
    id: z.string(),
    description: z.string(),
    scopes: z.array(z.string()),
    built_in: z.boolean().describe('Built-in roles cannot be changed.'),
  }),
);

/** A role. */
export type RoleView = z.output<typeof roleSchema>;

const roleShape = {
  description: z.string().max(TEXT_MAX).default(''),
  scopes: scopesSchema,
};

/** A role that is wanted. */
export const roleCreateSchema = named(
  'RoleCreate',
  z.strictObject({ id: roleIdSchema, ...roleShape }),
);

/** A role as it is to be from now on. */
export const roleReplaceSchema = named('RoleReplace', z.strictObject(roleShape));

const SUBJECT_KINDS = ['subject', 'group', 'api_key'] as const;

const subject = z.strictObject({
  kind: z
    .enum(SUBJECT_KINDS)
    .describe('`subject` and `group` are those of tokens, `api_key` is the id of a key.'),
  name: z.string().min(1).max(TEXT_MAX),
});

/** A role binding. */
export const roleBindingSchema = named(
  'RoleBinding',
  z.object({
    id: z.string(),
    role: z.string(),
    subject: z.object({ kind: z.enum(['subject', 'group', 'api_key']), name: z.string() }),
    created_at: timestampSchema,
  }),
);

/** A role binding. */
export type RoleBindingView = z.output<typeof roleBindingSchema>;

const bindingShape = { role: roleIdSchema, subject };

/** A role binding that is wanted. */
export const roleBindingCreateSchema = named('RoleBindingCreate', z.strictObject(bindingShape));

/** A role binding as it is to be from now on. */
export const roleBindingReplaceSchema = named(
  'RoleBindingReplace',
  z.strictObject({ ...bindingShape }),
);

/** What the list of roles can be filtered by. */
export const ROLE_FILTERS = {
  id: textField(['eq', 'like', 'in'], 'The id of the role.'),
  built_in: flagField('Whether it is built in.'),
  scope: choiceField(SCOPES as readonly [Scope, ...Scope[]], ['eq'], 'A scope that it has.'),
} as const;

/** What the list of role bindings can be filtered by. */
export const ROLE_BINDING_FILTERS = {
  role: textField(['eq', 'in'], 'The role that is given.'),
  subject_kind: choiceField(SUBJECT_KINDS, ['eq'], 'What it is given to.'),
  subject_name: textField(['eq', 'like'], 'The name of that.'),
} as const;

const rolePath = z.strictObject({ role_id: z.string().min(1).max(TEXT_MAX) });
const bindingPath = z.strictObject({ binding_id: z.string().min(1).max(TEXT_MAX) });
const etag = { ETag: 'The revision; send it as If-Match.' };
const ifMatch = { 'If-Match': 'The ETag last read. Required.' };
const known = { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' };
const page = { has_more: false, limit: 100 };
const meta = { partial: false, unavailable_nodes: [] };
const changed = ['precondition-failed', 'precondition-required', 'not-found', 'conflict'] as const;
const granted = ['scope-escalation', 'limit-reached', 'unprocessable', 'overloaded'] as const;
const none = z.strictObject({});

const role: RoleView = {
  id: 'plant-7',
  description: 'Watches plant 7',
  scopes: ['system:read', 'clients:read'],
  built_in: false,
};
const binding: RoleBindingView = {
  id: 'b7q2m5x4k3n6p2r7',
  role: 'plant-7',
  subject: { kind: 'group', name: 'plant-7-crew' },
  created_at: '2026-01-02T03:04:05.678Z',
};
const roleBody = { description: role.description, scopes: ['system:read', 'clients:read'] };
const bindingBody = { role: binding.role, subject: binding.subject };

/** Operations on roles. */
export const ROLE_OPERATIONS = {
  listRoles: {
    ...{ method: 'get', path: '/api/v1/roles', tag: 'Administrators' },
    summary: 'List roles, built-in ones too',
    scope: 'roles:read',
    query: z.strictObject({ ...pageQuery, ...filterQuery(ROLE_FILTERS) }),
    replies: { 200: pageReply('A page of roles.', listOf('RoleList', roleSchema)) },
    problems: ['invalid-cursor'],
    example: { reply: { items: [role], page, meta } },
  },
  createRole: {
    ...{ method: 'post', path: '/api/v1/roles', tag: 'Administrators' },
    summary: 'Make a role',
    description: 'Of scopes that the caller has.',
    scope: 'roles:write',
    query: none,
    body: roleCreateSchema,
    replies: {
      201: {
        description: 'Made.',
        schema: roleSchema,
        headers: { ...etag, Location: 'The path of the role.' },
      },
    },
    problems: ['already-exists', ...granted],
    example: { body: { id: role.id, ...roleBody }, reply: role },
  },
  getRole: {
    ...{ method: 'get', path: '/api/v1/roles/{role_id}', tag: 'Administrators' },
    summary: 'Show a role',
    scope: 'roles:read',
    pathParameters: rolePath,
    query: none,
    headers: known,
    replies: {
      200: { description: 'The role.', schema: roleSchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: ['not-found'],
    example: { path: { role_id: role.id }, reply: role },
  },
  replaceRole: {
    ...{ method: 'put', path: '/api/v1/roles/{role_id}', tag: 'Administrators' },
    summary: 'Replace a role, or make it with If-None-Match: *',
    description:
      'Whoever has the role is held to its new scopes within two seconds, at every replica of the API.',
    scope: 'roles:write',
    pathParameters: rolePath,
    query: none,
    body: roleReplaceSchema,
    headers: { ...ifMatch, 'If-None-Match': '`*` to create only.' },
    replies: {
      200: { description: 'Replaced.', schema: roleSchema, headers: etag },
      201: { description: 'Made.', schema: roleSchema, headers: etag },
    },
    problems: [...changed, ...granted],
    example: { path: { role_id: role.id }, body: roleBody, reply: role },
  },
  deleteRole: {
    ...{ method: 'delete', path: '/api/v1/roles/{role_id}', tag: 'Administrators' },
    summary: 'Delete a role',
    description: 'Not while a key or a binding names it, and not the one of the last admin (409).',
    scope: 'roles:write',
    pathParameters: rolePath,
    query: none,
    headers: ifMatch,
    replies: { 204: { description: 'Deleted.' } },
    problems: [...changed, 'overloaded'],
    example: { path: { role_id: role.id } },
  },
  listRoleBindings: {
    ...{ method: 'get', path: '/api/v1/role-bindings', tag: 'Administrators' },
    summary: 'List who has which role',
    description: 'The roles that keys name themselves are not among them.',
    scope: 'roles:read',
    query: z.strictObject({ ...pageQuery, ...filterQuery(ROLE_BINDING_FILTERS) }),
    replies: {
      200: pageReply('A page of bindings.', listOf('RoleBindingList', roleBindingSchema)),
    },
    problems: ['invalid-cursor'],
    example: { reply: { items: [binding], page, meta } },
  },
  createRoleBinding: {
    ...{ method: 'post', path: '/api/v1/role-bindings', tag: 'Administrators' },
    summary: 'Give a role to a subject or group of tokens, or to a key',
    description: 'A role of which the caller has every scope.',
    scope: 'roles:write',
    query: none,
    body: roleBindingCreateSchema,
    replies: {
      201: {
        description: 'Made.',
        schema: roleBindingSchema,
        headers: { ...etag, Location: 'The path of the binding.' },
      },
    },
    problems: granted,
    example: { body: bindingBody, reply: binding },
  },
  getRoleBinding: {
    ...{ method: 'get', path: '/api/v1/role-bindings/{binding_id}', tag: 'Administrators' },
    summary: 'Show a role binding',
    scope: 'roles:read',
    pathParameters: bindingPath,
    query: none,
    headers: known,
    replies: {
      200: { description: 'The binding.', schema: roleBindingSchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: ['not-found'],
    example: { path: { binding_id: binding.id }, reply: binding },
  },
  replaceRoleBinding: {
    ...{ method: 'put', path: '/api/v1/role-bindings/{binding_id}', tag: 'Administrators' },
    summary: 'Replace a role binding',
    scope: 'roles:write',
    pathParameters: bindingPath,
    query: none,
    body: roleBindingReplaceSchema,
    headers: ifMatch,
    replies: { 200: { description: 'Replaced.', schema: roleBindingSchema, headers: etag } },
    problems: [...changed, ...granted],
    example: { path: { binding_id: binding.id }, body: bindingBody, reply: binding },
  },
  deleteRoleBinding: {
    ...{ method: 'delete', path: '/api/v1/role-bindings/{binding_id}', tag: 'Administrators' },
    summary: 'Take a role away',
    description: 'Not from the last admin (409).',
    scope: 'roles:write',
    pathParameters: bindingPath,
    query: none,
    headers: ifMatch,
    replies: { 204: { description: 'Deleted.' } },
    problems: [...changed, 'overloaded'],
    example: { path: { binding_id: binding.id } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
