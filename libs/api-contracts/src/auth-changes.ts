import { z } from 'zod';
import { authBackendSchema, authChainSchema, type AuthBackendView } from './auth.ts';
import type { Operation } from './operation.ts';
import { flagSchema, named } from './schema.ts';

const BACKENDS_MAX = 32;
const NAME_MAX = 256;

const backendId = z
  .string()
  .max(64)
  .regex(/^(?!order$)[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$/)
  .describe(
    '1 to 64 small letters, digits, hyphens and underscores, with a letter or a digit at both ends; not `order`.',
  );

const ids = z.array(z.string().min(1).max(NAME_MAX)).min(1).max(BACKENDS_MAX);

const file = z
  .string()
  .min(1)
  .max(4096)
  .exactOptional()
  .describe('A file of the nodes, within `auth.rest.secretsDir` of their configuration.');

const reference = named(
  'AuthSecretReference',
  z
    .union([
      z.strictObject({ file: z.string().min(1).max(4096) }),
      z.strictObject({ env: z.string().min(1).max(256) }),
    ])
    .describe(
      'A file within `auth.rest.secretsDir`, or a variable that begins with `auth.rest.envPrefix`: nodes read it. A secret itself is never taken.',
    ),
);

const url = z
  .string()
  .min(1)
  .max(2048)
  .describe('https:, without user, password, query and fragment: what is secret is no part of it.');

const name = z.string().min(1).max(1024).exactOptional();
const claim = z.string().min(1).max(256).exactOptional();
const whole = (min: number, max: number) => z.int().min(min).max(max).exactOptional();

const jwtSettings = z
  .strictObject({
    secret: reference.exactOptional(),
    key_file: file,
    jwks_file: file,
    jwks_url: url.exactOptional(),
    algorithms: z.array(z.string().min(1).max(16)).min(1).max(16).exactOptional(),
    issuer: name,
    audience: name,
    leeway_seconds: whole(0, 600),
    user_claim: claim,
    client_id_claim: claim,
    groups_claim: claim,
    acl_claim: claim,
    refresh_ms: whole(1_000, 86_400_000),
    timeout_ms: whole(100, 60_000),
  })
  .describe('Exactly one of `secret`, `key_file`, `jwks_file` and `jwks_url`.');

const certificateSettings = z.strictObject({
  name: z.enum(['common_name', 'dns', 'uri', 'email']).exactOptional(),
});

const webhookSettings = z.strictObject({
  url,
  headers: z.record(z.string().min(1).max(256), reference).exactOptional(),
  allow_private: z
    .boolean()
    .exactOptional()
    .describe('Needs `auth.rest.allowPrivate` in the configuration of the nodes.'),
  ca_file: file,
  timeout_ms: whole(100, 60_000),
  cache_ms: whole(0, 86_400_000),
  concurrency: whole(1, 1_024),
  failures_max: whole(1, 1_000),
  rest_ms: whole(100, 600_000),
});

const jwt = { kind: z.literal('jwt'), settings: jwtSettings };
const certificate = { kind: z.literal('certificate'), settings: certificateSettings };
const webhook = { kind: z.literal('webhook'), settings: webhookSettings };

/** One that is to be asked who a client is. */
export const authBackendCreateSchema = named(
  'AuthBackendCreate',
  z.discriminatedUnion('kind', [
    named('JwtBackendCreate', z.strictObject({ id: backendId, ...jwt })),
    named('CertificateBackendCreate', z.strictObject({ id: backendId, ...certificate })),
    named('WebhookBackendCreate', z.strictObject({ id: backendId, ...webhook })),
  ]),
);

/** One that is to be asked who a client is. */
export type AuthBackendCreate = z.output<typeof authBackendCreateSchema>;

/** A backend as it is to be from now on. */
export const authBackendReplaceSchema = named(
  'AuthBackendReplace',
  z.discriminatedUnion('kind', [
    named('JwtBackendReplace', z.strictObject({ id: backendId.exactOptional(), ...jwt })),
    named(
      'CertificateBackendReplace',
      z.strictObject({ id: backendId.exactOptional(), ...certificate }),
    ),
    named('WebhookBackendReplace', z.strictObject({ id: backendId.exactOptional(), ...webhook })),
  ]),
);

/** What is to become of the settings of a backend. */
export const authBackendPatchSchema = named(
  'AuthBackendPatch',
  z.strictObject({
    settings: z
      .record(z.string().min(1).max(64), z.unknown())
      .describe('Fields as of AuthBackendCreate; null gives one its default.'),
  }),
);

/** Who is asked who a client is, as definitions have it. */
export const authDefinitionSchema = named(
  'AuthDefinition',
  z.strictObject({
    backends: z.array(authBackendCreateSchema).max(BACKENDS_MAX),
    order: z
      .array(z.string().min(1).max(NAME_MAX))
      .max(BACKENDS_MAX)
      .describe('The ids of all that are asked, those of the configuration too.'),
    chains: z
      .record(z.string().min(1).max(NAME_MAX), ids)
      .describe('The chains that listeners have of their own, by their names.'),
  }),
);

/** Who is asked who a client is, as definitions have it. */
export type AuthDefinition = z.output<typeof authDefinitionSchema>;

const chainReplaceSchema = named(
  'AuthChainReplace',
  z.strictObject({
    backends: ids
      .nullable()
      .describe('Who is asked here, in this order; null: all there are, in their order.'),
  }),
);

const orderSchema = named('AuthBackendOrder', z.strictObject({ ids }));

const previewSchema = named(
  'AuthChainsPreview',
  z.object({ chains: z.array(authChainSchema).max(100) }),
);

const backendPath = z.strictObject({ backend_id: z.string().min(1).max(NAME_MAX) });
const chainPath = z.strictObject({ listener: z.string().min(1).max(NAME_MAX) });
const dryRun = z.strictObject({
  dry_run: flagSchema
    .optional()
    .describe('Changes nothing: every node says whether it could, the reply how it would be.'),
});
const etag = { ETag: 'The revision of all that was set of who is asked; send it as If-Match.' };
const ifMatch = { 'If-Match': 'The ETag last read of a chain or a backend. Required.' };
const exampleBackend: AuthBackendView = {
  ...{ id: 'tenant-a', kind: 'jwt', source: 'api' },
  settings: { jwks_url: 'https://login.example.com/keys', issuer: 'https://login.example.com/' },
};
const { source: _, ...exampleWanted } = exampleBackend;
const exampleChain = {
  ...{ listener: 'tls', backends: ['tenant-a', 'stored'], anonymous: false, own: true },
};
const unavailable = ['node-unavailable', 'storage-unavailable'] as const;
const matched = ['precondition-failed', 'precondition-required', ...unavailable] as const;
const refused = ['conflict', 'unprocessable'] as const;

/** Operations that change who is asked who a client is. */
export const AUTH_CHANGE_OPERATIONS = {
  replaceAuthChain: {
    method: 'put',
    path: '/api/v1/auth/chains/{listener}',
    tag: 'Access',
    summary: 'Set who is asked at a listener, and in which order',
    description:
      'On every node within two seconds; clients that are connected stay. Refused when a node could not ask one of them, and when nobody could connect: without backends, and with certificates alone where the listener takes none.',
    scope: 'auth:write',
    pathParameters: chainPath,
    query: dryRun,
    body: chainReplaceSchema,
    headers: ifMatch,
    replies: { 200: { description: 'The chain.', schema: authChainSchema, headers: etag } },
    problems: ['not-found', ...refused, ...matched],
    example: {
      path: { listener: 'tls' },
      body: { backends: exampleChain.backends },
      reply: exampleChain,
    },
  },
  createAuthBackend: {
    method: 'post',
    path: '/api/v1/auth/backends',
    tag: 'Access',
    summary: 'Have another one asked who a client is',
    description:
      'Behind the others, at every listener that has no chain of its own. Refused when a node cannot make it, for example since it lacks the secret. Users are no backend to make: those of the store are asked where the configuration says so.',
    scope: 'auth:write',
    query: dryRun,
    body: authBackendCreateSchema,
    replies: {
      201: {
        description: 'Made.',
        schema: authBackendSchema,
        headers: { ...etag, Location: 'The path of the backend.' },
      },
      200: { description: 'With `dry_run`: how it would be.', schema: authBackendSchema },
    },
    problems: ['already-exists', 'limit-reached', ...refused, ...unavailable],
    example: { body: exampleWanted, reply: exampleBackend },
  },
  orderAuthBackends: {
    method: 'put',
    path: '/api/v1/auth/backends/order',
    tag: 'Access',
    summary: 'Put those who are asked into another order',
    description:
      'All of them, those of the configuration too. Chains that a listener has of its own stay as they are.',
    scope: 'auth:write',
    query: dryRun,
    body: orderSchema,
    headers: ifMatch,
    replies: { 200: { description: 'Ordered.', schema: orderSchema, headers: etag } },
    problems: [...refused, ...matched],
    example: { body: { ids: ['tenant-a', 'stored'] }, reply: { ids: ['tenant-a', 'stored'] } },
  },
  replaceAuthBackend: {
    method: 'put',
    path: '/api/v1/auth/backends/{backend_id}',
    tag: 'Access',
    summary: 'Replace one of those who are asked, or make it with If-None-Match: *',
    description: 'In its place. Those of the configuration cannot be changed here.',
    scope: 'auth:write',
    pathParameters: backendPath,
    query: dryRun,
    body: authBackendReplaceSchema,
    headers: { ...ifMatch, 'If-None-Match': '`*` to create only.' },
    replies: {
      200: { description: 'Replaced.', schema: authBackendSchema, headers: etag },
      201: { description: 'Made.', schema: authBackendSchema, headers: etag },
    },
    problems: ['not-found', 'limit-reached', ...refused, ...matched],
    example: {
      path: { backend_id: exampleBackend.id },
      body: { kind: exampleWanted.kind, settings: exampleWanted.settings },
      reply: exampleBackend,
    },
  },
  patchAuthBackend: {
    method: 'patch',
    path: '/api/v1/auth/backends/{backend_id}',
    tag: 'Access',
    summary: 'Change settings of one of those who are asked',
    description: 'A JSON Merge Patch (RFC 7396); null gives a field its default.',
    scope: 'auth:write',
    pathParameters: backendPath,
    query: dryRun,
    body: authBackendPatchSchema,
    bodyType: 'application/merge-patch+json',
    headers: ifMatch,
    replies: { 200: { description: 'Changed.', schema: authBackendSchema, headers: etag } },
    problems: ['not-found', ...refused, ...matched],
    example: {
      path: { backend_id: exampleBackend.id },
      body: { settings: { leeway_seconds: null } },
      reply: exampleBackend,
    },
  },
  deleteAuthBackend: {
    method: 'delete',
    path: '/api/v1/auth/backends/{backend_id}',
    tag: 'Access',
    summary: 'Have one of them asked no longer',
    description:
      'It goes from the chains of listeners too; refused where one would ask nobody then.',
    scope: 'auth:write',
    pathParameters: backendPath,
    query: dryRun,
    headers: ifMatch,
    replies: {
      204: { description: 'Deleted, on every node within two seconds.' },
      200: {
        description: 'With `dry_run`: who would be asked then.',
        schema: previewSchema,
      },
    },
    problems: ['not-found', ...refused, ...matched],
    example: {
      path: { backend_id: exampleBackend.id },
      query: { dry_run: 'true' },
      reply: { chains: [{ ...exampleChain, backends: ['stored'] }] },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
