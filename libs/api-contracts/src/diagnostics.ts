import { z } from 'zod';
import { ACCEPTED, acceptedExample } from './long-operations.ts';
import type { Operation } from './operation.ts';
import { named } from './schema.ts';

const NODES_MAX = 100;

/** What to gather. */
export const diagnosticsRequestSchema = named(
  'DiagnosticsRequest',
  z.strictObject({
    nodes: z
      .array(z.string().min(1).max(256))
      .min(1)
      .max(NODES_MAX)
      .optional()
      .describe('Ids of nodes; all if absent.'),
    heap_snapshot: z
      .boolean()
      .default(false)
      .describe(
        'Has each of the nodes, one after the other, write a snapshot of its heap to its own disk: it serves nobody meanwhile, about a second for each 50 MB.',
      ),
  }),
);

/** Operations for whoever looks for a cause. */
export const DIAGNOSTICS_OPERATIONS = {
  gatherDiagnostics: {
    method: 'post',
    path: '/api/v1/diagnostics',
    tag: 'System',
    summary: 'Gather what helps to find a cause',
    description:
      'A long operation whose `result` is a bundle to be sent to whoever helps: of the replica that makes it and of each node the version, what is switched on, figures, metrics, configuration (secrets masked), health checks, listeners, certificates, alarms, the states of its bridge rules, the figures of the latest hour, its process and its latest log lines. `missing` says of each what could not be had, `left_out` what would have made the bundle too large. It holds no payloads and no secrets, but client ids, addresses and topics as logs do. A heap snapshot holds everything that a node has in its memory, secrets too: it is no part of the bundle, stays on the disk of the node as a file that nobody else may read, and replaces the one before; a node whose heap is above 128 MiB, or whose disk is nearly full, refuses.',
    scope: 'diagnostics:execute',
    topics: [],
    query: z.strictObject({}),
    body: diagnosticsRequestSchema,
    replies: { 202: ACCEPTED },
    problems: ['limit-reached', 'storage-unavailable'],
    example: {
      body: { nodes: ['node-1'] },
      reply: { ...acceptedExample('diagnostics'), result_scope: 'diagnostics:execute' },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
