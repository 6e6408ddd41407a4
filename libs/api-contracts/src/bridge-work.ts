import { z } from 'zod';
import { bridgeRuleStateSchema, rulePath } from './bridge-rules.ts';
import {
  bridgeEtag,
  bridgeIfMatch,
  bridgePath,
  bridgeSchema,
  bridgeStateSchema,
  exampleBridgeMade,
} from './bridges.ts';
import type { Operation } from './operation.ts';
import { metaSchema } from './page.ts';
import { countSchema, named, timestampSchema } from './schema.ts';

const bridgePatchSchema = named(
  'BridgePatch',
  z
    .looseObject({ enabled: z.boolean().exactOptional() })
    .describe(
      'A JSON Merge Patch (RFC 7396) of the fields that PUT takes: what is named is replaced, null takes a field out.',
    ),
);

/** What came of starting, stopping or restarting a bridge. */
export const bridgeActionSchema = named(
  'BridgeAction',
  z.object({
    id: z.string(),
    action: z.enum(['start', 'stop', 'restart']),
    enabled: z.boolean().describe('Whether its rules are to be at work.'),
    meta: metaSchema,
  }),
);

/** How a bridge and its rules fare on each node. */
export const bridgeStatusSchema = named(
  'BridgeStatus',
  z.object({
    id: z.string(),
    enabled: z.boolean(),
    nodes: z
      .array(
        bridgeStateSchema.extend({
          rules: z
            .array(bridgeRuleStateSchema.omit({ node: true }).extend({ id: z.string() }))
            .describe('The rules that name the bridge, in the order of their ids.'),
        }),
      )
      .describe('Each node that answers and has it.'),
    meta: metaSchema,
  }),
);

/** What rules have counted. */
export const ruleCountsSchema = named(
  'RuleCounts',
  z.object({
    matched: countSchema.describe('Messages or records that were of a rule.'),
    delivered: countSchema,
    filtered: countSchema.describe('Passed over by the expression `where`.'),
    failed: countSchema.describe('Refused, or not carried in time.'),
    dropped: countSchema.describe('Given up without an answer to anybody.'),
    dead_letters: countSchema.describe('Dead letters that were stored.'),
    retries: countSchema.describe('Attempts that were made again.'),
    reasons: z
      .record(z.string(), countSchema)
      .describe('Records that failed or were dropped, by reason.'),
    lag_records: countSchema.describe('How far rules that consume are behind, at the worst.'),
    held_records: countSchema.describe('Records that wait for another node.'),
    spool_records: countSchema,
    spool_bytes: countSchema,
  }),
);

const since = timestampSchema.describe(
  'When counting began: with the first start of the rule on the node, or with a reset.',
);

/** What the rules of a bridge have counted, by node and rule. */
export const bridgeMetricsSchema = named(
  'BridgeMetrics',
  z.object({
    id: z.string(),
    totals: ruleCountsSchema,
    nodes: z.array(
      z.object({
        node: z.string(),
        totals: ruleCountsSchema,
        rules: z.array(ruleCountsSchema.extend({ id: z.string(), since })),
      }),
    ),
    meta: metaSchema,
  }),
);

/** What a rule has counted, by node. */
export const bridgeRuleMetricsSchema = named(
  'BridgeRuleMetrics',
  z.object({
    id: z.string(),
    bridge: z.string(),
    totals: ruleCountsSchema,
    nodes: z.array(ruleCountsSchema.extend({ node: z.string(), since })),
    meta: metaSchema,
  }),
);

/** What came of an action. */
export type BridgeAction = z.infer<typeof bridgeActionSchema>;

/** How a bridge and its rules fare on each node. */
export type BridgeStatusView = z.infer<typeof bridgeStatusSchema>;

/** What rules have counted. */
export type RuleCounts = z.infer<typeof ruleCountsSchema>;

/** What the rules of a bridge have counted. */
export type BridgeMetrics = z.infer<typeof bridgeMetricsSchema>;

/** What a rule has counted. */
export type BridgeRuleMetrics = z.infer<typeof bridgeRuleMetricsSchema>;

const meta = { partial: false, unavailable_nodes: [] };
const exampleCounts = {
  ...{ matched: 1000, delivered: 990, filtered: 0, failed: 10, dropped: 0, dead_letters: 10 },
  ...{ retries: 2, reasons: { value_error: 10 }, lag_records: 0, held_records: 0 },
  ...{ spool_records: 0, spool_bytes: 0 },
};
const exampleSince = '2026-01-01T00:00:00.000Z';

const action = (name: 'start' | 'stop' | 'restart', text: string) =>
  ({
    method: 'post',
    path: `/api/v1/bridges/{bridge_id}/${name}`,
    tag: 'Bridge',
    summary: `${name[0]?.toUpperCase()}${name.slice(1)} a bridge`,
    description: text,
    scope: 'bridges:execute',
    pathParameters: bridgePath,
    query: z.strictObject({}),
    replies: {
      202: {
        description: 'Taken; `/status` tells how far nodes are.',
        schema: bridgeActionSchema,
        headers: { Location: 'Where to see what comes of it.' },
      },
    },
    problems: ['not-found', 'conflict', 'node-unavailable', 'storage-unavailable'],
    example: {
      path: { bridge_id: 'shop' },
      reply: { id: 'shop', action: name, enabled: name !== 'stop', meta },
    },
  }) as const;

/** Operations on bridges and rules at work. */
export const BRIDGE_WORK_OPERATIONS = {
  patchBridge: {
    method: 'patch',
    path: '/api/v1/bridges/{bridge_id}',
    tag: 'Bridge',
    summary: 'Change a part of a bridge',
    description: 'Its rules go on with the new settings within two seconds.',
    scope: 'bridges:write',
    pathParameters: bridgePath,
    query: z.strictObject({}),
    body: bridgePatchSchema,
    bodyType: 'application/merge-patch+json',
    headers: bridgeIfMatch,
    replies: { 200: { description: 'Changed.', schema: bridgeSchema, headers: bridgeEtag } },
    problems: [
      'not-found',
      'conflict',
      'precondition-failed',
      'precondition-required',
      'unprocessable',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: {
      path: { bridge_id: 'shop' },
      body: { compression: 'lz4' },
      reply: exampleBridgeMade,
    },
  },
  startBridge: action(
    'start',
    'Sets `enabled`: every node begins with its rules within two seconds, and after each restart. A bridge of the configuration is started there: 409.',
  ),
  stopBridge: action(
    'stop',
    'Clears `enabled`: no node has its rules at work, also after a restart, until somebody starts it. Meanwhile messages do not concern its rules; what they have in the spool waits. A bridge of the configuration is stopped there: 409.',
  ),
  restartBridge: action(
    'restart',
    'Its rules begin anew on every node, with new connections; what is in the spool waits for them. A node that does not answer is named, and may not have begun. A stopped bridge stays stopped: 409.',
  ),
  getBridgeStatus: {
    method: 'get',
    path: '/api/v1/bridges/{bridge_id}/status',
    tag: 'Bridge',
    summary: 'Show how a bridge fares',
    scope: 'bridges:read',
    pathParameters: bridgePath,
    query: z.strictObject({}),
    replies: { 200: { description: 'By node.', schema: bridgeStatusSchema } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: {
      path: { bridge_id: 'main' },
      reply: {
        id: 'main',
        enabled: true,
        nodes: [
          {
            ...{ node: 'node-1', state: 'connected', last_error: null },
            rules: [{ id: 'telemetry', state: 'running', last_error: null, spool: null }],
          },
        ],
        meta,
      },
    },
  },
  getBridgeMetrics: {
    method: 'get',
    path: '/api/v1/bridges/{bridge_id}/metrics',
    tag: 'Bridge',
    summary: 'Show what the rules of a bridge have counted',
    description: 'In the memory of each node: a restart of the node begins anew.',
    scope: 'bridges:read',
    pathParameters: bridgePath,
    query: z.strictObject({}),
    replies: { 200: { description: 'By node and rule.', schema: bridgeMetricsSchema } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: {
      path: { bridge_id: 'main' },
      reply: {
        id: 'main',
        totals: exampleCounts,
        nodes: [
          {
            node: 'node-1',
            totals: exampleCounts,
            rules: [{ ...exampleCounts, id: 'telemetry', since: exampleSince }],
          },
        ],
        meta,
      },
    },
  },
  resetBridgeMetrics: {
    method: 'post',
    path: '/api/v1/bridges/{bridge_id}/metrics/reset',
    tag: 'Bridge',
    summary: 'Set back what the rules of a bridge have counted',
    description:
      'What these operations show begins at 0; the metrics for Prometheus go on. When a node does not answer: 503, and those that did have begun anew.',
    scope: 'bridges:execute',
    pathParameters: bridgePath,
    query: z.strictObject({}),
    replies: { 204: { description: 'Set back on every node.' } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { bridge_id: 'main' } },
  },
  getBridgeRuleMetrics: {
    method: 'get',
    path: '/api/v1/bridge-rules/{rule_id}/metrics',
    tag: 'Bridge',
    summary: 'Show what a rule has counted',
    description: 'In the memory of each node: a restart of the node begins anew.',
    scope: 'bridge_rules:read',
    pathParameters: rulePath,
    query: z.strictObject({}),
    replies: { 200: { description: 'By node.', schema: bridgeRuleMetricsSchema } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: {
      path: { rule_id: 'telemetry' },
      reply: {
        ...{ id: 'telemetry', bridge: 'main', totals: exampleCounts },
        nodes: [{ ...exampleCounts, node: 'node-1', since: exampleSince }],
        meta,
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
