import { z } from 'zod';
import {
  bridgeRuleCreateSchema,
  bridgeRuleOrderSchema,
  bridgeRulePatchSchema,
  bridgeRuleReplaceSchema,
  bridgeRuleSchema,
  rulePath,
} from './bridge-rules.ts';
import { BRIDGE_RULE_FILTERS } from './bridge-filters.ts';
import { filterQuery } from './filters.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';

const etag = { ETag: 'The revision of the rule.' };
const orderEtag = { ETag: 'The revision of the order of rules; send it as If-Match.' };
const ifMatch = { 'If-Match': 'The ETag last read, or `*`.' };

const exampleBody = {
  id: 'telemetry',
  bridge: 'main',
  direction: 'mqtt-to-kafka',
  filter: 'devices/+/telemetry',
  where: 'payload.temperature > 30',
  value: '{"id": clientId, "t": payload.temperature}',
  topic: 'telemetry',
  key: '${clientId}',
  headers: { 'mqtt-topic': '${topic}' },
  ack: 'kafka',
};
const exampleRule = { ...exampleBody, partition: 'key', source: 'api', enabled: true };
const exampleShown = {
  ...exampleRule,
  states: [{ node: 'node-1', state: 'running', last_error: null, spool: null }],
};

/** Operations on bridge rules. */
export const BRIDGE_RULE_OPERATIONS = {
  listBridgeRules: {
    method: 'get',
    path: '/api/v1/bridge-rules',
    tag: 'Bridge',
    summary: 'List bridge rules',
    description:
      'In the order of their ids, those of the configuration included; `position` is the place of each when a message comes.',
    scope: 'bridge_rules:read',
    query: z.strictObject({ ...pageQuery, ...filterQuery(BRIDGE_RULE_FILTERS) }),
    replies: {
      200: {
        ...pageReply('A page of rules.', listOf('BridgeRuleList', bridgeRuleSchema)),
        headers: { ...orderEtag, Link: 'The next page, `rel="next"`.' },
      },
    },
    problems: ['invalid-cursor', 'node-unavailable', 'storage-unavailable'],
    example: {
      reply: {
        items: [{ ...exampleShown, position: 1 }],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  orderBridgeRules: {
    method: 'put',
    path: '/api/v1/bridge-rules/order',
    tag: 'Bridge',
    summary: 'Put the bridge rules into another order',
    description:
      'All of them, those of the configuration too. Every rule that fits a message is asked, in this order: where a buffer has no room for all, the first have it. Records of different rules are sent independently of each other. In force on every node within two seconds; rules made later come behind.',
    scope: 'bridge_rules:write',
    query: z.strictObject({}),
    body: bridgeRuleOrderSchema,
    headers: { 'If-Match': 'The ETag of the list. Required.' },
    replies: {
      200: { description: 'Ordered.', schema: bridgeRuleOrderSchema, headers: orderEtag },
    },
    problems: [
      ...(['precondition-failed', 'precondition-required', 'unprocessable'] as const),
      ...(['node-unavailable', 'storage-unavailable'] as const),
    ],
    example: { body: { ids: ['telemetry'] }, reply: { ids: ['telemetry'] } },
  },
  createBridgeRule: {
    method: 'post',
    path: '/api/v1/bridge-rules',
    tag: 'Bridge',
    summary: 'Create a bridge rule',
    description:
      'Every node applies it within two seconds. A rule whose bridge is not there, or is of another kind than its direction needs, is refused with 422.',
    scope: 'bridge_rules:write',
    query: z.strictObject({}),
    body: bridgeRuleCreateSchema,
    replies: {
      201: {
        description: 'Created.',
        schema: bridgeRuleSchema,
        headers: { ...etag, Location: 'The path of the rule.' },
      },
    },
    problems: [
      'already-exists',
      'unprocessable',
      'invalid-filter',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: { body: exampleBody, reply: exampleRule },
  },
  getBridgeRule: {
    method: 'get',
    path: '/api/v1/bridge-rules/{rule_id}',
    tag: 'Bridge',
    summary: 'Show a bridge rule',
    scope: 'bridge_rules:read',
    pathParameters: rulePath,
    query: z.strictObject({}),
    headers: { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' },
    replies: {
      200: { description: 'The rule.', schema: bridgeRuleSchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { rule_id: 'telemetry' }, reply: exampleShown },
  },
  replaceBridgeRule: {
    method: 'put',
    path: '/api/v1/bridge-rules/{rule_id}',
    tag: 'Bridge',
    summary: 'Replace or create a bridge rule',
    description: '`If-Match` replaces, `If-None-Match: *` creates; one of them is required.',
    scope: 'bridge_rules:write',
    pathParameters: rulePath,
    query: z.strictObject({}),
    body: bridgeRuleReplaceSchema,
    headers: { ...ifMatch, 'If-None-Match': '`*` creates only.' },
    replies: {
      200: { description: 'Replaced.', schema: bridgeRuleSchema, headers: etag },
      201: { description: 'Created.', schema: bridgeRuleSchema, headers: etag },
    },
    problems: [
      'not-found',
      'conflict',
      'precondition-failed',
      'precondition-required',
      'unprocessable',
      'invalid-filter',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: { path: { rule_id: 'telemetry' }, body: exampleBody, reply: exampleRule },
  },
  patchBridgeRule: {
    method: 'patch',
    path: '/api/v1/bridge-rules/{rule_id}',
    tag: 'Bridge',
    summary: 'Pause or resume a bridge rule',
    description: 'A JSON Merge Patch (RFC 7396) of `enabled`; to change more, replace the rule.',
    scope: 'bridge_rules:write',
    pathParameters: rulePath,
    query: z.strictObject({}),
    body: bridgeRulePatchSchema,
    bodyType: 'application/merge-patch+json',
    headers: ifMatch,
    replies: { 200: { description: 'Changed.', schema: bridgeRuleSchema, headers: etag } },
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
      path: { rule_id: 'telemetry' },
      body: { enabled: false },
      reply: { ...exampleRule, enabled: false },
    },
  },
  deleteBridgeRule: {
    method: 'delete',
    path: '/api/v1/bridge-rules/{rule_id}',
    tag: 'Bridge',
    summary: 'Delete a bridge rule',
    scope: 'bridge_rules:write',
    pathParameters: rulePath,
    query: z.strictObject({}),
    headers: ifMatch,
    replies: { 204: { description: 'Deleted.' } },
    problems: [
      'not-found',
      'conflict',
      'precondition-failed',
      'precondition-required',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: { path: { rule_id: 'telemetry' } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
