import { z } from 'zod';
import type { Operation } from './operation.ts';
import { listOf, metaSchema, pageQuery, pageReply } from './page.ts';
import { named } from './schema.ts';

/** How a bridge fares on one node. */
export const bridgeStateSchema = named(
  'BridgeState',
  z.object({
    node: z.string(),
    state: z
      .enum(['connected', 'disconnected', 'unused'])
      .describe('`disconnected`: a rule does not reach the other side. `unused`: no rule runs.'),
    last_error: z.string().nullable().describe('Why it is not reached, when that is known.'),
  }),
);

const common = {
  id: z.string(),
  source: z.enum(['config']).describe('Bridges of the configuration cannot be changed over REST.'),
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
  compression: z.enum(['none', 'gzip', 'lz4', 'zstd']),
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

/** How a bridge fares on one node. */
export type BridgeState = z.infer<typeof bridgeStateSchema>;

/** A bridge as the API shows it. */
export type BridgeView = z.infer<typeof bridgeSchema>;

const testRequest = named(
  'ConnectivityTestRequest',
  z.strictObject({
    target: z
      .string()
      .min(1)
      .max(1024)
      .optional()
      .describe('A Kafka topic, a path, or an exchange that should be there.'),
  }),
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

const exampleBridge = {
  id: 'main',
  kind: 'kafka',
  source: 'config',
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
    access: 'key',
    query: z.strictObject({ ...pageQuery }),
    replies: { 200: pageReply('A page of bridges.', listOf('BridgeList', bridgeSchema)) },
    problems: ['invalid-cursor', 'node-unavailable'],
    example: {
      reply: {
        items: [exampleBridge],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  getBridge: {
    method: 'get',
    path: '/api/v1/bridges/{bridge_id}',
    tag: 'Bridge',
    summary: 'Show a bridge',
    access: 'key',
    pathParameters: z.strictObject({ bridge_id: z.string().min(1).max(64) }),
    query: z.strictObject({}),
    replies: { 200: { description: 'The bridge.', schema: bridgeSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: { path: { bridge_id: 'main' }, reply: exampleBridge },
  },
  testBridge: {
    method: 'post',
    path: '/api/v1/bridges/{bridge_id}/connectivity-tests',
    tag: 'Bridge',
    summary: 'Test a bridge',
    description:
      'Every node tries step by step whether it can work with the other side, over a connection of its own: names, TCP, TLS, login, the target when one is given, and the schema registry if there is one. Nothing is sent or changed.',
    access: 'key',
    pathParameters: z.strictObject({ bridge_id: z.string().min(1).max(64) }),
    query: z.strictObject({}),
    body: testRequest,
    replies: { 200: { description: 'What was found.', schema: connectivityTestSchema } },
    problems: ['not-found', 'node-unavailable'],
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
