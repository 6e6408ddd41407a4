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
export const listenerDetailSchema = named(
  'ListenerDetail',
  listenerSchema.extend({
    configured: z.boolean().describe('Whether the configuration of nodes has it.'),
    settings: z
      .record(z.string(), z.unknown())
      .describe('What is set over REST, above the configuration of every node.'),
    refused: z
      .array(z.object({ node: z.string(), detail: z.string() }))
      .describe('Nodes that have it not as it is set, and why: there it is as before.'),
    meta: metaSchema,
  }),
);

/** A listener with what is set of it over REST. */
export type ListenerDetail = z.infer<typeof listenerDetailSchema>;

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

const listenerId = z
  .string()
  .max(32)
  .regex(/^[a-z][a-z0-9-]{0,31}$/)
  .describe('1 to 32 of a-z, 0-9 and hyphens; a letter first.');
const settingsSchema = z
  .record(z.string().max(64), z.unknown())
  .describe(
    'Keys of a listener as in the configuration file, for example `port`, `tls` or `rules`.',
  );
const exampleSettings = { transport: 'tcp', host: '0.0.0.0', port: 1884 };
const exampleDetail = {
  ...{ id: 'plant-7', configured: false, settings: exampleSettings, refused: [] },
  nodes: [{ node: 'node-1', ...examplePlace, address: 'mqtt://0.0.0.0:1884' }],
  meta: exampleMeta,
};
const etag = { ETag: 'The revision; send it as If-Match.' };
const ifMatch = { 'If-Match': 'The ETag last read. Required.' };
const changed = {
  200: { description: 'How it stands by now.', schema: listenerDetailSchema, headers: etag },
};
const changeProblems = [
  ...(['not-found', 'precondition-failed', 'precondition-required', 'unprocessable'] as const),
  ...(['node-unavailable', 'storage-unavailable'] as const),
] as const;
const CHANGE =
  'On every node, at once, also on nodes that join later and after restarts. Connections that are open go on by what they began with. A node that cannot open it so keeps it as it was, and `refused` or `last_error` says why.';

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
    headers: { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' },
    replies: {
      200: { description: 'The listener.', schema: listenerDetailSchema, headers: etag },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: ['not-found', 'node-unavailable', 'storage-unavailable'],
    example: { path: { listener_id: 'plant-7' }, reply: exampleDetail },
  },
  createListener: {
    method: 'post',
    path: '/api/v1/listeners',
    tag: 'Listeners',
    summary: 'Make a listener',
    description: `With \`transport\` and \`port\`; every other key has its default. ${CHANGE} Files of TLS are files of the nodes, in a directory where their configuration has files of listeners, or in \`bridge.secrets.dir\`.`,
    scope: 'listeners:write',
    query: z.strictObject({}),
    body: named('ListenerDraft', z.strictObject({ id: listenerId, settings: settingsSchema })),
    replies: {
      201: {
        description: 'Made.',
        schema: listenerDetailSchema,
        headers: { ...etag, Location: 'The listener.' },
      },
    },
    problems: [
      ...(['already-exists', 'limit-reached', 'unprocessable'] as const),
      ...(['node-unavailable', 'storage-unavailable'] as const),
    ],
    example: { body: { id: 'plant-7', settings: exampleSettings }, reply: exampleDetail },
  },
  replaceListener: {
    method: 'put',
    path: '/api/v1/listeners/{listener_id}',
    tag: 'Listeners',
    summary: 'Set a listener',
    description: `What was set over REST before is replaced as a whole; what the configuration of a node says of it stays below. ${CHANGE}`,
    scope: 'listeners:write',
    pathParameters: listenerPath,
    query: z.strictObject({}),
    headers: {
      'If-Match': 'The ETag last read. Required, unless it is to be made.',
      'If-None-Match': '`*` makes it, and never replaces it.',
    },
    body: named('ListenerChange', z.strictObject({ settings: settingsSchema })),
    replies: {
      200: changed[200],
      201: { description: 'Made.', schema: listenerDetailSchema, headers: etag },
    },
    problems: ['limit-reached', ...changeProblems],
    example: {
      path: { listener_id: 'plant-7' },
      body: { settings: exampleSettings },
      reply: exampleDetail,
    },
  },
  patchListener: {
    method: 'patch',
    path: '/api/v1/listeners/{listener_id}',
    tag: 'Listeners',
    summary: 'Change a listener',
    description: `A merge patch; null takes back what is set over REST. \`{"settings": {"enabled": false}}\` closes it for good. ${CHANGE}`,
    scope: 'listeners:write',
    pathParameters: listenerPath,
    query: z.strictObject({}),
    headers: ifMatch,
    body: named('ListenerPatch', z.strictObject({ settings: settingsSchema })),
    bodyType: 'application/merge-patch+json',
    replies: changed,
    problems: ['limit-reached', ...changeProblems],
    example: {
      path: { listener_id: 'plant-7' },
      body: { settings: { connectionsMax: 500 } },
      reply: {
        ...exampleDetail,
        settings: { ...exampleSettings, connectionsMax: 500 },
        nodes: exampleDetail.nodes.map((each) => ({ ...each, connections_max: 500 })),
      },
    },
  },
  deleteListener: {
    method: 'delete',
    path: '/api/v1/listeners/{listener_id}',
    tag: 'Listeners',
    summary: 'Remove a listener',
    description:
      'It accepts no more; connections that are open go on, so send them away before with `stop?drain=true`. A listener of the configuration loses what was set over REST, and is as it is there.',
    scope: 'listeners:write',
    pathParameters: listenerPath,
    query: z.strictObject({}),
    headers: ifMatch,
    replies: { 204: { description: 'Removed.' } },
    problems: ['conflict', ...changeProblems.filter((each) => each !== 'unprocessable')],
    example: { path: { listener_id: 'plant-7' } },
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
