import { z } from 'zod';
import type { Operation } from './operation.ts';
import { listOf, metaSchema, pageQuery, pageReply } from './page.ts';
import { countSchema, named, timestampSchema } from './schema.ts';

/** Where the value of a key comes from. */
export const SETTING_SOURCES = ['default', 'file', 'environment', 'flag', 'api'] as const;

/** See the type of the same name. */
export const settingSchema = named(
  'Setting',
  z.object({
    key: z.string().describe('As in the configuration file, for example `limits.inflightMax`.'),
    value: z.unknown().describe('In force; null where the key is absent, `***` for a secret.'),
    default: z.unknown().describe('Null where there is none, or it depends on the machine.'),
    source: z.enum(SETTING_SOURCES).describe('`api`: set here.'),
    change: z
      .enum(['hot', 'restart'])
      .describe('`hot`: it may be changed here; `restart`: in the file or the environment only.'),
    applies_to: z
      .enum(['all', 'new-connections'])
      .nullable()
      .describe('Whom another value of a hot key concerns.'),
    unit: z.string().nullable(),
    nodes: z
      .array(z.object({ node: z.string(), value: z.unknown(), source: z.enum(SETTING_SOURCES) }))
      .describe('What each node says, where they differ; else empty.'),
  }),
);

/** A key of the configuration, and what it is on the nodes. */
export type SettingView = z.infer<typeof settingSchema>;

const overridesSchema = z
  .record(z.string(), z.unknown())
  .describe('What is set here: sections with keys, as in the configuration file.');

/** See the type of the same name. */
export const configSchema = named(
  'Config',
  z.object({
    version: countSchema.describe('0: nothing was ever set here.'),
    overrides: overridesSchema,
    settings: z.array(settingSchema),
    meta: metaSchema,
  }),
);

/** The configuration that is in force. */
export type ConfigView = z.infer<typeof configSchema>;

/** See the type of the same name. */
export const configChangeSchema = named(
  'ConfigChange',
  z.object({
    version: countSchema,
    overrides: overridesSchema,
    applied: z.array(z.string()).describe('Nodes that go by it already.'),
    refused: z
      .array(z.object({ node: z.string(), detail: z.string() }))
      .describe('Nodes whose own configuration does not bear it: they go on as before.'),
    meta: metaSchema.describe('A node that has not answered goes by it when it can.'),
  }),
);

/** A change that is stored, and who goes by it. */
export type ConfigChangeView = z.infer<typeof configChangeSchema>;

const diffSchema = z.object({
  key: z.string(),
  before: z.unknown().describe('Null: not set here.'),
  after: z.unknown().describe('Null: not set here any more.'),
});

/** See the type of the same name. */
export const configVersionSchema = named(
  'ConfigVersion',
  z.object({
    version: countSchema,
    at: timestampSchema,
    by: z.string().describe('Who, as in the audit log.'),
    kind: z.enum(['change', 'rollback']),
    changes: z.array(diffSchema),
  }),
);

/** A version of what is set over REST. */
export type ConfigVersionView = z.infer<typeof configVersionSchema>;

/** See the type of the same name. */
export const configValidationSchema = named(
  'ConfigValidation',
  z.object({
    valid: z.boolean().describe('Whether it could stand in the configuration of the API process.'),
    errors: z.array(
      z.object({ key: z.string(), code: z.string(), detail: z.string(), fix: z.string() }),
    ),
    restart: z.array(z.string()).describe('Keys in it that want a restart.'),
  }),
);

/** What is wrong with settings. */
export type ConfigValidationView = z.infer<typeof configValidationSchema>;

const levels = ['debug', 'info', 'warn', 'error'] as const;

/** See the type of the same name. */
export const logLevelsSchema = named(
  'LogLevels',
  z.object({
    nodes: z.array(
      z.object({
        node: z.string(),
        components: z.array(
          z.object({
            component: z.string(),
            level: z.enum(levels),
            source: z
              .enum(['component', 'node', 'config'])
              .describe('What the level was set for; `config`: it is that of `log.level`.'),
            until: timestampSchema.nullable().describe('When it ends by itself.'),
          }),
        ),
      }),
    ),
    meta: metaSchema,
  }),
);

/** What nodes write to their logs. */
export type LogLevelsView = z.infer<typeof logLevelsSchema>;

const patchSchema = named(
  'ConfigPatch',
  z
    .record(z.string().max(100), z.unknown())
    .describe('A merge patch of `overrides`; null takes back what is set here.'),
);

const sectionPath = z.strictObject({ section: z.string().min(1).max(64) });
const etag = { ETag: 'The version; send it as If-Match.' };
const ifMatch = { 'If-Match': 'The ETag last read. Required.' };
const known = { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' };
const unavailable = ['node-unavailable', 'storage-unavailable'] as const;

const exampleMeta = { partial: false, unavailable_nodes: [] };
const exampleSetting = {
  ...{ key: 'limits.inflightMax', value: 64, default: 128, source: 'api' },
  ...{ change: 'hot', applies_to: 'new-connections', unit: 'messages', nodes: [] },
};
const exampleOverrides = { limits: { inflightMax: 64 } };
const exampleConfig = {
  ...{ version: 3, overrides: exampleOverrides, settings: [exampleSetting], meta: exampleMeta },
};
const exampleChange = {
  ...{ version: 3, overrides: exampleOverrides, applied: ['node-1'], refused: [] },
  meta: exampleMeta,
};

const shown = {
  200: { description: 'The configuration.', schema: configSchema, headers: etag },
  304: { description: 'Not changed.', headers: etag },
};
const changed = {
  200: { description: 'Stored.', schema: configChangeSchema, headers: etag },
};
const CHANGE =
  'Values lie above those of the file and the environment of every node, also of nodes that join later, and after restarts. They are in force within two seconds; the answer says which nodes go by them already. A key that wants a restart is refused.';
const changeProblems = [
  ...(['precondition-failed', 'precondition-required', 'unprocessable'] as const),
  ...unavailable,
] as const;

/** Operations on the configuration. */
export const CONFIG_OPERATIONS = {
  getConfig: {
    method: 'get',
    path: '/api/v1/config',
    tag: 'Configuration',
    summary: 'Show the configuration',
    description:
      'Every key with the value that is in force, its default, and where the value comes from. The section `api` is that of the API process that answers.',
    scope: 'config:read',
    query: z.strictObject({}),
    headers: known,
    replies: shown,
    problems: unavailable,
    example: { reply: exampleConfig },
  },
  patchConfig: {
    method: 'patch',
    path: '/api/v1/config',
    tag: 'Configuration',
    summary: 'Change the configuration',
    description: CHANGE,
    scope: 'config:write',
    query: z.strictObject({}),
    body: patchSchema,
    bodyType: 'application/merge-patch+json',
    headers: ifMatch,
    replies: changed,
    problems: changeProblems,
    example: { body: exampleOverrides, reply: exampleChange },
  },
  validateConfig: {
    method: 'post',
    path: '/api/v1/config/validations',
    tag: 'Configuration',
    summary: 'Check settings',
    description: 'As if they stood in the configuration; nothing is changed. Any key may be in it.',
    scope: 'config:read',
    query: z.strictObject({}),
    body: named(
      'ConfigDraft',
      z.strictObject({
        settings: z
          .record(z.string().max(100), z.unknown())
          .describe('Sections with keys, as in the configuration file.'),
      }),
    ),
    replies: { 200: { description: 'What is wrong.', schema: configValidationSchema } },
    problems: [],
    example: {
      body: { settings: { limits: { inflightMax: 0 }, redis: { leaseMs: 5000 } } },
      reply: {
        valid: false,
        errors: [
          {
            key: 'limits.inflightMax',
            code: 'invalid',
            detail: 'limits.inflightMax must be a whole number from 1 to 65535',
            fix: 'correct it, or remove it for the default 128',
          },
        ],
        restart: ['redis.leaseMs'],
      },
    },
  },
  listConfigHistory: {
    method: 'get',
    path: '/api/v1/config/history',
    tag: 'Configuration',
    summary: 'List versions of the configuration',
    description:
      'Who set what over REST, and when, the latest first. The last 1,000 are kept. A file or an environment that has changed is no version.',
    scope: 'config:read',
    query: z.strictObject(pageQuery),
    replies: {
      200: pageReply('A page of versions.', listOf('ConfigVersionList', configVersionSchema)),
    },
    problems: ['invalid-cursor', ...unavailable],
    example: {
      reply: {
        items: [
          {
            ...{ version: 3, at: '2026-01-02T03:04:05.678Z', by: 'key:k1', kind: 'change' },
            changes: [{ key: 'limits.inflightMax', before: null, after: 64 }],
          },
        ],
        page: { has_more: false, limit: 100 },
        meta: exampleMeta,
      },
    },
  },
  rollBackConfig: {
    method: 'post',
    path: '/api/v1/config/rollbacks',
    tag: 'Configuration',
    summary: 'Go back to a version of the configuration',
    description:
      'Sets what was set in that version, and nothing else; it becomes a new version. 0 takes back all that was set over REST.',
    scope: 'config:write',
    query: z.strictObject({}),
    headers: { 'If-Match': 'The ETag last read, to go back only if nobody has changed it since.' },
    body: named('ConfigRollback', z.strictObject({ version: countSchema })),
    replies: changed,
    problems: ['precondition-failed', 'unprocessable', ...unavailable],
    example: { body: { version: 2 }, reply: { ...exampleChange, version: 4 } },
  },
  getConfigSection: {
    method: 'get',
    path: '/api/v1/config/{section}',
    tag: 'Configuration',
    summary: 'Show a section of the configuration',
    scope: 'config:read',
    pathParameters: sectionPath,
    query: z.strictObject({}),
    headers: known,
    replies: shown,
    problems: ['not-found', ...unavailable],
    example: { path: { section: 'limits' }, reply: exampleConfig },
  },
  patchConfigSection: {
    method: 'patch',
    path: '/api/v1/config/{section}',
    tag: 'Configuration',
    summary: 'Change a section of the configuration',
    description: `The patch is of the section. ${CHANGE}`,
    scope: 'config:write',
    pathParameters: sectionPath,
    query: z.strictObject({}),
    body: patchSchema,
    bodyType: 'application/merge-patch+json',
    headers: ifMatch,
    replies: changed,
    problems: ['not-found', ...changeProblems],
    example: {
      path: { section: 'limits' },
      body: exampleOverrides.limits,
      reply: exampleChange,
    },
  },
  getLogLevels: {
    method: 'get',
    path: '/api/v1/logs/level',
    tag: 'System',
    summary: 'Show what nodes log',
    scope: 'logs:read',
    query: z.strictObject({}),
    replies: { 200: { description: 'The levels.', schema: logLevelsSchema } },
    problems: ['node-unavailable'],
    example: {
      reply: {
        nodes: [
          {
            node: 'node-1',
            components: [{ component: 'bridge', level: 'info', source: 'config', until: null }],
          },
        ],
        meta: exampleMeta,
      },
    },
  },
  setLogLevel: {
    method: 'put',
    path: '/api/v1/logs/level',
    tag: 'System',
    summary: 'Say what nodes log',
    description:
      'At once, until it is set again, its time is over or the node is started again. `log.level` of the configuration is what lasts.',
    scope: 'logs:write',
    query: z.strictObject({}),
    body: named(
      'LogLevelChange',
      z.strictObject({
        level: z.enum(levels).nullable().describe('Null takes back what was set.'),
        component: z
          .string()
          .min(1)
          .max(64)
          .optional()
          .describe('Only of this component. If absent, of all that have no level of their own.'),
        node: z.string().min(1).max(256).optional().describe('Only on this node. All if absent.'),
        ttl_seconds: z
          .int()
          .min(1)
          .max(604_800)
          .optional()
          .describe('After this time what was before counts again.'),
      }),
    ),
    replies: { 200: { description: 'The levels by now.', schema: logLevelsSchema } },
    problems: ['not-found', 'unprocessable', 'node-unavailable'],
    example: {
      body: { level: 'debug', component: 'bridge', ttl_seconds: 600 },
      reply: {
        nodes: [
          {
            node: 'node-1',
            components: [
              {
                ...{ component: 'bridge', level: 'debug', source: 'component' },
                until: '2026-01-02T03:14:05.678Z',
              },
            ],
          },
        ],
        meta: exampleMeta,
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
