import { z } from 'zod';
import { BRIDGE_FILTERS } from './bridge-filters.ts';
import { filterQuery } from './filters.ts';
import type { Operation } from './operation.ts';
import { listOf, metaSchema, pageQuery, pageReply } from './page.ts';
import { named } from './schema.ts';

/** How a bridge fares on one node. */
export const bridgeStateSchema = named(
  'BridgeState',
  z.object({
    node: z.string(),
    state: z
      .enum(['connected', 'disconnected', 'unused', 'stopped'])
      .describe(
        '`disconnected`: a rule does not reach the other side. `unused`: no rule runs. `stopped`: it is not enabled.',
      ),
    last_error: z.string().nullable().describe('Why it is not reached, when that is known.'),
  }),
);

const common = {
  id: z.string(),
  source: z
    .enum(['config', 'api'])
    .describe('Bridges of the configuration cannot be changed over REST.'),
  enabled: z.boolean().describe('False: none of its rules is at work on any node.'),
  states: z
    .array(bridgeStateSchema)
    .describe('How the bridge fares, by node: of each node that answers and has it.'),
};

const secret = named(
  'SecretReference',
  z
    .union([z.object({ file: z.string() }), z.object({ env: z.string() })])
    .describe('Where a secret is kept: a file, or an environment variable of the node.'),
);

const kafkaTls = z.object({
  ca_file: z.string().optional(),
  cert_file: z.string().optional(),
  key_file: z.string().optional(),
  server_name: z.string().optional().describe('The name that certificates must have.'),
});

const kafkaSasl = z.discriminatedUnion('mechanism', [
  z.object({
    mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
    username: z.string(),
    password: secret,
  }),
  z.object({ mechanism: z.literal('oauthbearer'), token: secret }),
]);

const schemaRegistry = z.object({
  url: z.string(),
  username: z.string().optional(),
  password: secret.optional(),
  ca_file: z.string().optional(),
  timeout_ms: z.int(),
  refresh_ms: z.int().describe('How old the answer of what the latest version is may become.'),
});

const kafkaBridge = z.object({
  ...common,
  kind: z.literal('kafka'),
  brokers: z.array(z.string()).describe('`host:port` of Kafka brokers to start from.'),
  client_id: z.string(),
  compression: z.enum(['none', 'gzip', 'snappy', 'lz4', 'zstd']),
  tls: kafkaTls.optional().describe('Absent: connections in the clear.'),
  sasl: kafkaSasl.optional().describe('Absent: no login.'),
  schema_registry: schemaRegistry.optional().describe('Needed by rules with a schema.'),
});

const webhookBridge = z.object({
  ...common,
  kind: z.literal('webhook'),
  url: z.union([z.string(), secret]),
  headers: z.record(z.string(), z.union([z.string(), secret])),
  ca_file: z.string().optional(),
  timeout_ms: z.int(),
  concurrency: z.int(),
  format: z.enum(['single', 'json', 'ndjson']),
});

const rabbitmqBridge = z.object({
  ...common,
  kind: z.literal('rabbitmq'),
  url: z.union([z.string(), secret]),
  ca_file: z.string().optional(),
  timeout_ms: z.int(),
  concurrency: z.int(),
});

/** A bridge as the API shows it: what rules carry to or from. */
export const bridgeSchema = named(
  'Bridge',
  z.discriminatedUnion('kind', [
    named('KafkaBridge', kafkaBridge),
    named('WebhookBridge', webhookBridge),
    named('RabbitmqBridge', rabbitmqBridge),
  ]),
);

const bridgeId = z
  .string()
  .max(64)
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/)
  .describe('1 to 64 letters, digits, dots, hyphens and underscores; not `.` or `..`.');

const file = z
  .string()
  .min(1)
  .max(4096)
  .exactOptional()
  .describe('A file of the nodes, within `bridge.secrets.dir` of their configuration.');

const secretWanted = named(
  'SecretReferenceRequest',
  z
    .union([
      z.strictObject({ file: z.string().min(1).max(4096) }),
      z.strictObject({ env: z.string().min(1).max(256) }),
    ])
    .describe(
      'A file within `bridge.secrets.dir`, or a variable that begins with `bridge.secrets.envPrefix`. Nodes read it when they need it.',
    ),
);

const wantedEnabled = z
  .boolean()
  .exactOptional()
  .describe('False: none of its rules is at work. The default is true.');

const milliseconds = z.int().min(100).max(300_000).exactOptional();

const kafkaWanted = {
  kind: z.literal('kafka'),
  enabled: wantedEnabled,
  brokers: z
    .array(z.string().max(260))
    .min(1)
    .max(64)
    .describe('`host:port` of Kafka brokers to start from.'),
  client_id: z.string().max(64).exactOptional().describe('The default is `skein`.'),
  compression: z
    .enum(['none', 'gzip', 'snappy', 'lz4', 'zstd'])
    .exactOptional()
    .describe('The default is lz4.'),
  tls: z
    .strictObject({
      ca_file: file,
      cert_file: file,
      key_file: file,
      server_name: z.string().max(253).exactOptional(),
    })
    .exactOptional()
    .describe('Absent: connections in the clear.'),
  sasl: z
    .discriminatedUnion('mechanism', [
      z.strictObject({
        mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
        username: z.string().min(1).max(256),
        password: secretWanted,
      }),
      z.strictObject({ mechanism: z.literal('oauthbearer'), token: secretWanted }),
    ])
    .exactOptional()
    .describe('Absent: no login.'),
  schema_registry: z
    .strictObject({
      url: z.string().max(2048),
      username: z.string().max(256).exactOptional(),
      password: secretWanted.exactOptional(),
      ca_file: file,
      timeout_ms: z.int().min(100).max(10_000).exactOptional(),
      refresh_ms: z.int().min(1_000).max(86_400_000).exactOptional(),
    })
    .exactOptional()
    .describe('Needed by rules with a schema.'),
};

const webhookWanted = {
  kind: z.literal('webhook'),
  enabled: wantedEnabled,
  url: z.union([z.string().max(2048), secretWanted]),
  headers: z
    .record(z.string().min(1).max(256), z.union([z.string().max(4096), secretWanted]))
    .exactOptional()
    .describe('Texts are shown; put a secret into a reference.'),
  ca_file: file,
  timeout_ms: milliseconds,
  concurrency: z.int().min(1).max(256).exactOptional(),
  format: z.enum(['single', 'json', 'ndjson']).exactOptional(),
};

const rabbitmqWanted = {
  kind: z.literal('rabbitmq'),
  enabled: wantedEnabled,
  url: z.union([z.string().max(2048), secretWanted]),
  ca_file: file,
  timeout_ms: milliseconds,
  concurrency: z.int().min(1).max(64).exactOptional(),
};

/** A bridge to create. Its id is chosen by the caller. */
export const bridgeCreateSchema = named(
  'BridgeCreate',
  z.discriminatedUnion('kind', [
    named('KafkaBridgeCreate', z.strictObject({ id: bridgeId, ...kafkaWanted })),
    named('WebhookBridgeCreate', z.strictObject({ id: bridgeId, ...webhookWanted })),
    named('RabbitmqBridgeCreate', z.strictObject({ id: bridgeId, ...rabbitmqWanted })),
  ]),
);

/** A bridge as PUT gives it: the id is that of the path. */
export const bridgeReplaceSchema = named(
  'BridgeReplace',
  z.discriminatedUnion('kind', [
    named('KafkaBridgeReplace', z.strictObject({ id: bridgeId.exactOptional(), ...kafkaWanted })),
    named(
      'WebhookBridgeReplace',
      z.strictObject({ id: bridgeId.exactOptional(), ...webhookWanted }),
    ),
    named(
      'RabbitmqBridgeReplace',
      z.strictObject({ id: bridgeId.exactOptional(), ...rabbitmqWanted }),
    ),
  ]),
);

/** A bridge to create, with the id of the body or of the path. */
export type BridgeCreate = z.infer<typeof bridgeCreateSchema>;

/** How a bridge fares on one node. */
export type BridgeState = z.infer<typeof bridgeStateSchema>;

/** A bridge as the API shows it. */
export type BridgeView = z.infer<typeof bridgeSchema>;

const target = z
  .string()
  .min(1)
  .max(1024)
  .optional()
  .describe('A Kafka topic, a path, or an exchange that should be there.');

const testRequest = named('ConnectivityTestRequest', z.strictObject({ target }));

const unsavedTestRequest = named(
  'UnsavedConnectivityTestRequest',
  z.strictObject({ bridge: bridgeCreateSchema, target }),
);

/** What a connectivity test found. */
export const connectivityTestSchema = named(
  'ConnectivityTest',
  z.object({
    ok: z.boolean().describe('Whether every step of every node that answers went well.'),
    results: z
      .array(
        z.object({
          node: z.string(),
          ok: z.boolean(),
          steps: z
            .array(
              z.object({
                step: z.enum(['dns', 'tcp', 'tls', 'auth', 'target', 'schemas']),
                ok: z.boolean(),
                latency_ms: z.int(),
                detail: z.string().describe('What was found, or what is wrong.'),
              }),
            )
            .describe('In the order they were made, up to the first fault.'),
        }),
      )
      .describe('By node: each tests from where it is.'),
    meta: metaSchema,
  }),
);

/** What a connectivity test found. */
export type ConnectivityTest = z.infer<typeof connectivityTestSchema>;

/** The path of a bridge. */
export const bridgePath = z.strictObject({ bridge_id: bridgeId });

/** What replies say of a bridge's revision. */
export const bridgeEtag = { ETag: 'The revision of the bridge, for If-Match.' };
/** What a change of a bridge has to say. */
export const bridgeIfMatch = {
  'If-Match': 'The ETag last read. Required, so that no change is lost.',
};

const exampleWanted = {
  id: 'shop',
  kind: 'kafka',
  brokers: ['kafka.internal:9093'],
  tls: {},
  sasl: {
    mechanism: 'scram-sha-512',
    username: 'skein',
    password: { file: '/run/secrets/bridges/kafka' },
  },
};

/** A bridge that was made over REST. */
export const exampleBridgeMade = {
  ...exampleWanted,
  source: 'api',
  enabled: true,
  client_id: 'skein',
  compression: 'lz4',
  states: [],
};

const exampleBridge = {
  id: 'main',
  kind: 'kafka',
  source: 'config',
  enabled: true,
  brokers: ['kafka.internal:9092'],
  client_id: 'skein',
  compression: 'lz4',
  states: [{ node: 'node-1', state: 'connected', last_error: null }],
};

/** Operations on bridges. */
export const BRIDGE_OPERATIONS = {
  listBridges: {
    method: 'get',
    path: '/api/v1/bridges',
    tag: 'Bridge',
    summary: 'List bridges',
    description: 'What rules carry to or from, in the order of their ids.',
    scope: 'bridges:read',
    query: z.strictObject({ ...pageQuery, ...filterQuery(BRIDGE_FILTERS) }),
    replies: { 200: pageReply('A page of bridges.', listOf('BridgeList', bridgeSchema)) },
    problems: ['invalid-cursor', 'node-unavailable', 'storage-unavailable'],
    example: {
      reply: {
        items: [exampleBridge],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  createBridge: {
    method: 'post',
    path: '/api/v1/bridges',
    tag: 'Bridge',
    summary: 'Create a bridge',
    description:
      'Every node knows it within two seconds. Secrets are references, never values; files, variables and hosts only as far as the configuration of the nodes permits, else 422.',
    scope: 'bridges:write',
    query: z.strictObject({}),
    body: bridgeCreateSchema,
    replies: {
      201: {
        description: 'Created.',
        schema: bridgeSchema,
        headers: { ...bridgeEtag, Location: 'The path of the bridge.' },
      },
    },
    problems: ['already-exists', 'unprocessable', 'node-unavailable', 'storage-unavailable'],
    example: { body: exampleWanted, reply: exampleBridgeMade },
  },
  testUnsavedBridge: {
    method: 'post',
    path: '/api/v1/bridges/connectivity-tests',
    tag: 'Bridge',
    summary: 'Test a bridge before it is made',
    description: 'As the test of a bridge that is there; nothing is stored.',
    scope: 'bridges:execute',
    query: z.strictObject({}),
    body: unsavedTestRequest,
    replies: { 200: { description: 'What was found.', schema: connectivityTestSchema } },
    problems: ['unprocessable', 'node-unavailable', 'storage-unavailable'],
    example: {
      body: { bridge: exampleWanted },
      reply: { ok: true, results: [], meta: { partial: false, unavailable_nodes: [] } },
    },
  },
  getBridge: {
    method: 'get',
    path: '/api/v1/bridges/{bridge_id}',
    tag: 'Bridge',
    summary: 'Show a bridge',
    scope: 'bridges:read',
    pathParameters: bridgePath,
    query: z.strictObject({}),
    headers: { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' },
    replies: {
      200: { description: 'The bridge.', schema: bridgeSchema, headers: bridgeEtag },
      304: { description: 'Not changed.', headers: bridgeEtag },
    },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { bridge_id: 'main' }, reply: exampleBridge },
  },
  replaceBridge: {
    method: 'put',
    path: '/api/v1/bridges/{bridge_id}',
    tag: 'Bridge',
    summary: 'Replace or create a bridge',
    description:
      '`If-Match` replaces, `If-None-Match: *` creates; one of them is required. Its rules go on with the new settings within two seconds. The kind of a bridge that rules name stays: 409.',
    scope: 'bridges:write',
    pathParameters: bridgePath,
    query: z.strictObject({}),
    body: bridgeReplaceSchema,
    headers: { ...bridgeIfMatch, 'If-None-Match': '`*` creates only.' },
    replies: {
      200: { description: 'Replaced.', schema: bridgeSchema, headers: bridgeEtag },
      201: { description: 'Created.', schema: bridgeSchema, headers: bridgeEtag },
    },
    problems: [
      'not-found',
      'conflict',
      'precondition-failed',
      'precondition-required',
      'unprocessable',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: { path: { bridge_id: 'shop' }, body: exampleWanted, reply: exampleBridgeMade },
  },
  deleteBridge: {
    method: 'delete',
    path: '/api/v1/bridges/{bridge_id}',
    tag: 'Bridge',
    summary: 'Delete a bridge',
    description: 'A bridge that rules name stays: 409.',
    scope: 'bridges:write',
    pathParameters: bridgePath,
    query: z.strictObject({}),
    headers: bridgeIfMatch,
    replies: { 204: { description: 'Deleted.' } },
    problems: [
      'not-found',
      'conflict',
      'precondition-failed',
      'precondition-required',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: { path: { bridge_id: 'shop' } },
  },
  testBridge: {
    method: 'post',
    path: '/api/v1/bridges/{bridge_id}/connectivity-tests',
    tag: 'Bridge',
    summary: 'Test a bridge',
    description:
      'Every node tries step by step whether it can work with the other side, over a connection of its own: names, TCP, TLS, login, the target when one is given, and the schema registry if there is one. Nothing is sent or changed.',
    scope: 'bridges:execute',
    pathParameters: bridgePath,
    query: z.strictObject({}),
    body: testRequest,
    replies: { 200: { description: 'What was found.', schema: connectivityTestSchema } },
    problems: ['not-found', 'unprocessable', 'node-unavailable', 'storage-unavailable'],
    example: {
      path: { bridge_id: 'main' },
      body: { target: 'telemetry' },
      reply: {
        ok: false,
        results: [
          {
            node: 'node-1',
            ok: false,
            steps: [
              { step: 'dns', ok: true, latency_ms: 2, detail: 'kafka.internal:9092 is 10.0.0.7' },
              {
                step: 'tcp',
                ok: false,
                latency_ms: 1,
                detail: 'kafka.internal:9092 connect ECONNREFUSED 10.0.0.7:9092',
              },
            ],
          },
        ],
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
