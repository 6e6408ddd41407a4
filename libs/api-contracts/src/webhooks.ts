import { z } from 'zod';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { countSchema, named, timestampSchema } from './schema.ts';
import { EVENT_TYPES } from './streams.ts';

const URL_MAX = 2_048;
const TEXT_MAX = 256;
const SECRET_FAULT = 'must be whsec_ and the base64 of 24 to 64 random bytes';

/** Only that it is a URL: where it may lead is a matter of settings, and of where its name leads at each delivery. */
function isHookUrl(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.username === '' &&
    url.password === '' &&
    url.hash === ''
  );
}

function isSecret(text: string): boolean {
  const [, base64] = /^whsec_([A-Za-z0-9+/]{32,88}={0,2})$/.exec(text) ?? [];
  if (base64 === undefined) return false;
  const bytes = (base64.replaceAll('=', '').length * 3) / 4;
  return bytes >= 24 && bytes < 65;
}

const shape = {
  url: z
    .string()
    .max(URL_MAX)
    .refine(isHookUrl, {
      error: 'must be an https: or http: URL without user, password and fragment',
    })
    .describe(
      'Where events are posted. Whoever may read webhooks sees it: secrets do not belong into it.',
    ),
  description: z.string().max(TEXT_MAX).default(''),
  events: z
    .array(z.enum(EVENT_TYPES))
    .max(EVENT_TYPES.length)
    .default([])
    .describe('Types of events; empty: all.'),
  enabled: z
    .boolean()
    .default(true)
    .describe('Paused when false. Enabled again, it is told of what happens from then on.'),
  batch_events_max: z
    .number()
    .int()
    .min(1)
    .max(500)
    .default(50)
    .describe('Events of a request; one has fewer when there are no more, or at 256 KiB.'),
  timeout_seconds: z.number().int().min(1).max(30).default(10).describe('For an answer.'),
};

const secret = z
  .string()
  .max(100)
  .refine(isSecret, { error: SECRET_FAULT })
  .describe(
    'What requests are signed with: `whsec_` and the base64 of 24 to 64 random bytes. Never shown.',
  );

/** Whom the cluster tells of events by HTTP. */
export const webhookSchema = named(
  'Webhook',
  z.object({
    id: z.string(),
    ...shape,
    created_at: timestampSchema,
    created_by: z.string(),
  }),
);

/** Whom the cluster tells of events by HTTP. */
export type WebhookView = z.output<typeof webhookSchema>;

/** A webhook that is wanted. */
export const webhookCreateSchema = named('WebhookCreate', z.strictObject({ ...shape, secret }));

/** A webhook as it is to be from now on. */
export const webhookReplaceSchema = named(
  'WebhookReplace',
  z.strictObject({
    ...shape,
    secret: secret.exactOptional().describe('Another one. Absent: the one that it has.'),
  }),
);

/** What is to become of a webhook. */
export const webhookPatchSchema = named(
  'WebhookPatch',
  z.strictObject({
    url: shape.url.exactOptional(),
    description: z.string().max(TEXT_MAX).nullable().exactOptional(),
    events: z.array(z.enum(EVENT_TYPES)).max(EVENT_TYPES.length).nullable().exactOptional(),
    enabled: z.boolean().exactOptional(),
    batch_events_max: z.number().int().min(1).max(500).nullable().exactOptional(),
    timeout_seconds: z.number().int().min(1).max(30).nullable().exactOptional(),
    secret: secret.exactOptional(),
  }),
);

/** A webhook as definitions have it: without its secret when it comes out. */
export const definedWebhookSchema = named(
  'DefinedWebhook',
  z.strictObject({
    id: z
      .string()
      .max(64)
      .regex(/^[a-z0-9]{1,64}$/),
    ...shape,
    secret: secret
      .exactOptional()
      .describe('Never exported. Needed for one that is not there yet; absent: it keeps its own.'),
  }),
);

/** A webhook as definitions have it. */
export type DefinedWebhook = z.output<typeof definedWebhookSchema>;

const attempt = z.object({
  at: timestampSchema,
  status: z.number().int().nullable().describe('Of the answer; null when there was none.'),
  detail: z.string().describe('Why it counts as failed; empty for a delivery.'),
  latency_ms: z.number().min(0),
});

/** A request to a webhook, and what came of it. */
export const webhookDeliverySchema = named(
  'WebhookDelivery',
  z.object({
    id: z.string().describe('The `webhook-id` of the request, the same in each attempt.'),
    state: z
      .enum(['delivered', 'failed', 'retrying'])
      .describe('`failed`: given up after the last attempt; its events are lost.'),
    event_count: countSchema,
    attempts: z.array(attempt),
    next_attempt_at: timestampSchema.nullable(),
    ended_at: timestampSchema.nullable(),
  }),
);

/** A request to a webhook, and what came of it. */
export type WebhookDeliveryView = z.output<typeof webhookDeliverySchema>;

/** What came of a request that was only to show that it arrives. */
export const webhookTestSchema = named(
  'WebhookTest',
  z.object({
    delivered: z.boolean(),
    status: z.number().int().nullable(),
    detail: z.string(),
    latency_ms: z.number().min(0),
  }),
);

/** What came of a request that was only to show that it arrives. */
export type WebhookTestView = z.output<typeof webhookTestSchema>;

const webhookPath = z.strictObject({ webhook_id: z.string().min(1).max(TEXT_MAX) });
const etag = { ETag: 'The revision; send it as If-Match.' };
const ifMatch = { 'If-Match': 'The ETag last read. Required.' };
const known = { 'If-None-Match': 'ETags already known; an equal one is answered with 304.' };
const none = z.strictObject({});
const page = { has_more: false, limit: 100 };
const meta = { partial: false, unavailable_nodes: [] };
const changed = ['not-found', 'precondition-failed', 'precondition-required'] as const;

const example: WebhookView = {
  id: 'w7q2m5x4k3n6p2r7',
  url: 'https://hooks.example/skein',
  description: 'On-call',
  events: ['node.joined', 'node.left'],
  enabled: true,
  batch_events_max: 50,
  timeout_seconds: 10,
  created_at: '2026-01-02T03:04:05.678Z',
  created_by: 'key:k3n6p2r7w7q2m5x4',
};
const exampleSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=';
const exampleBody = {
  url: example.url,
  description: example.description,
  events: [...example.events],
  secret: exampleSecret,
};
const exampleAttempt = {
  ...{ at: '2026-01-02T04:00:00.000Z', status: 503, latency_ms: 12.5 },
  detail: 'the endpoint answered 503',
};

/** Operations on webhooks. */
export const WEBHOOK_OPERATIONS = {
  listWebhooks: {
    ...{ method: 'get', path: '/api/v1/webhooks', tag: 'Webhooks' },
    summary: 'List whom the cluster tells of events',
    scope: 'webhooks:read',
    query: z.strictObject({ ...pageQuery }),
    replies: { 200: pageReply('A page of webhooks.', listOf('WebhookList', webhookSchema)) },
    problems: ['invalid-cursor'],
    example: { reply: { items: [example], page, meta } },
  },
  createWebhook: {
    ...{ method: 'post', path: '/api/v1/webhooks', tag: 'Webhooks' },
    summary: 'Have events posted to an endpoint',
    description:
      'Events from now on, those of `GET /events`, in JSON by POST: `{type: "events", timestamp, webhook, events: [{id, type, time, node, …}]}`. Requests are signed as Standard Webhooks says, in `webhook-id`, `webhook-timestamp` and `webhook-signature`. Any answer but 2xx is a failure; a request is sent ten times at most, after 1, 2, 4 … 60 s or what `Retry-After` asks for, and then given up. One request at a time, so that events of a node come in their order. Addresses that are not of the internet, and http:, are refused unless `api.webhooks.allowPrivate` is set; redirects are not followed.',
    scope: 'webhooks:write',
    query: none,
    body: webhookCreateSchema,
    replies: {
      201: {
        description: 'Made.',
        schema: webhookSchema,
        headers: { ...etag, Location: 'The path of the webhook.' },
      },
    },
    problems: ['unprocessable', 'limit-reached'],
    example: { body: exampleBody, reply: example },
  },
  getWebhook: {
    ...{ method: 'get', path: '/api/v1/webhooks/{webhook_id}', tag: 'Webhooks' },
    summary: 'Show a webhook',
    scope: 'webhooks:read',
    pathParameters: webhookPath,
    query: none,
    headers: known,
    replies: {
      200: {
        description: 'The webhook, without its secret.',
        schema: webhookSchema,
        headers: etag,
      },
      304: { description: 'Not changed.', headers: etag },
    },
    problems: ['not-found'],
    example: { path: { webhook_id: example.id }, reply: example },
  },
  replaceWebhook: {
    ...{ method: 'put', path: '/api/v1/webhooks/{webhook_id}', tag: 'Webhooks' },
    summary: 'Replace a webhook',
    description:
      'Events that it has not got yet go to where it is now. Without `secret` it keeps the one that it has.',
    scope: 'webhooks:write',
    pathParameters: webhookPath,
    query: none,
    body: webhookReplaceSchema,
    headers: ifMatch,
    replies: { 200: { description: 'Replaced.', schema: webhookSchema, headers: etag } },
    problems: [...changed, 'unprocessable'],
    example: { path: { webhook_id: example.id }, body: exampleBody, reply: example },
  },
  patchWebhook: {
    ...{ method: 'patch', path: '/api/v1/webhooks/{webhook_id}', tag: 'Webhooks' },
    summary: 'Change a webhook',
    description: 'A JSON Merge Patch (RFC 7396); null gives a field its default.',
    scope: 'webhooks:write',
    pathParameters: webhookPath,
    query: none,
    body: webhookPatchSchema,
    bodyType: 'application/merge-patch+json',
    headers: ifMatch,
    replies: { 200: { description: 'Changed.', schema: webhookSchema, headers: etag } },
    problems: [...changed, 'unprocessable'],
    example: {
      path: { webhook_id: example.id },
      body: { enabled: false },
      reply: { ...example, enabled: false },
    },
  },
  deleteWebhook: {
    ...{ method: 'delete', path: '/api/v1/webhooks/{webhook_id}', tag: 'Webhooks' },
    summary: 'Tell an endpoint of events no longer',
    scope: 'webhooks:write',
    pathParameters: webhookPath,
    query: none,
    headers: ifMatch,
    replies: { 204: { description: 'Deleted.' } },
    problems: changed,
    example: { path: { webhook_id: example.id } },
  },
  testWebhook: {
    ...{ method: 'post', path: '/api/v1/webhooks/{webhook_id}/tests', tag: 'Webhooks' },
    summary: 'Post a request without events to a webhook',
    description:
      'Once, signed as any other, with `type: "test"`; also while the webhook is paused. It is not among its deliveries.',
    scope: 'webhooks:execute',
    pathParameters: webhookPath,
    query: none,
    replies: { 200: { description: 'What came of it.', schema: webhookTestSchema } },
    problems: ['not-found'],
    example: {
      path: { webhook_id: example.id },
      reply: { delivered: true, status: 204, detail: '', latency_ms: 41.2 },
    },
  },
  listWebhookDeliveries: {
    ...{ method: 'get', path: '/api/v1/webhooks/{webhook_id}/deliveries', tag: 'Webhooks' },
    summary: 'List requests to a webhook, the latest first',
    description:
      'The one that is to be repeated comes first. Of all webhooks together the latest 20,000 are kept, for a week.',
    scope: 'webhooks:read',
    pathParameters: webhookPath,
    query: z.strictObject({
      ...pageQuery,
      state: z.enum(['delivered', 'failed', 'retrying']).optional(),
    }),
    replies: {
      200: pageReply('A page of deliveries.', listOf('WebhookDeliveryList', webhookDeliverySchema)),
    },
    problems: ['not-found', 'invalid-cursor'],
    example: {
      path: { webhook_id: example.id },
      reply: {
        items: [
          {
            ...{ id: 'msg_d0c5b2', state: 'retrying', event_count: 3 },
            attempts: [exampleAttempt],
            ...{ next_attempt_at: '2026-01-02T04:00:01.000Z', ended_at: null },
          },
        ],
        page,
        meta,
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
