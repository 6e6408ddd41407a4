import { z } from 'zod';
import { nodePath } from './cluster.ts';
import type { Operation } from './operation.ts';
import { listOf, metaSchema, pageQuery, pageReply } from './page.ts';
import { countSchema, named, timestampSchema } from './schema.ts';

const STATES = [
  'waiting',
  'shedding',
  'settling',
  'drained',
  'completed',
  'stopped',
  'aborted',
] as const;

const rate = z
  .int()
  .min(1)
  .max(100_000)
  .optional()
  .describe('Clients that are sent away each second. As configured if absent.');
const seconds = (description: string, most: number) =>
  z.int().min(0).max(most).describe(description);

const progress = {
  state: z
    .enum(STATES)
    .describe('`drained`: nobody is left, and clients that come are told to go elsewhere.'),
  connections_per_second: countSchema,
  started_at: timestampSchema,
  ended_at: timestampSchema.nullable(),
  total: countSchema.describe('Clients that were to go.'),
  gone: countSchema,
  remaining: countSchema,
  detail: z.string().nullable().describe('Why it was aborted.'),
};

/** What is asked of a drain. */
export const drainCreateSchema = named(
  'DrainCreate',
  z.strictObject({
    connections_per_second: rate,
    wait_health_check_seconds: seconds(
      'How long the node is not ready, and tells new clients to go elsewhere, before the first client goes.',
      600,
    ).default(0),
    server_reference: z
      .string()
      .regex(/^\S+(?: \S+)*$/)
      .max(1024)
      .optional()
      .describe('Where MQTT 5 clients are sent with 0x9C; without any they are told 0x8B.'),
    deadline_seconds: seconds(
      'When all have to have gone; the rate grows to meet it. As configured if absent.',
      3_600,
    )
      .min(1)
      .optional(),
    even_if_last: z
      .boolean()
      .default(false)
      .describe('Begins although no other node serves clients: those sent away can go nowhere.'),
  }),
);

/** A drain of a node, as replies have it. */
export const drainSchema = named('Drain', z.object({ node: z.string(), ...progress }));

/** A drain of a node. */
export type DrainReply = z.infer<typeof drainSchema>;

/** Whether a node is kept from new clients, as replies have it. */
export const maintenanceSchema = named(
  'Maintenance',
  z.object({ node: z.string(), enabled: z.boolean(), since: timestampSchema.nullable() }),
);

/** Whether a node is kept from new clients. */
export type MaintenanceView = z.infer<typeof maintenanceSchema>;

const untilSchema = timestampSchema
  .nullable()
  .describe('Until when it ends without a drain, if asked to end; null if it drains first.');

/** Which nodes would end without a drain, as replies have it. */
export const drainSkipSchema = named(
  'DrainSkip',
  z.object({
    nodes: z.array(z.object({ node: z.string(), until: untilSchema })),
    meta: metaSchema,
  }),
);

/** Which nodes would end without a drain. */
export type DrainSkipView = z.infer<typeof drainSkipSchema>;

/** What is asked of a rebalance. */
export const rebalanceCreateSchema = named(
  'RebalanceCreate',
  z.strictObject({
    nodes: z
      .array(z.string().min(1).max(256))
      .min(2)
      .max(1_000)
      .optional()
      .describe('Among which nodes; all that serve clients if absent.'),
    relative_threshold: z
      .number()
      .min(1.01)
      .max(100)
      .default(1.1)
      .describe(
        'A node gives clients away if it has so many times as many as the one with the fewest,',
      ),
    absolute_threshold: z
      .int()
      .min(1)
      .max(10_000_000)
      .default(1_000)
      .describe('and more than so many more.'),
    connections_per_second: rate,
    wait_health_check_seconds: seconds('How long donors are not ready before.', 600).default(60),
    wait_takeover_seconds: seconds('How long donors are not ready after.', 600).default(60),
    dry_run: z.boolean().default(false),
  }),
);

const planSchema = z.object({
  node: z.string(),
  role: z.enum(['donor', 'recipient', 'neutral']),
  connections: countSchema,
  to_shed: countSchema,
});

/** A rebalance with its plan, as replies have it. */
export const rebalanceSchema = named(
  'Rebalance',
  z.object({
    id: z.string().nullable().describe('Null for a dry run, and where nothing is to be done.'),
    state: z.enum(['planned', 'balanced', 'running', 'completed', 'stopped', 'aborted']),
    goal: countSchema.nullable().describe('Clients of each node that are aimed at, if known.'),
    plan: z.array(planSchema),
    nodes: z.array(z.object({ node: z.string(), ...progress })),
    meta: metaSchema,
  }),
);

/** A rebalance: its plan, and how far each donor is. */
export type RebalanceView = z.infer<typeof rebalanceSchema>;

/** How far a rebalance is, as replies have it. */
export const rebalanceRunSchema = named(
  'RebalanceRun',
  z.object({
    id: z.string(),
    state: z.enum(['running', 'completed', 'stopped', 'aborted']),
    nodes: z.array(z.object({ node: z.string(), ...progress })),
    meta: metaSchema,
  }),
);

/** How far a rebalance is. */
export type RebalanceRun = z.infer<typeof rebalanceRunSchema>;

const rebalanceListSchema = listOf('RebalanceList', rebalanceRunSchema.omit({ meta: true }));

const exampleProgress = {
  state: 'shedding',
  connections_per_second: 200,
  started_at: '2026-01-02T03:04:05.678Z',
  ended_at: null,
  total: 2_000,
  gone: 400,
  remaining: 1_600,
  detail: null,
};
const exampleDrain = { node: 'node-1', ...exampleProgress };
const exampleMeta = { partial: false, unavailable_nodes: [] };
const exampleSkip = {
  nodes: [{ node: 'node-1', until: '2026-01-02T03:09:05.678Z' }],
  meta: exampleMeta,
};
const exampleRun = { id: 'r-1', state: 'running', nodes: [exampleDrain] };
const rebalancePath = z.strictObject({ rebalance_id: z.string().min(1).max(64) });
const path = { node_id: 'node-1' };

const ofNode = {
  tag: 'Drains',
  pathParameters: nodePath,
  query: z.strictObject({}),
} as const;

const ofCluster = {
  tag: 'Drains',
  path: '/api/v1/cluster/drain-skip',
  query: z.strictObject({}),
} as const;

/** Operations that send clients away from nodes, or keep them away. */
export const DRAIN_OPERATIONS = {
  startDrain: {
    ...ofNode,
    method: 'post',
    path: '/api/v1/nodes/{node_id}/drains',
    summary: 'Drain a node',
    description:
      'Sends its clients to other nodes at a rate, idle ones first; each may take two seconds to end its handshakes. The last node that serves clients is drained only with `even_if_last`. New clients are told to go elsewhere, and the node is not ready, until the drain is stopped or the node starts anew. Wills of clients that come back elsewhere in time are not published.',
    scope: 'nodes:execute',
    body: drainCreateSchema,
    replies: {
      202: {
        description: 'It has begun.',
        schema: drainSchema,
        headers: { Location: 'The drain.' },
      },
    },
    problems: ['not-found', 'conflict', 'node-unavailable'],
    example: { path, body: { connections_per_second: 200 }, reply: exampleDrain },
  },
  getDrain: {
    ...ofNode,
    method: 'get',
    path: '/api/v1/nodes/{node_id}/drains',
    summary: 'Show the drain of a node',
    description: 'The present one, or the latest since its start.',
    scope: 'nodes:read',
    replies: { 200: { description: 'The drain.', schema: drainSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: { path, reply: exampleDrain },
  },
  stopDrain: {
    ...ofNode,
    method: 'delete',
    path: '/api/v1/nodes/{node_id}/drains',
    summary: 'Stop the drain of a node',
    description: 'Who is still connected stays, and clients may come again.',
    scope: 'nodes:execute',
    replies: { 204: { description: 'It has ended.' } },
    problems: ['not-found', 'node-unavailable'],
    example: { path },
  },
  getDrainSkip: {
    ...ofCluster,
    method: 'get',
    summary: 'Show which nodes would end without a drain',
    scope: 'nodes:read',
    replies: { 200: { description: 'Each node.', schema: drainSkipSchema } },
    problems: ['node-unavailable'],
    example: { reply: exampleSkip },
  },
  setDrainSkip: {
    ...ofCluster,
    method: 'put',
    summary: 'Let nodes end without a drain for some time',
    description:
      'A node that is asked to end (SIGTERM) within that time sends all clients away at once, without a lame-duck period, hands over what it has and ends: for a cluster that is to go as a whole. A node that starts later knows nothing of it.',
    scope: 'nodes:execute',
    body: named(
      'DrainSkipChange',
      z.strictObject({ seconds: seconds('From now on.', 3_600).min(1) }),
    ),
    replies: { 200: { description: 'Each node.', schema: drainSkipSchema } },
    problems: ['node-unavailable'],
    example: { body: { seconds: 300 }, reply: exampleSkip },
  },
  clearDrainSkip: {
    ...ofCluster,
    method: 'delete',
    summary: 'Have nodes drain again before they end',
    scope: 'nodes:execute',
    replies: { 204: { description: 'All nodes do.' } },
    problems: ['node-unavailable'],
    example: {},
  },
  getMaintenance: {
    ...ofNode,
    method: 'get',
    path: '/api/v1/nodes/{node_id}/maintenance',
    summary: 'Show whether a node is kept from new clients',
    scope: 'nodes:read',
    replies: { 200: { description: 'Whether it is.', schema: maintenanceSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: { path, reply: { node: 'node-1', enabled: false, since: null } },
  },
  enterMaintenance: {
    ...ofNode,
    method: 'put',
    path: '/api/v1/nodes/{node_id}/maintenance',
    summary: 'Keep a node from new clients',
    description:
      'It is not ready, so load balancers send nobody there, and keeps its clients. Ends when it is lifted or the node starts anew.',
    scope: 'nodes:execute',
    replies: { 200: { description: 'It is in maintenance.', schema: maintenanceSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: {
      path,
      reply: { node: 'node-1', enabled: true, since: '2026-01-02T03:04:05.678Z' },
    },
  },
  leaveMaintenance: {
    ...ofNode,
    method: 'delete',
    path: '/api/v1/nodes/{node_id}/maintenance',
    summary: 'Let new clients come to a node again',
    scope: 'nodes:execute',
    replies: { 204: { description: 'It is not in maintenance.' } },
    problems: ['not-found', 'node-unavailable'],
    example: { path },
  },
  listRebalances: {
    method: 'get',
    path: '/api/v1/rebalances',
    tag: 'Drains',
    summary: 'List rebalances',
    description: 'Those that nodes know of since their start, the latest 20 each.',
    scope: 'nodes:read',
    query: z.strictObject({ ...pageQuery }),
    replies: { 200: pageReply('A page of rebalances.', rebalanceListSchema) },
    problems: ['invalid-cursor', 'node-unavailable'],
    example: {
      reply: { items: [exampleRun], page: { has_more: false, limit: 100 }, meta: exampleMeta },
    },
  },
  startRebalance: {
    method: 'post',
    path: '/api/v1/rebalances',
    tag: 'Drains',
    summary: 'Rebalance clients over nodes',
    description:
      'Nodes with too many clients send some away, each once, and are not ready meanwhile, so that load balancers send these to the others. It goes no further when one of the nodes dies. With `dry_run`, or where nothing is to be done, the reply is 200.',
    scope: 'nodes:execute',
    query: z.strictObject({}),
    body: rebalanceCreateSchema,
    replies: {
      202: {
        description: 'It has begun.',
        schema: rebalanceSchema,
        headers: { Location: 'The rebalance.' },
      },
      200: { description: 'The plan; nothing was begun.', schema: rebalanceSchema },
    },
    problems: ['conflict', 'unprocessable', 'node-unavailable'],
    example: {
      body: { connections_per_second: 200 },
      reply: {
        id: 'r-1',
        state: 'running',
        goal: 1_000,
        plan: [
          { node: 'node-1', role: 'donor', connections: 3_000, to_shed: 2_000 },
          { node: 'node-2', role: 'recipient', connections: 0, to_shed: 0 },
        ],
        nodes: [exampleDrain],
        meta: exampleMeta,
      },
    },
  },
  getRebalance: {
    method: 'get',
    path: '/api/v1/rebalances/{rebalance_id}',
    tag: 'Drains',
    summary: 'Show a rebalance',
    scope: 'nodes:read',
    pathParameters: rebalancePath,
    query: z.strictObject({}),
    replies: { 200: { description: 'How far each donor is.', schema: rebalanceRunSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: { path: { rebalance_id: 'r-1' }, reply: { ...exampleRun, meta: exampleMeta } },
  },
  stopRebalance: {
    method: 'delete',
    path: '/api/v1/rebalances/{rebalance_id}',
    tag: 'Drains',
    summary: 'Stop a rebalance',
    scope: 'nodes:execute',
    pathParameters: rebalancePath,
    query: z.strictObject({}),
    replies: { 204: { description: 'Nobody goes any more.' } },
    problems: ['not-found', 'node-unavailable'],
    example: { path: { rebalance_id: 'r-1' } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
