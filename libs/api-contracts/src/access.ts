import { z } from 'zod';
import type { Operation } from './operation.ts';
import { MQTT_TEXT_MAX, named } from './schema.ts';

/** Most general rules that are set over REST. */
export const ACL_RULES_MAX = 1_000;
const CHECKS_MAX = 100;
const TEXT_MAX = 256;

const names = z.array(z.string().min(1).max(TEXT_MAX)).min(1).max(ACL_RULES_MAX);
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

/** Whether somebody may do something, and what says so. */
export const aclSimulationResultSchema = named(
  'AclVerdict',
  z.object({
    allowed: z.boolean(),
    rule: placeSchema.nullable().describe('Null: the default has decided.'),
    except: placeSchema
      .nullable()
      .describe('Denies some topics of a filter that is allowed: these are not delivered.'),
  }),
);

/** What somebody may do, and which rules say so. */
export const aclSimulationSchema = named(
  'AclSimulation',
  z.object({
    results: z.array(aclSimulationResultSchema),
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
const unavailable = ['node-unavailable', 'storage-unavailable'] as const;

/** Operations on who may do what. */
export const ACCESS_OPERATIONS = {
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
