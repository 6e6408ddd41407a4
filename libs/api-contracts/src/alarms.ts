import { z } from 'zod';
import { ALARM_NAMES } from './alarm-command.ts';
import { choiceField, filterQuery, textField, timeField } from './filters.ts';
import type { Operation } from './operation.ts';
import { listOf, pageQuery, pageReply } from './page.ts';
import { named, timestampSchema } from './schema.ts';

const SEVERITIES = ['critical', 'warning', 'info'] as const;

/** Somebody has seen an alarm. */
export const alarmAcknowledgementSchema = named(
  'AlarmAcknowledgement',
  z.object({
    by: z.string().describe('The caller.'),
    comment: z.string().nullable(),
    time: timestampSchema,
  }),
);

/** Somebody has seen an alarm. */
export type AlarmAcknowledgementView = z.infer<typeof alarmAcknowledgementSchema>;

/** Something that is, or was, wrong at a node. */
export const alarmSchema = named(
  'Alarm',
  z.object({
    id: z.string(),
    name: z
      .string()
      .describe(`That of the alert of Prometheus, where there is one: ${ALARM_NAMES.join(', ')}.`),
    node: z.string(),
    subject: z.string().nullable().describe('A listener or a bridge; null: the node itself.'),
    severity: z.enum(SEVERITIES),
    state: z.enum(['active', 'history']),
    summary: z.string(),
    since: timestampSchema,
    cleared_at: timestampSchema.nullable(),
    acknowledged: z.boolean(),
    acknowledgements: z.array(alarmAcknowledgementSchema),
  }),
);

/** Something that is, or was, wrong at a node. */
export type AlarmView = z.infer<typeof alarmSchema>;

/** What alarms can be listed by. */
export const ALARM_FILTERS = {
  name: textField(['eq', 'in'], 'What it is.'),
  node: textField(['eq', 'in'], 'The node that has raised it.'),
  severity: choiceField(
    SEVERITIES as unknown as [string, ...string[]],
    ['eq', 'in'],
    'How bad it is.',
  ),
  since: timeField(['gte', 'lte'], 'When it began.'),
} as const;

const alarmPath = z.strictObject({ alarm_id: z.string().min(1).max(128) });

const acknowledgement = {
  by: 'api-key:ops',
  comment: 'A new certificate is under way',
  time: '2026-01-02T04:00:00.000Z',
};
const example = {
  id: '0191d2c0-6b3e-7c4a-9f54-2f5f3a1f7e10',
  name: 'SkeinBrokerCertificateExpiry',
  node: 'node-1',
  subject: 'tls',
  severity: 'warning',
  state: 'active',
  summary: 'The certificate of CN=mqtt.example.com ends at 2026-01-10T00:00:00.000Z',
  since: '2026-01-02T03:04:05.678Z',
  cleared_at: null,
  acknowledged: true,
  acknowledgements: [acknowledgement],
};

/** Operations on alarms. */
export const ALARM_OPERATIONS = {
  listAlarms: {
    method: 'get',
    path: '/api/v1/alarms',
    tag: 'Alarms',
    summary: 'List alarms',
    description:
      'What nodes find wrong with themselves, the latest first: those that hold (`active`), or those that have held (`history`, of each node the latest 500 since its start). A condition is an alarm when it has held for five seconds, and none any more when it has not for ten. `alarm.raised` and `alarm.cleared` are events, too.',
    scope: 'alarms:read',
    query: z.strictObject({
      ...pageQuery,
      ...filterQuery(ALARM_FILTERS),
      state: z.enum(['active', 'history']).default('active'),
    }),
    replies: { 200: pageReply('A page of alarms.', listOf('AlarmList', alarmSchema)) },
    problems: ['invalid-cursor', 'node-unavailable'],
    example: {
      query: { state: 'active', severity: 'warning' },
      reply: {
        items: [example],
        page: { has_more: false, limit: 100 },
        meta: { partial: false, unavailable_nodes: [] },
      },
    },
  },
  getAlarm: {
    method: 'get',
    path: '/api/v1/alarms/{alarm_id}',
    tag: 'Alarms',
    summary: 'Show an alarm',
    scope: 'alarms:read',
    pathParameters: alarmPath,
    query: z.strictObject({}),
    replies: { 200: { description: 'The alarm.', schema: alarmSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: { path: { alarm_id: example.id }, reply: example },
  },
  deleteAlarm: {
    method: 'delete',
    path: '/api/v1/alarms/{alarm_id}',
    tag: 'Alarms',
    summary: 'Forget an alarm that does not hold any more',
    description: '409 while it holds: it ends with its cause. Acknowledge it instead.',
    scope: 'alarms:write',
    pathParameters: alarmPath,
    query: z.strictObject({}),
    replies: { 204: { description: 'Forgotten.' } },
    problems: ['not-found', 'conflict', 'node-unavailable'],
    example: { path: { alarm_id: example.id } },
  },
  acknowledgeAlarm: {
    method: 'post',
    path: '/api/v1/alarms/{alarm_id}/acknowledgements',
    tag: 'Alarms',
    summary: 'Say that an alarm has been seen',
    description: 'The alarm keeps the latest 20, and stays until its cause has gone.',
    scope: 'alarms:write',
    pathParameters: alarmPath,
    query: z.strictObject({}),
    body: named(
      'AlarmAcknowledge',
      z.strictObject({ comment: z.string().min(1).max(1_024).optional() }),
    ),
    replies: { 201: { description: 'Noted.', schema: alarmAcknowledgementSchema } },
    problems: ['not-found', 'node-unavailable'],
    example: {
      path: { alarm_id: example.id },
      body: { comment: acknowledgement.comment },
      reply: acknowledgement,
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
