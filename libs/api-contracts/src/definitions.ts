import { z } from 'zod';
import { aclRuleSchema, userAclRuleSchema } from './access.ts';
import { authDefinitionSchema } from './auth-changes.ts';
import { banCreateSchema } from './bans.ts';
import { bridgeRuleCreateSchema } from './bridge-rules.ts';
import { bridgeCreateSchema } from './bridges.ts';
import type { Operation } from './operation.ts';
import { roleCreateSchema } from './roles.ts';
import { flagSchema, named, timestampSchema } from './schema.ts';
import { definedWebhookSchema } from './webhooks.ts';

/** The version of the document of definitions: a reader refuses another. */
export const DEFINITIONS_VERSION = 1;

const ITEMS_MAX = 100_000;

/** A stored user with what its password is checked by: hashes, never the password. */
export const definedUserSchema = named(
  'DefinedUser',
  z.strictObject({
    name: z.string().min(1).max(65_535),
    credentials: z
      .array(z.string().min(1).max(1024))
      .min(1)
      .max(8)
      .describe(
        'A scrypt hash, and SCRAM credentials if there are any, as `npm run scram` writes.',
      ),
    groups: z.array(z.string().min(1).max(256)).max(100).default([]),
    acl: z.array(userAclRuleSchema).max(1000).default([]),
  }),
);

const sections = {
  users: z.array(definedUserSchema).max(ITEMS_MAX),
  acl_rules: z.array(aclRuleSchema).max(10_000).describe('The general rules, in their order.'),
  bans: z.array(banCreateSchema).max(ITEMS_MAX).describe('Those that an administrator has made.'),
  bridges: z.array(bridgeCreateSchema).max(1000),
  bridge_rules: z.array(bridgeRuleCreateSchema).max(1000),
  bridge_rule_order: z
    .array(z.string().min(1).max(256))
    .max(10_000)
    .describe('Their ids in the order in which they are asked; empty: none was set.'),
  auth: authDefinitionSchema
    .nullable()
    .describe('Who is asked who a client is; null: as the configuration says.'),
  roles: z.array(roleCreateSchema).max(1000).describe('Those that are not built in.'),
  webhooks: z.array(definedWebhookSchema).max(32),
};

/** What is defined over REST, as a document. */
export const definitionsSchema = named(
  'Definitions',
  z.object({
    format: z.literal('skein-definitions'),
    version: z.literal(DEFINITIONS_VERSION),
    exported_at: timestampSchema,
    ...sections,
  }),
);

const definitionsImport = named(
  'DefinitionsImport',
  z.strictObject({
    format: z.literal('skein-definitions'),
    version: z.literal(DEFINITIONS_VERSION),
    exported_at: timestampSchema.exactOptional(),
    users: sections.users.exactOptional(),
    acl_rules: sections.acl_rules.exactOptional(),
    bans: sections.bans.exactOptional(),
    bridges: sections.bridges.exactOptional(),
    bridge_rules: sections.bridge_rules.exactOptional(),
    bridge_rule_order: sections.bridge_rule_order.exactOptional(),
    auth: sections.auth.exactOptional(),
    roles: sections.roles.exactOptional(),
    webhooks: sections.webhooks.exactOptional(),
  }),
);

/** What came of an import, item by item. */
export const definitionsImportedSchema = named(
  'DefinitionsImported',
  z.object({
    dry_run: z.boolean(),
    results: z.array(
      z.object({
        section: z.enum([
          ...(['users', 'acl_rules', 'bans', 'bridges', 'bridge_rules'] as const),
          ...(['bridge_rule_order', 'auth', 'roles', 'webhooks'] as const),
        ]),
        id: z.string().describe('Name or id; `general` for what there is one of.'),
        outcome: z
          .enum(['created', 'replaced', 'unchanged', 'removed', 'failed'])
          .describe('With `dry_run`: what it would be, as far as is known before.'),
        detail: z.string().nullable().describe('Why it has failed.'),
      }),
    ),
  }),
);

/** A stored user as definitions have it. */
export type DefinedUser = z.output<typeof definedUserSchema>;

/** What is defined over REST. */
export type DefinitionsView = z.infer<typeof definitionsSchema>;

/** What came of an import. */
export type DefinitionsImported = z.infer<typeof definitionsImportedSchema>;

/** What became of one item. */
export type DefinitionResult = DefinitionsImported['results'][number];

const exampleDocument = {
  format: 'skein-definitions',
  version: DEFINITIONS_VERSION,
  users: [],
  acl_rules: [{ effect: 'allow', actions: ['publish'], topics: ['a/#'] }],
  bans: [],
  bridges: [],
  bridge_rules: [],
  bridge_rule_order: [],
  auth: null,
  roles: [],
  webhooks: [],
};

/** Operations on all that is defined over REST. */
export const DEFINITIONS_OPERATIONS = {
  exportDefinitions: {
    method: 'get',
    path: '/api/v1/definitions',
    tag: 'Configuration',
    summary: 'Export what is defined over REST',
    description:
      'Stored users with their hashes, general ACL rules, bans made by administrators, bridges and bridge rules with their order, who is asked who a client is, roles that are not built in, and webhooks, as one document. What the configuration of nodes defines is not among it: it belongs to their files. Secrets of bridges are references; webhooks come without theirs. Keys and role bindings are not among it.',
    scope: 'definitions:read',
    query: z.strictObject({}),
    replies: { 200: { description: 'The document.', schema: definitionsSchema } },
    problems: ['node-unavailable', 'storage-unavailable'],
    example: { reply: { ...exampleDocument, exported_at: '2026-01-01T00:00:00.000Z' } },
  },
  importDefinitions: {
    method: 'post',
    path: '/api/v1/definitions',
    tag: 'Configuration',
    summary: 'Import definitions',
    description:
      'Sections that the document lacks are left alone. `merge` makes and replaces what it names; `replace` also removes what it does not name. Each item is carried out by itself, bridges first, and says what became of it; who is asked also needs `auth:write`, roles also need `roles:write` and give nobody more than the caller has, webhooks also need `webhooks:write`. Whoever sends the document again goes on where it failed.',
    scope: 'definitions:write',
    query: z.strictObject({
      mode: z.enum(['merge', 'replace']).default('merge'),
      dry_run: flagSchema.optional().describe('Changes nothing, and says what it would change.'),
    }),
    body: definitionsImport,
    replies: {
      200: { description: 'What became of each item.', schema: definitionsImportedSchema },
    },
    problems: ['node-unavailable', 'storage-unavailable'],
    example: {
      query: { mode: 'merge', dry_run: 'true' },
      body: exampleDocument,
      reply: {
        dry_run: true,
        results: [{ section: 'acl_rules', id: 'general', outcome: 'replaced', detail: null }],
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
