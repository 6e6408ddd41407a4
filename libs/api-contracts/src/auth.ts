import { z } from 'zod';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { MQTT_TEXT_MAX, countSchema, named, timestampSchema } from './schema.ts';

const NAME_MAX = 256;
const text = z.string().max(MQTT_TEXT_MAX);

/** One of those who are asked who a client is. */
export const authBackendSchema = named(
  'AuthBackend',
  z.object({
    id: z
      .string()
      .describe(
        'Of one of the configuration: its kind, with a number if there are several of the kind.',
      ),
    kind: z.enum(['users', 'stored', 'jwt', 'certificate', 'webhook']),
    source: z
      .enum(['config', 'api'])
      .describe('`config`: it stands in `auth.chain` of the configuration. `api`: made here.'),
    settings: z
      .record(z.string(), z.unknown())
      .describe('Secrets are not among them: only where they are kept.'),
  }),
);

/** One of those who are asked who a client is. */
export type AuthBackendView = z.output<typeof authBackendSchema>;

/** Who is asked at a listener. */
export const authChainSchema = named(
  'AuthChain',
  z.object({
    listener: z.string(),
    backends: z
      .array(z.string())
      .describe('In their order: the first that knows the client decides.'),
    anonymous: z.boolean().describe('Whether a client may connect that shows nothing of itself.'),
    own: z
      .boolean()
      .describe('Whether that was set for the listener; else all are asked, in their order.'),
  }),
);

/** Who is asked at a listener. */
export type AuthChainView = z.output<typeof authChainSchema>;

/** What a client would show. */
export const authTestRequestSchema = named(
  'AuthTestRequest',
  z
    .strictObject({
      client_id: text.min(1),
      username: text.optional(),
      password: text.optional().describe('A password, or a token.'),
      password_base64: z
        .base64()
        .max(2 * MQTT_TEXT_MAX)
        .optional()
        .describe('The same where it is no text.'),
      address: z.string().max(NAME_MAX).default('').describe('Where the client would be.'),
      listener: z.string().max(NAME_MAX).default('').describe('Where it would connect.'),
      certificate_name: text
        .min(1)
        .optional()
        .describe('The common name of a certificate that the listener has found valid.'),
    })
    .refine(
      ({ password, password_base64 }) => password === undefined || password_base64 === undefined,
      { error: 'goes without password', path: ['password_base64'] },
    ),
);

/** What a backend says to a login. */
export const authTestSchema = named(
  'AuthTest',
  z.object({
    decision: z
      .enum(['allowed', 'denied', 'not_mine', 'busy', 'failed', 'silent'])
      .describe(
        '`not_mine`: the next backend would be asked. `busy`, `failed` and `silent`: the client would be refused, and told to try again.',
      ),
    latency_ms: z.number().min(0),
    detail: z.string().optional().describe('Why; clients are not told.'),
    user: z.string().nullable().optional().describe('The name from here on.'),
    groups: z.array(z.string()).optional(),
    rule_count: countSchema.optional().describe('Rules that come with the login.'),
    expires_at: timestampSchema.nullable().optional().describe('When the connection would end.'),
  }),
);

/** What a backend says to a login. */
export type AuthTest = z.output<typeof authTestSchema>;

const backendPath = z.strictObject({ backend_id: z.string().min(1).max(NAME_MAX) });
const chainPath = z.strictObject({ listener: z.string().min(1).max(NAME_MAX) });
const exampleBackend: AuthBackendView = {
  ...{ id: 'stored', kind: 'stored', source: 'config' },
  settings: { cache_bytes: 16_777_216 },
};
const exampleChain: AuthChainView = {
  ...{ listener: 'tls', backends: ['stored'], anonymous: false, own: false },
};
const etag = { ETag: 'The revision of all that was set of who is asked; send it as If-Match.' };
const known = { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' };
const page = {
  page: { has_more: false, limit: 100 },
  meta: { partial: false, unavailable_nodes: [] },
};
const unavailable = ['node-unavailable', 'storage-unavailable'] as const;

/** Operations on who is asked who a client is. */
export const AUTH_OPERATIONS = {
  listAuthChains: {
    method: 'get',
    path: '/api/v1/auth/chains',
    tag: 'Access',
    summary: 'Show who is asked at each listener',
    description:
      'As the node that answers has it in its configuration, with what was set here. Listeners that have no chain of their own ask all there are.',
    scope: 'auth:read',
    query: z.strictObject({ ...pageQuery }),
    replies: { 200: pageReply('The chains.', listOf('AuthChainList', authChainSchema)) },
    problems: ['invalid-cursor', ...unavailable],
    example: { reply: { items: [exampleChain], ...page } },
  },
  getAuthChain: {
    method: 'get',
    path: '/api/v1/auth/chains/{listener}',
    tag: 'Access',
    summary: 'Show who is asked at a listener',
    scope: 'auth:read',
    pathParameters: chainPath,
    query: z.strictObject({}),
    headers: known,
    replies: {
      200: { description: 'The chain.', schema: authChainSchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: ['not-found', ...unavailable],
    example: { path: { listener: 'tls' }, reply: exampleChain },
  },
  listAuthBackends: {
    method: 'get',
    path: '/api/v1/auth/backends',
    tag: 'Access',
    summary: 'List those who are asked who a client is',
    description: 'In the order in which they are asked, as the node that answers has it.',
    scope: 'auth:read',
    query: z.strictObject({ ...pageQuery }),
    replies: { 200: pageReply('The backends.', listOf('AuthBackendList', authBackendSchema)) },
    problems: ['invalid-cursor', ...unavailable],
    example: { reply: { items: [exampleBackend], ...page } },
  },
  getAuthBackend: {
    method: 'get',
    path: '/api/v1/auth/backends/{backend_id}',
    tag: 'Access',
    summary: 'Show one of those who are asked who a client is',
    scope: 'auth:read',
    pathParameters: backendPath,
    query: z.strictObject({}),
    headers: known,
    replies: {
      200: { description: 'The backend.', schema: authBackendSchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: ['not-found', ...unavailable],
    example: { path: { backend_id: 'stored' }, reply: exampleBackend },
  },
  testAuthBackend: {
    method: 'post',
    path: '/api/v1/auth/backends/{backend_id}/test',
    tag: 'Access',
    summary: 'Ask a backend what it says to a login',
    description:
      'Asked on one node as a client would be, with nothing connected and nothing stored. What the node remembers of logins it may use, and add to, as ever.',
    scope: 'auth:execute',
    pathParameters: backendPath,
    query: z.strictObject({}),
    body: authTestRequestSchema,
    replies: { 200: { description: 'What it says.', schema: authTestSchema } },
    problems: ['not-found', 'overloaded', ...unavailable],
    example: {
      path: { backend_id: 'stored' },
      body: { client_id: 'sensor-7', username: 'sensor-7', password: 'tide table' },
      reply: {
        ...{ decision: 'allowed', latency_ms: 41.2, user: 'sensor-7', groups: ['sensors'] },
        ...{ rule_count: 1, expires_at: null },
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
