import { z } from 'zod';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { MQTT_TEXT_MAX, named, timestampSchema } from './schema.ts';

const RULES_MAX = 1_000;
const CHECKS_MAX = 100;
const TEXT_MAX = 256;

const names = z.array(z.string().min(1).max(TEXT_MAX)).min(1).max(RULES_MAX);
const text = z.string().min(1).max(MQTT_TEXT_MAX);
const qos = z.literal([0, 1, 2]);

/** A rule of who may do what. */
export const aclRuleSchema = named(
  'AclRule',
  z.strictObject({
    id: z.string().min(1).max(TEXT_MAX).optional().describe('Shown where a rule is named.'),
    effect: z.enum(['allow', 'deny']),
    who: z
      .strictObject({
        users: names.optional(),
        client_ids: names.optional(),
        groups: names.optional().describe('One of them is enough.'),
        addresses: names.optional().describe('Addresses and networks such as 10.0.0.0/8.'),
      })
      .optional()
      .describe('Each list that is there has to name the client. Absent: everybody.'),
    actions: z
      .array(z.enum(['publish', 'subscribe']))
      .min(1)
      .max(2)
      .default(['publish', 'subscribe']),
    topics: z
      .array(z.string().min(1).max(1_024))
      .min(1)
      .max(100)
      .describe('Topic filters with `${clientid}`, `${username}` and `${cert.cn}`.'),
    qos: z.array(qos).min(1).max(3).optional(),
    retain: z.boolean().optional().describe('Only for rules with `actions: [publish]`.'),
  }),
);

/** A rule of one user: it is for nobody else. */
export const userAclRuleSchema = named('UserAclRule', aclRuleSchema.omit({ who: true }));

/** A rule of who may do what. */
export type AclRuleView = z.output<typeof aclRuleSchema>;

/** The general rules. */
export const aclRulesSchema = named(
  'AclRules',
  z.object({
    configured_rules: z
      .array(aclRuleSchema)
      .describe('Those of the configuration of the node that answers. They come first.'),
    rules: z.array(aclRuleSchema).describe('Those that were set here, in their order.'),
    default: z.enum(['allow', 'deny']).describe('What counts where no rule fits.'),
  }),
);

/** The general rules. */
export type AclRulesView = z.output<typeof aclRulesSchema>;

/** New general rules. */
export const aclRulesReplaceSchema = named(
  'AclRulesReplace',
  z.strictObject({ rules: z.array(aclRuleSchema).max(RULES_MAX) }),
);

const checkSchema = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('publish'),
    topic: text,
    qos: qos.default(0),
    retain: z.boolean().default(false),
  }),
  z.strictObject({
    action: z.literal('subscribe'),
    topic_filter: text,
    qos: qos.default(0),
  }),
  z.strictObject({ action: z.literal('receive'), topic: text, qos: qos.default(0) }),
]);

/** Who wants to do what. */
export const aclSimulationRequestSchema = named(
  'AclSimulationRequest',
  z.strictObject({
    client_id: text,
    username: text.optional(),
    groups: z
      .array(z.string().max(TEXT_MAX))
      .max(100)
      .default([])
      .describe('Besides those of the user.'),
    address: z
      .string()
      .max(TEXT_MAX)
      .default('')
      .describe('The address that the client connects from.'),
    certificate_name: z
      .string()
      .min(1)
      .max(TEXT_MAX)
      .optional()
      .describe('The common name, `${cert.cn}`.'),
    checks: z.array(checkSchema).min(1).max(CHECKS_MAX),
  }),
);

const placeSchema = z.object({
  source: z.enum(['user', 'config', 'api']).describe('Of the user, or one of the general ones.'),
  index: z.int().describe('Its place in that list, from 0.'),
  rule: aclRuleSchema,
});

/** What somebody may do, and which rules say so. */
export const aclSimulationSchema = named(
  'AclSimulation',
  z.object({
    results: z.array(
      z.object({
        allowed: z.boolean(),
        rule: placeSchema.nullable().describe('Null: the default has decided.'),
        except: placeSchema
          .nullable()
          .describe('Denies some topics of a filter that is allowed: these are not delivered.'),
      }),
    ),
  }),
);

/** What somebody may do, and which rules say so. */
export type AclSimulation = z.output<typeof aclSimulationSchema>;

const banKind = z.enum(['client_id', 'username', 'ip', 'cidr']);

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
  z.strictObject({
    kind: banKind,
    value: text,
    reason: z.string().max(TEXT_MAX).default(''),
    until: timestampSchema.optional().describe('When it ends. Absent: it does not.'),
  }),
);

const banPath = z.strictObject({ ban_id: z.string().min(1) });

const example: AclRuleView = {
  id: 'own-topics',
  effect: 'allow',
  who: { groups: ['sensors'] },
  actions: ['publish'],
  topics: ['plant/${clientid}/#'],
};
const exampleBan: BanView = {
  id: 'address:192.0.2.0/24',
  kind: 'cidr',
  value: '192.0.2.0/24',
  reason: 'scans',
  by: 'admin',
  created_at: '2026-01-02T03:04:05.678Z',
  until: null,
};
const etag = { ETag: 'The revision of the rules; send it as If-Match.' };
const unavailable = ['node-unavailable', 'storage-unavailable'] as const;

/** Operations on who may do what, and who may not connect. */
export const ACCESS_OPERATIONS = {
  listAclRules: {
    method: 'get',
    path: '/api/v1/acl-rules',
    tag: 'Access',
    summary: 'Show the general rules',
    description:
      'The first rule that fits decides: those of the user or of its token, then those of the configuration, then those set here, then the default.',
    scope: 'acl:read',
    query: z.strictObject({}),
    headers: { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' },
    replies: {
      200: { description: 'The rules.', schema: aclRulesSchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: unavailable,
    example: { reply: { configured_rules: [], rules: [example], default: 'deny' } },
  },
  replaceAclRules: {
    method: 'put',
    path: '/api/v1/acl-rules',
    tag: 'Access',
    summary: 'Replace the general rules',
    description:
      'All that were set here; those of the configuration stay. In force on every node within two seconds: subscriptions that are not allowed any more end.',
    scope: 'acl:write',
    query: z.strictObject({}),
    body: aclRulesReplaceSchema,
    headers: { 'If-Match': 'The ETag last read. Required.' },
    replies: { 200: { description: 'Replaced.', schema: aclRulesSchema, headers: etag } },
    problems: ['precondition-failed', 'precondition-required', 'unprocessable', ...unavailable],
    example: {
      body: { rules: [example] },
      reply: { configured_rules: [], rules: [example], default: 'deny' },
    },
  },
  simulateAcl: {
    method: 'post',
    path: '/api/v1/acl-simulations',
    tag: 'Access',
    summary: 'Ask what somebody may do',
    description:
      'Decided by the function that decides for clients, on a node of the cluster, and which rule says so. Topics as the broker names them: after rewrite rules and mountpoints. Rules and groups of a user are those that are stored or configured; of those in a token, groups may be given.',
    scope: 'acl:read',
    query: z.strictObject({}),
    body: aclSimulationRequestSchema,
    replies: { 200: { description: 'The verdicts, in order.', schema: aclSimulationSchema } },
    problems: unavailable,
    example: {
      body: {
        client_id: 'press-7',
        groups: ['sensors'],
        checks: [{ action: 'publish', topic: 'plant/press-7/heat' }],
      },
      reply: {
        results: [
          { allowed: true, rule: { source: 'api', index: 0, rule: example }, except: null },
        ],
      },
    },
  },
  listBans: {
    method: 'get',
    path: '/api/v1/bans',
    tag: 'Access',
    summary: 'List bans',
    scope: 'bans:read',
    query: z.strictObject({ ...pageQuery }),
    replies: { 200: pageReply('A page of bans.', listOf('BanList', banSchema)) },
    problems: ['invalid-cursor', ...unavailable],
    example: {
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
        headers: { Location: 'The path of the ban.' },
      },
    },
    problems: ['already-exists', 'limit-reached', 'unprocessable', ...unavailable],
    example: { body: { kind: 'cidr', value: '192.0.2.0/24', reason: 'scans' }, reply: exampleBan },
  },
  getBan: {
    method: 'get',
    path: '/api/v1/bans/{ban_id}',
    tag: 'Access',
    summary: 'Show a ban',
    scope: 'bans:read',
    pathParameters: banPath,
    query: z.strictObject({}),
    replies: { 200: { description: 'The ban.', schema: banSchema } },
    problems: ['not-found', ...unavailable],
    example: { path: { ban_id: 'address:192.0.2.0/24' }, reply: exampleBan },
  },
  deleteBan: {
    method: 'delete',
    path: '/api/v1/bans/{ban_id}',
    tag: 'Access',
    summary: 'Lift a ban',
    scope: 'bans:write',
    pathParameters: banPath,
    query: z.strictObject({}),
    replies: { 204: { description: 'Lifted, on every node within two seconds.' } },
    problems: ['not-found', ...unavailable],
    example: { path: { ban_id: 'address:192.0.2.0/24' } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
