import { z } from 'zod';
import type { Operation } from './operation.ts';
import { listOf, metaSchema, pageQuery, pageReply } from './page.ts';
import { countSchema, named, timestampSchema } from './schema.ts';

const figures = {
  connections: countSchema,
  sessions: countSchema,
  subscriptions: countSchema,
  messages_received: countSchema.describe('Since the node started.'),
  messages_sent: countSchema.describe('Since the node started.'),
};

/** A node, as its lease and its own answer describe it. */
export const nodeSchema = named(
  'Node',
  z.object({
    id: z.string(),
    state: z.enum(['alive', 'draining']).describe('As its lease says.'),
    reachable: z.boolean().describe('Whether it answered this request in time.'),
    version: z.string(),
    started_at: timestampSchema,
    statistics: named('NodeStatistics', z.object(figures))
      .nullable()
      .describe('Null when the node is not reachable.'),
  }),
);

/** A node, as its lease and its own answer describe it. */
export type ClusterNode = z.infer<typeof nodeSchema>;

/** The path of what belongs to a node. */
export const nodePath = z.strictObject({ node_id: z.string().min(1).max(256) });

/** The cluster in numbers. */
export const statusSchema = named(
  'Status',
  z.object({
    cluster_name: z.string(),
    mode: z.enum(['embedded', 'cluster']),
    api_version: z.string(),
    nodes: z.object({ alive: countSchema, draining: countSchema }),
    ...figures,
    retained_messages: countSchema,
    meta: metaSchema,
  }),
);

/** The cluster in numbers. */
export type ClusterStatus = z.infer<typeof statusSchema>;

const exampleFigures = {
  connections: 2,
  sessions: 3,
  subscriptions: 4,
  messages_received: 100,
  messages_sent: 150,
};

const exampleNode = {
  id: 'node-1',
  state: 'alive',
  reachable: true,
  version: '0.0.0',
  started_at: '2026-01-02T03:04:05.678Z',
  statistics: exampleFigures,
};

/** Operations on the cluster and its nodes. */
export const CLUSTER_OPERATIONS = {
  getStatus: {
    method: 'get',
    path: '/api/v1/status',
    tag: 'Cluster',
    summary: 'Show the cluster in numbers',
    description: 'Sums over the nodes that answer; `meta` says which do not.',
    scope: 'system:read',
    query: z.strictObject({}),
    replies: { 200: { description: 'The status.', schema: statusSchema } },
    problems: ['node-unavailable'],
    example: {
      reply: {
        cluster_name: 'skein',
        mode: 'embedded',
        api_version: '0.0.0',
        nodes: { alive: 1, draining: 0 },
        ...exampleFigures,
        retained_messages: 7,
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  listNodes: {
    method: 'get',
    path: '/api/v1/nodes',
    tag: 'Cluster',
    summary: 'List nodes',
    scope: 'nodes:read',
    query: z.strictObject({ ...pageQuery, state: z.enum(['alive', 'draining']).optional() }),
    replies: {
      200: pageReply('A page of nodes.', listOf('NodeList', nodeSchema)),
    },
    problems: ['invalid-cursor', 'node-unavailable'],
    example: {
      reply: {
        items: [exampleNode],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  getNode: {
    method: 'get',
    path: '/api/v1/nodes/{node_id}',
    tag: 'Cluster',
    summary: 'Show a node',
    scope: 'nodes:read',
    pathParameters: nodePath,
    query: z.strictObject({}),
    replies: { 200: { description: 'The node.', schema: nodeSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: { path: { node_id: 'node-1' }, reply: exampleNode },
  },
} as const satisfies Readonly<Record<string, Operation>>;
