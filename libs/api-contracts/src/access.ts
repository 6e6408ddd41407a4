import { z } from 'zod';
import type { Operation } from './operation.ts';
import { MQTT_TEXT_MAX, named } from './schema.ts';

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

const example: AclRuleView = {
  id: 'own-topics',
  effect: 'allow',
  who: { groups: ['sensors'] },
  actions: ['publish'],
  topics: ['plant/${clientid}/#'],
};
const etag = { ETag: 'The revision of the rules; send it as If-Match.' };
const unavailable = ['node-unavailable', 'storage-unavailable'] as const;

/** Operations on who may do what. */
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
} as const satisfies Readonly<Record<string, Operation>>;
