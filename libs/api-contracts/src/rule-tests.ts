import { z } from 'zod';
import { bridgeRuleCreateSchema, rulePath } from './bridge-rules.ts';
import {
  messageFields,
  messagePropertiesSchema,
  payloadEncodingSchema,
  payloadFault,
  payloadSchema,
} from './messages.ts';
import type { Operation } from './operation.ts';
import { MQTT_TEXT_MAX, countSchema, named, timestampSchema } from './schema.ts';

const text = z.string().max(MQTT_TEXT_MAX);
const encoding = payloadEncodingSchema.default('plain');

/** Refuses what is not in the encoding that stands beside it. */
const inItsEncoding =
  <Field extends string>(field: Field) =>
  (sample: Readonly<Record<string, unknown>>, context: z.RefinementCtx): void => {
    const stated = payloadEncodingSchema.parse(sample[`${field}_encoding`]);
    const message = payloadFault(sample[field], stated);
    if (message !== undefined) context.addIssue({ code: 'custom', path: [field], message });
  };

/** A message for the dry run of a rule. */
export const sampleMessageSchema = named(
  'SampleMessage',
  z
    .strictObject({
      ...messageFields,
      client_id: z.string().max(MQTT_TEXT_MAX).default('').describe('Who published it.'),
      username: z.string().max(MQTT_TEXT_MAX).optional().describe('With which user name.'),
    })
    .superRefine(inItsEncoding('payload'))
    .describe('A message as a client would publish it, for rules from MQTT.'),
);

/** A record for the dry run of a rule. */
export const sampleRecordSchema = named(
  'SampleRecord',
  z
    .strictObject({
      key: payloadSchema.describe('As `value`; absent: the record has none.'),
      key_encoding: encoding,
      value: payloadSchema,
      value_encoding: encoding,
      headers: z
        .array(z.strictObject({ name: text.min(1), value: text }))
        .max(100)
        .default([])
        .describe('Names may repeat.'),
      partition: z.int().min(0).default(0),
      offset: z
        .string()
        .max(19)
        .regex(/^\d{1,19}$/)
        .default('0')
        .describe('A text, since it has 64 bits.'),
      timestamp: timestampSchema.optional().describe('RFC 3339 in UTC; absent: now.'),
    })
    .superRefine(inItsEncoding('key'))
    .superRefine(inItsEncoding('value'))
    .describe('A record as the Kafka topic of the rule would hold it, for rules to MQTT.'),
);

const sample = { message: sampleMessageSchema.optional(), record: sampleRecordSchema.optional() };

const oneOfThem = (
  given: { readonly message?: unknown; readonly record?: unknown },
  context: z.RefinementCtx,
): void => {
  if ((given.message === undefined) !== (given.record === undefined)) return;
  context.addIssue({ code: 'custom', path: [], message: 'Give either a message or a record' });
};

/** What the dry run of a rule takes. */
export const ruleSampleSchema = named('RuleSample', z.strictObject(sample).superRefine(oneOfThem));
const trialSchema = named(
  'RuleTrial',
  z.strictObject({ rule: bridgeRuleCreateSchema, ...sample }).superRefine(oneOfThem),
);

/** A message for the dry run of a rule, checked. */
export type SampleMessage = z.output<typeof sampleMessageSchema>;

/** A record for the dry run of a rule, checked. */
export type SampleRecord = z.output<typeof sampleRecordSchema>;

/** What the dry run of a rule takes, checked. */
export type RuleSample = z.output<typeof ruleSampleSchema>;

const made = {
  value: z.unknown().describe('In the encoding stated.'),
  value_encoding: payloadEncodingSchema.describe(
    '`json` where the bytes are this JSON, written without spaces; `plain` for other UTF-8; else `base64`.',
  ),
  value_bytes: countSchema,
};

/** What a rule would make of a sample. */
export const ruleTestSchema = named(
  'RuleTest',
  z.object({
    matched: z.boolean().describe('Whether the sample is of the rule.'),
    unmatched_by: z
      .enum(['filter', 'where'])
      .nullable()
      .describe('What it did not pass; null when it is of the rule.'),
    record: z
      .object({
        target: z.string().describe('The Kafka topic, the path, or the exchange.'),
        routing_key: z.string().nullable().describe('Of rules to RabbitMQ; else null.'),
        partition: z
          .object({
            by: z.enum(['key', 'round-robin', 'number']),
            number: z
              .int()
              .nullable()
              .describe('Modulo the number of partitions; null unless by number.'),
          })
          .nullable()
          .describe('How the partition is chosen, of rules to Kafka; else null.'),
        key: z.string(),
        key_encoding: z.enum(['plain', 'base64']),
        headers: z
          .array(
            z.object({
              name: z.string(),
              value: z.string(),
              value_encoding: z.enum(['plain', 'base64']),
            }),
          )
          .describe('In order; names may repeat.'),
        ...made,
      })
      .nullable()
      .describe('What a rule from MQTT would send.'),
    message: z
      .object({
        topic: z.string(),
        qos: z.literal([0, 1, 2]),
        retain: z.boolean(),
        properties: messagePropertiesSchema.extend({
          message_expiry_interval: countSchema.optional().describe('Seconds.'),
        }),
        ...made,
      })
      .nullable()
      .describe('What a rule to MQTT would publish.'),
    error: z
      .object({
        stage: z
          .string()
          .describe('Where it went wrong: a field of the rule, `template`, `topic` or `consume`.'),
        code: z.string(),
        detail: z.string(),
        position: z
          .int()
          .nullable()
          .describe('Characters of the expression up to and including what failed, where known.'),
      })
      .nullable()
      .describe('Why the rule can never carry it.'),
  }),
);

/** What a rule would make of a sample. */
export type RuleTest = z.infer<typeof ruleTestSchema>;

const exampleMessage = {
  topic: 'devices/7/telemetry',
  payload: { temperature: 31 },
  payload_encoding: 'json',
  qos: 1,
  client_id: 'press-7',
};
const exampleReply = {
  matched: true,
  unmatched_by: null,
  record: {
    target: 'telemetry',
    routing_key: null,
    partition: { by: 'key', number: null },
    key: 'press-7',
    key_encoding: 'plain',
    headers: [{ name: 'mqtt-topic', value: 'devices/7/telemetry', value_encoding: 'plain' }],
    value: { id: 'press-7', t: 31 },
    value_encoding: 'json',
    value_bytes: 23,
  },
  message: null,
  error: null,
};

const shared = {
  method: 'post',
  tag: 'Bridge',
  scope: 'bridge_rules:execute',
  query: z.strictObject({}),
  replies: { 200: { description: 'What the rule would make of it.', schema: ruleTestSchema } },
} as const;

/** Dry runs of bridge rules. */
export const RULE_TEST_OPERATIONS = {
  testBridgeRule: {
    ...shared,
    path: '/api/v1/bridge-rules/{rule_id}/tests',
    summary: 'Try a bridge rule on a sample',
    description:
      'What the rule, enabled or not, would make of a message or record, or why it can make nothing of it. Nothing is sent, kept or counted. A rule from MQTT takes a message, one to MQTT a record.',
    pathParameters: rulePath,
    body: ruleSampleSchema,
    problems: [
      'not-found',
      'unprocessable',
      'invalid-topic',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: {
      path: { rule_id: 'telemetry' },
      body: { message: exampleMessage },
      reply: exampleReply,
    },
  },
  testUnsavedBridgeRule: {
    ...shared,
    path: '/api/v1/bridge-rules/tests',
    summary: 'Try a bridge rule that is not saved',
    description:
      'As the test of a saved rule. A rule that could not be saved, because an expression does not compile for example, is refused with 422 and the same text.',
    body: trialSchema,
    problems: [
      'unprocessable',
      'invalid-filter',
      'invalid-topic',
      'node-unavailable',
      'storage-unavailable',
    ],
    example: {
      body: {
        rule: {
          id: 'telemetry',
          bridge: 'main',
          direction: 'mqtt-to-kafka',
          filter: 'devices/+/telemetry',
          where: 'payload.temperature > 30',
          value: '{"id": clientId, "t": payload.temperature}',
          topic: 'telemetry',
        },
        message: exampleMessage,
      },
      reply: exampleReply,
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
