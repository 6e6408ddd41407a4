import { z } from 'zod';
import { aclSimulationResultSchema } from './access.ts';
import { clientPath } from './clients.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { MQTT_TEXT_MAX, named } from './schema.ts';

/** A verdict that the connection of a client remembers. */
export const rememberedVerdictSchema = named(
  'RememberedVerdict',
  z.object({
    action: z.enum(['publish', 'receive']),
    topic: z.string(),
    qos: z.literal([0, 1, 2]),
    retain: z.boolean().nullable().describe('Only of a PUBLISH.'),
    allowed: z.boolean(),
  }),
);

/** A verdict that the connection of a client remembers. */
export type RememberedVerdictView = z.infer<typeof rememberedVerdictSchema>;

/** What a client might want to do. */
export const authorizationCheckSchema = named(
  'AuthorizationCheck',
  z.strictObject({
    action: z.enum(['publish', 'subscribe', 'receive']),
    topic: z
      .string()
      .min(1)
      .max(MQTT_TEXT_MAX)
      .describe('Of `subscribe` a topic filter. As the broker names it: below mountpoints.'),
    qos: z.literal([0, 1, 2]).default(0),
    retain: z.boolean().default(false).describe('Only of `publish`.'),
  }),
);

const example: RememberedVerdictView = {
  ...{ action: 'publish', topic: 'presses/7/state', qos: 1, retain: false, allowed: true },
};

/** Operations on what a client may do. */
export const CLIENT_ACCESS_OPERATIONS = {
  listAuthorizationCache: {
    method: 'get',
    path: '/api/v1/clients/{client_id}/authorization-cache',
    tag: 'Clients',
    summary: 'List the verdicts that the connection of a client remembers',
    description:
      'By topic. Nothing is remembered where one verdict holds for all topics. A change of rules empties it by itself.',
    scope: 'clients:read',
    pathParameters: clientPath,
    query: z.strictObject({ ...pageQuery }),
    replies: {
      200: pageReply(
        'A page of verdicts.',
        listOf('RememberedVerdictList', rememberedVerdictSchema),
      ),
    },
    problems: ['not-found', 'invalid-cursor', 'node-unavailable'],
    example: {
      path: { client_id: 'press/7' },
      reply: {
        items: [example],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  clearAuthorizationCache: {
    method: 'delete',
    path: '/api/v1/clients/{client_id}/authorization-cache',
    tag: 'Clients',
    summary: 'Have all verdicts about a client asked for anew',
    scope: 'clients:execute',
    pathParameters: clientPath,
    query: z.strictObject({}),
    replies: { 204: { description: 'Emptied.' } },
    problems: ['not-found', 'node-unavailable'],
    example: { path: { client_id: 'press/7' } },
  },
  checkAuthorization: {
    method: 'post',
    path: '/api/v1/clients/{client_id}/authorization-checks',
    tag: 'Clients',
    summary: 'Ask whether a client may do something, and which rule says so',
    description:
      'Decided by the function that decides for clients, with the groups and rules that this client has shown when it connected, at the node that has it.',
    scope: 'acl:read',
    pathParameters: clientPath,
    query: z.strictObject({}),
    body: authorizationCheckSchema,
    replies: { 200: { description: 'The verdict.', schema: aclSimulationResultSchema } },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: {
      path: { client_id: 'press/7' },
      body: { action: 'publish', topic: 'presses/7/state', qos: 1 },
      reply: { allowed: false, rule: null, except: null },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
