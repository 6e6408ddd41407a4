import { z } from 'zod';
import { configChangeSchema } from './config.ts';
import type { Operation } from './operation.ts';
import { metaSchema } from './page.ts';
import { flagSchema, named, timestampSchema } from './schema.ts';

const settingsSchema = z.record(z.string().max(100), z.unknown());

/** See the type of the same name. */
export const clusterSchema = named(
  'Cluster',
  z.object({
    name: z.string(),
    mode: z.enum(['embedded', 'cluster']),
    nodes: z.array(
      z.object({
        id: z.string(),
        state: z.enum(['alive', 'draining']),
        version: z.string(),
        started_at: timestampSchema,
      }),
    ),
    settings: settingsSchema.describe(
      'What may be set of the cluster while it runs, with the values in force: sections with keys, as in the configuration file; null where a key is absent. `/api/v1/config` has all keys, and where values come from.',
    ),
    differing: z
      .array(z.string())
      .describe(
        'Keys of `settings` of which nodes say different things; `/api/v1/config` says which.',
      ),
    meta: metaSchema.describe('Nodes that have not said what they go by.'),
  }),
);

/** The cluster, its members and what may be set of it. */
export type ClusterView = z.infer<typeof clusterSchema>;

/** See the type of the same name. */
export const clusterChangeSchema = named(
  'ClusterChange',
  configChangeSchema.extend({
    dry_run: z.boolean().describe('Whether nothing was stored: so it would be.'),
  }),
);

/** A change of settings of the cluster, and who goes by it. */
export type ClusterChangeView = z.infer<typeof clusterChangeSchema>;

const etag = {
  ETag: 'The version of the settings, that of `/api/v1/config`; send it as If-Match.',
};
const settings = { limits: { inflightMax: 64 } };
const meta = { partial: false, unavailable_nodes: [] };

/** The cluster, and what is set of it. */
export const CLUSTER_SETTING_OPERATIONS = {
  getCluster: {
    method: 'get',
    path: '/api/v1/cluster',
    tag: 'Cluster',
    summary: 'Show the cluster, its members and its settings',
    scope: 'cluster:read',
    query: z.strictObject({}),
    replies: { 200: { description: 'The cluster.', schema: clusterSchema, headers: etag } },
    problems: ['node-unavailable', 'storage-unavailable'],
    example: {
      reply: {
        name: 'skein',
        mode: 'embedded',
        nodes: [
          {
            id: 'node-1',
            state: 'alive',
            version: '0.0.0',
            started_at: '2026-01-02T03:04:05.678Z',
          },
        ],
        ...{ settings, differing: [], meta },
      },
    },
  },
  patchCluster: {
    method: 'patch',
    path: '/api/v1/cluster',
    tag: 'Cluster',
    summary: 'Change settings of the cluster',
    description:
      'Sets on all nodes, while they run, what `PATCH /api/v1/config` sets: it makes a version of the configuration, with history and rollbacks. A key that does not exist or wants a restart is refused.',
    scope: 'cluster:write',
    query: z.strictObject({
      dry_run: flagSchema
        .optional()
        .describe('Changes nothing: every node says whether it could, the reply how it would be.'),
    }),
    body: named(
      'ClusterPatch',
      z.strictObject({
        settings: settingsSchema.describe('A merge patch; null takes back what is set of a key.'),
      }),
    ),
    bodyType: 'application/merge-patch+json',
    headers: { 'If-Match': 'The ETag last read. Required.' },
    replies: {
      200: {
        description: 'Stored, or with `dry_run` how it would be.',
        schema: clusterChangeSchema,
        headers: etag,
      },
    },
    problems: [
      ...(['precondition-failed', 'precondition-required', 'unprocessable'] as const),
      ...(['node-unavailable', 'storage-unavailable'] as const),
    ],
    example: {
      query: { dry_run: 'true' },
      body: { settings },
      reply: {
        ...{ dry_run: true, version: 3, overrides: settings, applied: [], refused: [], meta },
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
