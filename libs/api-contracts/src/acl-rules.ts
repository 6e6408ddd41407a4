import { z } from 'zod';
import { ACL_RULES_MAX, aclRuleSchema } from './access.ts';
import { atomicQuery, bulkOf, bulkResultsSchema, dryRunQuery } from './bulk.ts';
import { choiceField, filterQuery, textField } from './filters.ts';
import type { Operation } from './operation.ts';
import { metaSchema, pageQuery, pageReply, pageSchema } from './page.ts';
import { named } from './schema.ts';

const TEXT_MAX = 256;

const ruleId = z
  .string()
  .min(1)
  .max(TEXT_MAX + 16);

/** A general rule. */
export const listedAclRuleSchema = named(
  'ListedAclRule',
  aclRuleSchema.extend({
    id: ruleId.describe('Those of the configuration begin with `config:`.'),
    source: z
      .enum(['config', 'api'])
      .describe('`config`: of the configuration of the node that answers; it cannot be changed.'),
  }),
);

/** A general rule. */
export type ListedAclRule = z.output<typeof listedAclRuleSchema>;

/** A page of rules, and who has seen them. */
export const aclRuleListSchema = named(
  'AclRuleList',
  z.object({
    items: z.array(listedAclRuleSchema).describe('In the order in which they are asked.'),
    page: pageSchema,
    meta: metaSchema,
    default_effect: z.enum(['allow', 'deny']).describe('What counts where no rule fits.'),
  }),
);

/** Some of the general rules. */
export type AclRuleList = z.output<typeof aclRuleListSchema>;

/** What may be asked of general rules. Of several values of a rule, one has to fit. */
export const ACL_RULE_FILTERS = {
  principal: choiceField(
    ['user', 'client', 'group', 'address', 'all'],
    ['eq'],
    'Whom it names: `all` names nobody, and is for everybody.',
  ),
  user: textField(['eq', 'like'], 'A user that it names.'),
  client_id: textField(['eq', 'like'], 'A client id that it names.'),
  group: textField(['eq', 'like'], 'A group that it names.'),
  action: choiceField(['publish', 'subscribe'], ['eq'], 'What it is about.'),
  effect: choiceField(['allow', 'deny'], ['eq'], 'What it says.'),
  topic: textField(['eq', 'like'], 'A topic filter of it, as it is written.'),
  source: choiceField(['config', 'api'], ['eq'], 'Where it is from.'),
} as const;

/** One item of a bulk change of general rules. */
export const aclRuleWishSchema = z.union([
  z.strictObject({ op: z.literal('delete'), id: ruleId }),
  aclRuleSchema.extend({ op: z.literal('replace'), id: ruleId }),
  aclRuleSchema.extend({ op: z.literal('create').default('create') }),
]);

const orderSchema = named(
  'AclRuleOrder',
  z.strictObject({
    ids: z.array(ruleId).max(ACL_RULES_MAX).describe('Those of all rules that were set here.'),
  }),
);

const example: ListedAclRule = {
  id: 'own-topics',
  effect: 'allow',
  who: { groups: ['sensors'] },
  actions: ['publish'],
  topics: ['plant/${clientid}/#'],
  source: 'api',
};
const wanted = {
  ...{ id: example.id, effect: example.effect, who: example.who },
  ...{ actions: example.actions, topics: example.topics },
};
const listExample = {
  items: [example],
  page: { has_more: false, limit: 100 },
  meta: { partial: false, unavailable_nodes: [] },
  default_effect: 'deny',
} as const;
const rulePath = z.strictObject({ rule_id: ruleId });
const path = { rule_id: example.id };
const etag = { ETag: 'What the rule says; send it as If-Match.' };
const listEtag = { ETag: 'The revision of all that were set here; send it as If-Match.' };
const ifMatch = { 'If-Match': 'The ETag last read. Required.' };
const known = { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' };
const unavailable = ['node-unavailable', 'storage-unavailable'] as const;
const changeProblems = ['precondition-failed', 'precondition-required', 'not-found'] as const;

/** Operations on the general rules of who may do what. */
export const ACL_RULE_OPERATIONS = {
  listAclRules: {
    method: 'get',
    path: '/api/v1/acl-rules',
    tag: 'Access',
    summary: 'List the general rules',
    description:
      'The first rule that fits decides: those of the user or of its token, then those of the configuration, then those set here, then the default.',
    scope: 'acl:read',
    query: z.strictObject({ ...pageQuery, ...filterQuery(ACL_RULE_FILTERS) }),
    headers: known,
    replies: {
      200: {
        ...pageReply('A page of rules.', aclRuleListSchema),
        headers: { ...listEtag, Link: 'The next page, `rel="next"`.' },
      },
      304: { description: 'Not changed.', headers: listEtag },
    },
    problems: ['invalid-cursor', ...unavailable],
    example: { query: { principal: 'group' }, reply: listExample },
  },
  createAclRule: {
    method: 'post',
    path: '/api/v1/acl-rules',
    tag: 'Access',
    summary: 'Add a general rule behind the others',
    description:
      'In force on every node within two seconds: subscriptions that are not allowed any more end.',
    scope: 'acl:write',
    query: z.strictObject({}),
    body: aclRuleSchema,
    replies: {
      201: {
        description: 'Created.',
        schema: listedAclRuleSchema,
        headers: { ...etag, Location: 'The path of the rule.' },
      },
    },
    problems: ['already-exists', 'limit-reached', 'conflict', 'unprocessable', ...unavailable],
    example: { body: wanted, reply: example },
  },
  orderAclRules: {
    method: 'put',
    path: '/api/v1/acl-rules/order',
    tag: 'Access',
    summary: 'Put the general rules into another order',
    scope: 'acl:write',
    query: z.strictObject({}),
    body: orderSchema,
    headers: { 'If-Match': 'The ETag of the list. Required.' },
    replies: { 200: { description: 'Ordered.', schema: orderSchema, headers: listEtag } },
    problems: ['precondition-failed', 'precondition-required', 'unprocessable', ...unavailable],
    example: { body: { ids: [example.id] }, reply: { ids: [example.id] } },
  },
  changeAclRules: {
    method: 'post',
    path: '/api/v1/acl-rules/bulk',
    tag: 'Access',
    summary: 'Create, replace and delete many general rules',
    description:
      'All that can be done is in force at once, as one change. With `atomic=true`, deleting all and creating others replaces the whole list.',
    scope: 'acl:write',
    query: z.strictObject({ ...dryRunQuery, ...atomicQuery }),
    body: bulkOf(
      'AclRuleChanges',
      'an AclRule to create, one with `"op": "replace"` and its id, or `{"op": "delete", "id": …}`',
    ),
    replies: { 200: { description: 'What came of each.', schema: bulkResultsSchema } },
    problems: ['conflict', ...unavailable],
    example: {
      body: [wanted, { op: 'delete', id: 'no-secrets' }],
      reply: {
        items: [
          { index: 0, status: 201, id: example.id },
          {
            ...{ index: 1, status: 404, id: 'no-secrets' },
            problem: { code: 'not-found', detail: 'There is no rule with this id' },
          },
        ],
      },
    },
  },
  getAclRule: {
    method: 'get',
    path: '/api/v1/acl-rules/{rule_id}',
    tag: 'Access',
    summary: 'Show a general rule',
    scope: 'acl:read',
    pathParameters: rulePath,
    query: z.strictObject({}),
    headers: known,
    replies: {
      200: { description: 'The rule.', schema: listedAclRuleSchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: ['not-found', ...unavailable],
    example: { path, reply: example },
  },
  replaceAclRule: {
    method: 'put',
    path: '/api/v1/acl-rules/{rule_id}',
    tag: 'Access',
    summary: 'Replace a general rule in its place, or create it with If-None-Match: *',
    scope: 'acl:write',
    pathParameters: rulePath,
    query: z.strictObject({}),
    body: aclRuleSchema,
    headers: { ...ifMatch, 'If-None-Match': '`*` to create only.' },
    replies: {
      200: { description: 'Replaced.', schema: listedAclRuleSchema, headers: etag },
      201: { description: 'Created.', schema: listedAclRuleSchema, headers: etag },
    },
    problems: [...changeProblems, 'conflict', 'limit-reached', 'unprocessable', ...unavailable],
    example: { path, body: wanted, reply: example },
  },
  deleteAclRule: {
    method: 'delete',
    path: '/api/v1/acl-rules/{rule_id}',
    tag: 'Access',
    summary: 'Delete a general rule',
    scope: 'acl:write',
    pathParameters: rulePath,
    query: z.strictObject({}),
    headers: ifMatch,
    replies: { 204: { description: 'Deleted, on every node within two seconds.' } },
    problems: [...changeProblems, 'conflict', ...unavailable],
    example: { path },
  },
} as const satisfies Readonly<Record<string, Operation>>;
