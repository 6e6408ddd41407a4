import { z } from 'zod';
import { nodePath } from './cluster.ts';
import type { Operation } from './operation.ts';
import { metaSchema } from './page.ts';
import { countSchema, named } from './schema.ts';
import { HEALTH_CHECKS } from './system-command.ts';

/** See the type of the same name. */
export const versionSchema = named(
  'Version',
  z.object({
    version: z.string().describe('Of the API process.'),
    commit: z.string(),
    api: z.literal('v1'),
    nodes: z.array(z.object({ node: z.string(), version: z.string(), commit: z.string() })),
    meta: metaSchema,
  }),
);

/** What runs where. */
export type VersionView = z.infer<typeof versionSchema>;

/** See the type of the same name. */
export const featureListSchema = named(
  'FeatureList',
  z.object({
    features: z.array(
      z.object({
        name: z.string(),
        enabled: z.boolean().describe('Whether a node that answered does it.'),
        nodes: z.array(z.string()).describe('The nodes that do it.'),
      }),
    ),
    meta: metaSchema,
  }),
);

/** What Skein can do, and who does it. */
export type FeatureListView = z.infer<typeof featureListSchema>;

const nodeCheckSchema = z.object({ node: z.string(), ok: z.boolean(), detail: z.string() });

/** See the type of the same name. */
export const healthCheckSchema = named(
  'HealthCheck',
  z.object({
    name: z.enum(HEALTH_CHECKS),
    status: z.enum(['ok', 'failing']),
    detail: z.string(),
    nodes: z.array(nodeCheckSchema),
  }),
);

/** A check of the cluster, and what each node says to it. */
export type HealthCheckView = z.infer<typeof healthCheckSchema>;

/** See the type of the same name. */
export const healthSchema = named(
  'Health',
  z.object({ status: z.literal('ok'), checks: z.array(healthCheckSchema), meta: metaSchema }),
);

/** All checks of the cluster. */
export type HealthView = z.infer<typeof healthSchema>;

const within = z
  .string()
  .regex(/^[1-9]\d{0,4}[hd]$/, 'Hours or days, such as 36h or 14d')
  .max(6)
  .default('14d')
  .describe('A certificate that ends within this time fails `certificate-expiration`.');

const exampleCheck = {
  name: 'redis',
  status: 'ok',
  detail: 'All nodes',
  nodes: [{ node: 'node-1', ok: true, detail: 'Redis answers' }],
};
const exampleMeta = { partial: false, unavailable_nodes: [] };

/** See the type of the same name. */
export const nodeStatsSchema = named(
  'NodeStats',
  z.object({
    node: z.string(),
    uptime_seconds: z.number(),
    resident_bytes: countSchema,
    heap_used_bytes: countSchema,
    heap_limit_bytes: countSchema,
    cpu_seconds: z.number().describe('Of user and system, since the start.'),
    overload_level: countSchema,
    connections: z.array(
      z.object({
        listener: z.string(),
        mqtt_version: z.enum(['3.1', '3.1.1', '5']),
        count: countSchema,
      }),
    ),
    sessions: z.array(
      z.object({
        state: z.enum(['connected', 'disconnected']),
        persistent: z.boolean(),
        count: countSchema,
      }),
    ),
    subscriptions: z.object({ plain: countSchema, wildcard: countSchema, shared: countSchema }),
    inflight_received: countSchema,
    inflight_sent: countSchema,
    queue_messages: countSchema,
    queue_bytes: countSchema,
    slow_consumers: countSchema,
    retained_messages: countSchema,
    retained_bytes: countSchema,
    delayed_messages: countSchema,
    delayed_bytes: countSchema,
    messages_received: countSchema,
    messages_sent: countSchema,
  }),
);

/** A node in figures. */
export type NodeStatsView = z.infer<typeof nodeStatsSchema>;

/** See the type of the same name. */
export const nodeMetricsSchema = named(
  'NodeMetrics',
  z.object({
    node: z.string(),
    metrics: z.array(
      z.object({
        name: z.string(),
        help: z.string(),
        type: z.string(),
        samples: z.array(
          z.object({
            name: z.string().optional().describe('Where it is not that of the metric.'),
            labels: z.record(z.string(), z.string()),
            value: z.number().nullable().describe('Null for what is no number yet.'),
          }),
        ),
      }),
    ),
  }),
);

/** The metrics of a node as values. */
export type NodeMetricsView = z.infer<typeof nodeMetricsSchema>;

/** See the type of the same name. */
export const nodeConfigSchema = named(
  'NodeConfig',
  z.object({
    node: z.string(),
    settings: z.array(
      z.object({
        key: z.string(),
        value: z.unknown().describe('Null where the key is absent; `***` for a secret.'),
        default: z.unknown().describe('Null where there is none, or it depends on the machine.'),
        source: z
          .enum(['default', 'file', 'environment', 'flag', 'api'])
          .describe('`api`: set at run time, see /api/v1/config.'),
      }),
    ),
  }),
);

/** The configuration that is in force on a node. */
export type NodeConfigView = z.infer<typeof nodeConfigSchema>;

const exampleStats = {
  node: 'node-1',
  uptime_seconds: 12.5,
  resident_bytes: 120_000_000,
  heap_used_bytes: 40_000_000,
  heap_limit_bytes: 4_000_000_000,
  cpu_seconds: 3.2,
  overload_level: 0,
  connections: [{ listener: 'tcp', mqtt_version: '5', count: 2 }],
  sessions: [{ state: 'connected', persistent: true, count: 2 }],
  subscriptions: { plain: 1, wildcard: 1, shared: 0 },
  inflight_received: 0,
  inflight_sent: 0,
  queue_messages: 0,
  queue_bytes: 0,
  slow_consumers: 0,
  retained_messages: 7,
  retained_bytes: 700,
  delayed_messages: 0,
  delayed_bytes: 0,
  messages_received: 100,
  messages_sent: 150,
};

/** Operations on the system: what runs, whether it is well, and nodes in detail. */
export const SYSTEM_OPERATIONS = {
  getVersion: {
    method: 'get',
    path: '/api/v1/version',
    tag: 'System',
    summary: 'Show versions',
    scope: 'system:read',
    query: z.strictObject({}),
    replies: { 200: { description: 'Of the API and of each node.', schema: versionSchema } },
    problems: ['node-unavailable'],
    example: {
      reply: {
        version: '0.0.0',
        commit: 'unknown',
        api: 'v1',
        nodes: [{ node: 'node-1', version: '0.0.0', commit: 'unknown' }],
        meta: exampleMeta,
      },
    },
  },
  listFeatures: {
    method: 'get',
    path: '/api/v1/features',
    tag: 'System',
    summary: 'List features',
    description: 'What Skein can do, and which nodes are configured to do it.',
    scope: 'system:read',
    query: z.strictObject({}),
    replies: { 200: { description: 'The features.', schema: featureListSchema } },
    problems: ['node-unavailable', 'storage-unavailable'],
    example: {
      reply: {
        features: [{ name: 'delayed-messages', enabled: true, nodes: ['node-1'] }],
        meta: exampleMeta,
      },
    },
  },
  listHealthChecks: {
    method: 'get',
    path: '/api/v1/health/checks',
    tag: 'System',
    summary: 'Run all health checks',
    description:
      '503 when one of them fails; `errors` of the problem names each that does. A node that does not answer fails all.',
    scope: 'system:read',
    query: z.strictObject({ within }),
    replies: { 200: { description: 'All of them hold.', schema: healthSchema } },
    problems: ['node-unavailable', 'storage-unavailable', 'bridge-unavailable', 'overloaded'],
    example: { reply: { status: 'ok', checks: [exampleCheck], meta: exampleMeta } },
  },
  getHealthCheck: {
    method: 'get',
    path: '/api/v1/health/checks/{check_name}',
    tag: 'System',
    summary: 'Run a health check',
    description:
      'Holds when it does on every node; `ready-to-serve-clients` when it does on one. Else 503: `storage-unavailable` of `redis`, `bridge-unavailable` of `kafka`, `overloaded` of `below-connection-limit`, `node-unavailable` of the others.',
    scope: 'system:read',
    pathParameters: z.strictObject({ check_name: z.string().min(1).max(64) }),
    query: z.strictObject({ within }),
    replies: { 200: { description: 'It holds.', schema: healthCheckSchema } },
    problems: [
      'not-found',
      'node-unavailable',
      'storage-unavailable',
      'bridge-unavailable',
      'overloaded',
    ],
    example: { path: { check_name: 'redis' }, reply: exampleCheck },
  },
  deleteNode: {
    method: 'delete',
    path: '/api/v1/nodes/{node_id}',
    tag: 'Cluster',
    summary: 'Forget a dead node',
    description:
      'Has the others take over at once what it has left, which they otherwise do by themselves when its lease has ended. Its sessions stay, at another node.',
    scope: 'nodes:write',
    pathParameters: nodePath,
    query: z.strictObject({}),
    replies: { 204: { description: 'What it has left is being taken over.' } },
    problems: ['not-found', 'node-alive', 'node-unavailable', 'storage-unavailable'],
    example: { path: { node_id: 'node-9' } },
  },
  getNodeStats: {
    method: 'get',
    path: '/api/v1/nodes/{node_id}/stats',
    tag: 'Cluster',
    summary: 'Show a node in figures',
    scope: 'nodes:read',
    pathParameters: nodePath,
    query: z.strictObject({}),
    replies: { 200: { description: 'The figures.', schema: nodeStatsSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: { path: { node_id: 'node-1' }, reply: exampleStats },
  },
  getNodeMetrics: {
    method: 'get',
    path: '/api/v1/nodes/{node_id}/metrics',
    tag: 'Cluster',
    summary: 'Show the metrics of a node',
    description: 'The same values that Prometheus reads at its ops port.',
    scope: 'nodes:read',
    pathParameters: nodePath,
    query: z.strictObject({}),
    replies: { 200: { description: 'The metrics.', schema: nodeMetricsSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: {
      path: { node_id: 'node-1' },
      reply: {
        node: 'node-1',
        metrics: [
          {
            name: 'skein_broker_connections',
            help: 'Open connections.',
            type: 'gauge',
            samples: [{ labels: { listener: 'tcp' }, value: 2 }],
          },
        ],
      },
    },
  },
  getNodeConfig: {
    method: 'get',
    path: '/api/v1/nodes/{node_id}/config',
    tag: 'Cluster',
    summary: 'Show the configuration of a node',
    description: 'Every key with the value that is in force, and where it comes from.',
    scope: 'nodes:read',
    pathParameters: nodePath,
    query: z.strictObject({}),
    replies: { 200: { description: 'The configuration.', schema: nodeConfigSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: {
      path: { node_id: 'node-1' },
      reply: {
        node: 'node-1',
        settings: [{ key: 'log.level', value: 'info', default: 'info', source: 'default' }],
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
