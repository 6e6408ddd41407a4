import { z } from 'zod';
import { nodePath } from './cluster.ts';
import { choiceField, filterQuery, textField, timeField } from './filters.ts';
import type { Operation } from './operation.ts';
import { listOf, metaSchema, pageQuery, pageReply } from './page.ts';
import { countSchema, flagSchema, named, timestampSchema } from './schema.ts';

const STATES = ['listening', 'stopping', 'stopped', 'failed'] as const;
const TYPES = ['tcp', 'ws', 'tls', 'wss'] as const;

const place = {
  type: z.enum(TYPES),
  state: z.enum(STATES).describe('`stopping`: it accepts no more, and its clients are sent away.'),
  address: z.string().describe('Where clients connect, as a URL.'),
  connections: countSchema,
  connections_max: countSchema,
  last_error: z.string().nullable().describe('Why it has failed.'),
};

const listenerPlaceSchema = z.object({ node: z.string(), ...place });

/** See the type of the same name. */
export const listenerSchema = named(
  'Listener',
  z.object({
    id: z.string().describe('Its name in the configuration.'),
    nodes: z.array(listenerPlaceSchema),
  }),
);

/** A listener, and how it stands on each node. */
export type ListenerView = z.infer<typeof listenerSchema>;

/** See the type of the same name. */
export const listenerReplySchema = named(
  'ListenerReply',
  listenerSchema.extend({ meta: metaSchema }),
);

/** A listener, and which nodes have not said how it stands. */
export type ListenerReply = z.infer<typeof listenerReplySchema>;

/** See the type of the same name. */
export const nodeListenersSchema = named(
  'NodeListeners',
  z.object({ node: z.string(), listeners: z.array(z.object({ id: z.string(), ...place })) }),
);

/** The listeners of a node. */
export type NodeListenersView = z.infer<typeof nodeListenersSchema>;

/** See the type of the same name. */
export const certificateSchema = named(
  'Certificate',
  z.object({
    node: z.string(),
    listener: z.string(),
    names: z
      .array(z.string())
      .describe('The host names that clients ask for; empty for the one that all others get.'),
    subject: z.string(),
    issuer: z.string(),
    serial_number: z.string(),
    fingerprint: z.string().describe('SHA-256 in hexadecimal digits.'),
    not_before: timestampSchema,
    expires_at: timestampSchema,
  }),
);

/** A certificate that a listener shows to clients. */
export type CertificateView = z.infer<typeof certificateSchema>;

/** See the type of the same name. */
export const reloadSchema = named(
  'CertificateReload',
  z.object({
    results: z.array(
      z.object({
        node: z.string(),
        listener: z.string(),
        status: z.enum(['reloaded', 'failed']),
        detail: z.string().nullable().describe('Why the certificates before stay in use.'),
      }),
    ),
    meta: metaSchema,
  }),
);

/** What came of reading certificates anew. */
export type CertificateReloadView = z.infer<typeof reloadSchema>;

/** What listeners can be filtered by. */
export const LISTENER_FIELDS = {
  node: textField(['eq', 'in'], 'A node that has it.'),
  type: choiceField(TYPES, ['eq', 'in'], 'What it speaks on a node.'),
  state: choiceField(STATES, ['eq', 'in'], 'How it stands on a node.'),
};

/** What certificates can be filtered by. */
export const CERTIFICATE_FIELDS = {
  node: textField(['eq', 'in'], 'The node.'),
  listener: textField(['eq', 'in'], 'The listener.'),
  expires_at: timeField(['gte', 'lte'], 'When it ends.'),
};

const listenerPath = z.strictObject({ listener_id: z.string().min(1).max(64) });
const nodeQuery = {
  node: z.string().min(1).max(256).optional().describe('Only on this node. All if absent.'),
};

const examplePlace = {
  type: 'tcp',
  state: 'listening',
  address: 'mqtt://127.0.0.1:1883',
  connections: 2,
  connections_max: 100_000,
  last_error: null,
};
const exampleListener = { id: 'tcp', nodes: [{ node: 'node-1', ...examplePlace }] };
const exampleMeta = { partial: false, unavailable_nodes: [] };
const examplePage = { page: { has_more: false, limit: 100 }, meta: exampleMeta };

const accepted = {
  description: 'How it stands by now.',
  schema: listenerReplySchema,
  headers: { Location: 'The listener.' },
};
const example = {
  path: { listener_id: 'tcp' },
  reply: { ...exampleListener, meta: exampleMeta },
};

const switched = (action: 'start' | 'stop' | 'restart', summary: string, description: string) =>
  ({
    method: 'post',
    path: `/api/v1/listeners/{listener_id}/${action}`,
    tag: 'Listeners',
    summary,
    description,
    scope: 'listeners:execute',
    pathParameters: listenerPath,
    replies: { 202: accepted },
    problems: ['not-found', 'node-unavailable'],
    example,
  }) as const;

/** Operations on listeners and their certificates. */
export const LISTENER_OPERATIONS = {
  listListeners: {
    method: 'get',
    path: '/api/v1/listeners',
    tag: 'Listeners',
    summary: 'List listeners',
    description: 'By name, with how each stands on the nodes that meet the filters.',
    scope: 'listeners:read',
    query: z.strictObject({ ...pageQuery, ...filterQuery(LISTENER_FIELDS) }),
    replies: { 200: pageReply('A page of listeners.', listOf('ListenerList', listenerSchema)) },
    problems: ['invalid-cursor', 'node-unavailable'],
    example: { reply: { items: [exampleListener], ...examplePage } },
  },
  getListener: {
    method: 'get',
    path: '/api/v1/listeners/{listener_id}',
    tag: 'Listeners',
    summary: 'Show a listener',
    scope: 'listeners:read',
    pathParameters: listenerPath,
    query: z.strictObject({}),
    replies: { 200: { description: 'The listener.', schema: listenerReplySchema } },
    problems: ['not-found', 'node-unavailable'],
    example,
  },
  startListener: {
    ...switched(
      'start',
      'Start a listener',
      'Has it accept connections; where it does, nothing changes. `failed` says that a node could not open it.',
    ),
    query: z.strictObject(nodeQuery),
  },
  stopListener: {
    ...switched(
      'stop',
      'Stop a listener',
      'Has it accept no more connections, until it is started or its node is. Its clients stay, unless they are to be drained.',
    ),
    query: z.strictObject({
      ...nodeQuery,
      drain: flagSchema
        .default(false)
        .describe('Whether its clients are sent away, as a drain of the node does.'),
    }),
    problems: ['not-found', 'conflict', 'node-unavailable'],
  },
  restartListener: {
    ...switched(
      'restart',
      'Restart a listener',
      'Stops it and starts it, with its certificates read anew. Its clients stay.',
    ),
    query: z.strictObject(nodeQuery),
  },
  listNodeListeners: {
    method: 'get',
    path: '/api/v1/nodes/{node_id}/listeners',
    tag: 'Listeners',
    summary: 'List the listeners of a node',
    scope: 'nodes:read',
    pathParameters: nodePath,
    query: z.strictObject({}),
    replies: { 200: { description: 'All of them.', schema: nodeListenersSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: {
      path: { node_id: 'node-1' },
      reply: { node: 'node-1', listeners: [{ id: 'tcp', ...examplePlace }] },
    },
  },
  listCertificates: {
    method: 'get',
    path: '/api/v1/certificates',
    tag: 'Listeners',
    summary: 'List certificates',
    description:
      'What listeners with TLS show to clients, on each node; the first to end is first.',
    scope: 'certificates:read',
    query: z.strictObject({ ...pageQuery, ...filterQuery(CERTIFICATE_FIELDS) }),
    replies: {
      200: pageReply('A page of certificates.', listOf('CertificateList', certificateSchema)),
    },
    problems: ['invalid-cursor', 'node-unavailable'],
    example: {
      reply: {
        items: [
          {
            node: 'node-1',
            listener: 'tls',
            names: [],
            subject: 'CN=mqtt.example.org',
            issuer: 'CN=Example CA',
            serial_number: '01',
            fingerprint: 'a'.repeat(64),
            not_before: '2026-01-02T03:04:05.000Z',
            expires_at: '2027-01-02T03:04:05.000Z',
          },
        ],
        ...examplePage,
      },
    },
  },
  reloadCertificates: {
    method: 'post',
    path: '/api/v1/certificates/reloads',
    tag: 'Listeners',
    summary: 'Read certificates anew',
    description:
      'On every node, for connections that come; those that are open go on. Files that cannot be used change nothing. Nodes look at the files every two seconds anyway.',
    scope: 'certificates:execute',
    query: z.strictObject(nodeQuery),
    replies: { 200: { description: 'The result of each listener.', schema: reloadSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: {
      reply: {
        results: [{ node: 'node-1', listener: 'tls', status: 'reloaded', detail: null }],
        meta: exampleMeta,
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
