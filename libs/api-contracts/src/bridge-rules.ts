import { z } from 'zod';
import { named } from './schema.ts';
import { topicFilterSchema } from './topic.ts';

const ruleId = z
  .string()
  .max(64)
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/)
  .describe('1 to 64 letters, digits, dots, hyphens and underscores; not `.` or `..`.');

const newRuleId = ruleId.refine((id) => id !== 'order', {
  error: 'must not be `order`, which stands for the order of all rules',
});

const bridgeId = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9._-]{1,64}$/)
  .describe(
    'The bridge that it carries to or from, by its id: one of the configuration, or one that was made here.',
  );

const template = z.string().min(1).max(1024);
const placeholders = z
  .string()
  .max(1024)
  .regex(/\$\{.+\}/);
const kafkaTopic = template.describe('Kafka topic.');

const onFull = z.enum(['reject', 'drop-oldest', 'drop-newest', 'block']);

/** How a rule uses the spool. */
export const bridgeRuleSpoolSchema = named(
  'BridgeRuleSpool',
  z
    .strictObject({
      bytes_max: z
        .int()
        .min(1_048_576)
        .exactOptional()
        .describe('Most bytes that the rule takes of the spool of a node; by default all of it.'),
      age_seconds_max: z
        .int()
        .min(1)
        .exactOptional()
        .describe(
          'How old records may become before the other side has them; older ones are dropped and counted.',
        ),
      on_full: onFull
        .exactOptional()
        .describe(
          'What becomes of a record when the spool is full: `reject` refuses its publisher (0x97), `drop-oldest` makes room, `drop-newest` drops and acknowledges it, `block` lets it wait.',
        ),
    })
    .describe('How the rule uses the spool, where that differs from the configuration.'),
);

const expression = z.string().min(1).max(8192);
const where = expression
  .exactOptional()
  .describe('JSONata expression: only that for which it is true is of the rule.');

const outward = {
  bridge: bridgeId,
  enabled: z.boolean().default(true),
  filter: topicFilterSchema,
  where,
  value: expression
    .exactOptional()
    .describe('JSONata expression that gives the value of the record; the default is the payload.'),
  key: template.default('${clientId}').describe('Template of the record key; order holds per key.'),
  headers: z
    .record(z.string().min(1).max(256), z.string().max(1024))
    .default({})
    .describe('Header name to template.'),
  spool: bridgeRuleSpoolSchema.exactOptional(),
  keep_dead_letters: z
    .boolean()
    .optional()
    .describe(
      'Whether Skein keeps records itself that are refused for good, or of which none can be made: see `/dead-letters`. Not together with a place for them on the other side.',
    ),
  allow_loop: z
    .boolean()
    .optional()
    .describe(
      'Whether the rule also takes what rules from Kafka have brought in. By default it does not, so that nothing goes round in circles.',
    ),
};

const schemaFormat = z.enum(['avro', 'protobuf', 'json-schema']);
const text = z.string().min(1).max(1024);

/** The schema that a rule to Kafka writes values by. */
export const bridgeRuleSchemaSchema = named(
  'BridgeRuleSchema',
  z
    .strictObject({
      format: schemaFormat,
      subject: text.exactOptional().describe('By default the Kafka topic and `-value`.'),
      version: z.union([z.literal('latest'), z.int().min(1).max(2_147_483_647)]).default('latest'),
      message_type: text
        .exactOptional()
        .describe('Which message of a Protobuf schema; by default its first.'),
    })
    .describe(
      "The schema of the bridge's registry by which JSON payloads become the values of records. One that does not fit is refused.",
    ),
);

const readSchema = z
  .strictObject({ format: schemaFormat })
  .describe("Values name schemas of the bridge's registry, of this format, and become JSON.");

const deadLetter = (field: string) =>
  z
    .string()
    .max(1024)
    .optional()
    .describe(
      `${field} of records that are refused for good, or of which none can be made. No template. Without it they are given up.`,
    );

const kafkaWay = {
  ...outward,
  direction: z.literal('mqtt-to-kafka'),
  topic: kafkaTopic.describe('Template of the Kafka topic.'),
  allow_topics: z
    .array(
      z
        .string()
        .max(250)
        .regex(/^[\w.-]{1,249}\*?$|^\*$/),
    )
    .min(1)
    .max(100)
    .optional()
    .describe('What the template of `topic` may give; `tenant-*` allows all that begin so.'),
  partition: template
    .default('key')
    .describe(
      '`key`: by the key. `round-robin`: in no order. Else a template that gives a number, modulo the number of partitions.',
    ),
  schema: bridgeRuleSchemaSchema.exactOptional(),
  dead_letter_topic: deadLetter('Kafka topic'),
  ack: z
    .enum(['none', 'spool', 'kafka'])
    .default('spool')
    .describe(
      'What PUBACK waits for. `spool`: the disk of the node. `kafka`: all in-sync replicas. `none`: nothing.',
    ),
};

const webhookWay = {
  ...outward,
  direction: z.literal('mqtt-to-webhook'),
  path: template
    .default('/')
    .describe("Template of the path behind that of the bridge's URL; `/` means the URL itself."),
  dead_letter_path: deadLetter('Path'),
  ack: z
    .enum(['none', 'spool', 'webhook'])
    .default('spool')
    .describe(
      'What PUBACK waits for. `spool`: the disk of the node. `webhook`: a 2xx of the endpoint. `none`: nothing.',
    ),
};

const rabbitmqWay = {
  ...outward,
  direction: z.literal('mqtt-to-rabbitmq'),
  exchange: z
    .string()
    .max(1024)
    .default('')
    .describe('Template of the exchange; an empty one means the default exchange.'),
  routing_key: z
    .string()
    .max(1024)
    .describe('Template of the routing key; a message that no queue takes is refused.'),
  dead_letter_exchange: deadLetter('Exchange (an empty one means the default exchange)'),
  dead_letter_routing_key: z
    .string()
    .max(255)
    .optional()
    .describe('Routing key of dead letters; by default each keeps that of its message.'),
  ack: z
    .enum(['none', 'spool', 'rabbitmq'])
    .default('spool')
    .describe(
      'What PUBACK waits for. `spool`: the disk of the node. `rabbitmq`: the confirm. `none`: nothing.',
    ),
};

const inward = {
  bridge: bridgeId,
  direction: z.literal('kafka-to-mqtt'),
  enabled: z.boolean().default(true),
  topic: kafkaTopic.describe('The Kafka topic to consume.'),
  schema: readSchema.optional(),
  where,
  value: expression
    .exactOptional()
    .describe(
      'JSONata expression that gives the payload of the message; the default is the value of the record.',
    ),
  mqtt_topic: template.describe('Template of the MQTT topic.'),
  qos: z
    .union([z.literal([0, 1, 2]), placeholders])
    .default(1)
    .describe('A template gives 0, 1, 2, or nothing, which means 1.'),
  retain: z
    .union([z.boolean(), placeholders])
    .default(false)
    .describe('A template gives true, 1, false, 0, or nothing, which means false.'),
  expiry_seconds: template
    .optional()
    .describe('Template of the message expiry interval, from when the message is published.'),
  content_type: template.optional().describe('Template.'),
  response_topic: template.optional().describe('Template.'),
  correlation_data: template
    .optional()
    .describe('Template; a single placeholder passes bytes on as they are.'),
  user_properties: z
    .record(z.string().min(1).max(256), z.string().max(1024))
    .optional()
    .describe('User properties: name to template. Those that come out empty are left out.'),
  on_error: z
    .enum(['skip', 'stop', 'dlq'])
    .default('skip')
    .describe(
      'What becomes of a record that can never be published. `dlq`: it goes to `dead_letter_topic`. `stop`: its partition waits.',
    ),
  dead_letter_topic: kafkaTopic.optional().describe('The Kafka topic of dead letters, for `dlq`.'),
  start_when: z
    .enum(['always', 'subscribers'])
    .default('always')
    .describe(
      '`subscribers`: records wait while no session in the cluster is subscribed to what `mqtt_topic` may give.',
    ),
};

const toKafka = named('MqttToKafkaRule', z.strictObject({ id: newRuleId, ...kafkaWay }));
const toRabbitmq = named('MqttToRabbitmqRule', z.strictObject({ id: newRuleId, ...rabbitmqWay }));
const toWebhook = named('MqttToWebhookRule', z.strictObject({ id: newRuleId, ...webhookWay }));
const toMqtt = named('KafkaToMqttRule', z.strictObject({ id: newRuleId, ...inward }));

/** A rule to create. Its id is chosen by the caller. */
export const bridgeRuleCreateSchema = named(
  'BridgeRuleCreate',
  z.discriminatedUnion('direction', [toKafka, toMqtt, toWebhook, toRabbitmq]),
);

/** A rule as PUT gives it: the id is that of the path. */
export const bridgeRuleReplaceSchema = named(
  'BridgeRuleReplace',
  z.discriminatedUnion('direction', [
    named('MqttToKafkaRuleReplace', z.strictObject({ id: ruleId.optional(), ...kafkaWay })),
    named('KafkaToMqttRuleReplace', z.strictObject({ id: ruleId.optional(), ...inward })),
    named('MqttToWebhookRuleReplace', z.strictObject({ id: ruleId.optional(), ...webhookWay })),
    named('MqttToRabbitmqRuleReplace', z.strictObject({ id: ruleId.optional(), ...rabbitmqWay })),
  ]),
);

/** A change of a rule: pause and resume. */
export const bridgeRulePatchSchema = named(
  'BridgeRulePatch',
  z.strictObject({
    enabled: z
      .boolean()
      .exactOptional()
      .describe('`false` pauses the rule: what it has in the spool waits. `true` resumes it.'),
  }),
);

/** How a rule fares on one node. */
export const bridgeRuleStateSchema = named(
  'BridgeRuleState',
  z.object({
    node: z.string(),
    state: z
      .enum(['running', 'degraded', 'stopped'])
      .describe('`degraded`: the other side refuses or does not answer.'),
    last_error: z.string().nullable().describe('Why it does not run; null when it does.'),
    spool: z
      .object({ records: z.int(), bytes: z.int() })
      .nullable()
      .describe('What waits in the spool of the node; null for a rule that does not use it.'),
  }),
);

/** A rule as the API shows it. */
export const bridgeRuleSchema = named(
  'BridgeRule',
  z.object({
    id: z.string(),
    bridge: z.string(),
    source: z
      .enum(['config', 'api'])
      .describe('Rules of the configuration cannot be changed over REST.'),
    direction: z.enum(['mqtt-to-kafka', 'kafka-to-mqtt', 'mqtt-to-webhook', 'mqtt-to-rabbitmq']),
    enabled: z.boolean(),
    filter: z.string().optional(),
    topic: z.string().optional().describe('The Kafka topic, or its template.'),
    where: z.string().optional(),
    value: z.string().optional(),
    allow_topics: z.array(z.string()).optional(),
    schema: z.union([bridgeRuleSchemaSchema, readSchema]).optional(),
    path: z.string().optional(),
    exchange: z.string().optional(),
    routing_key: z.string().optional(),
    dead_letter_path: z.string().optional(),
    dead_letter_exchange: z.string().optional(),
    dead_letter_routing_key: z.string().optional(),
    key: z.string().optional(),
    partition: z.string().optional(),
    headers: z.record(z.string(), z.string()).optional(),
    ack: z.enum(['none', 'spool', 'kafka', 'webhook', 'rabbitmq']).optional(),
    spool: bridgeRuleSpoolSchema.exactOptional(),
    allow_loop: z.boolean().optional(),
    keep_dead_letters: z.boolean().optional(),
    mqtt_topic: z.string().optional(),
    qos: z.union([z.literal([0, 1, 2]), z.string()]).optional(),
    retain: z.union([z.boolean(), z.string()]).optional(),
    expiry_seconds: z.string().optional(),
    content_type: z.string().optional(),
    response_topic: z.string().optional(),
    correlation_data: z.string().optional(),
    user_properties: z.record(z.string(), z.string()).optional(),
    on_error: z.enum(['skip', 'stop', 'dlq']).optional(),
    dead_letter_topic: z.string().optional(),
    start_when: z.enum(['always', 'subscribers']).optional(),
    position: z
      .int()
      .min(1)
      .optional()
      .describe('Its place in the order of all rules. In lists only.'),
    states: z
      .array(bridgeRuleStateSchema)
      .optional()
      .describe(
        'How the rule fares, by node: of each node that answers and knows it. In replies to GET only, and no part of the ETag.',
      ),
  }),
);

/** A rule to create, checked. */
export type BridgeRuleCreate = z.output<typeof bridgeRuleCreateSchema>;

/** How a rule uses the spool. */
export type BridgeRuleSpool = z.infer<typeof bridgeRuleSpoolSchema>;

/** The schema that a rule to Kafka writes values by. */
export type BridgeRuleSchema = z.output<typeof bridgeRuleSchemaSchema>;

/** The order of all rules. */
export const bridgeRuleOrderSchema = named(
  'BridgeRuleOrder',
  z.strictObject({ ids: z.array(z.string().min(1).max(256)).min(1).max(10_000) }),
);

/** How a rule fares on one node. */
export type BridgeRuleState = z.infer<typeof bridgeRuleStateSchema>;

/** A rule as the API shows it. */
export type BridgeRuleView = z.infer<typeof bridgeRuleSchema>;

/** The path parameter of one rule. */
export const rulePath = z.strictObject({ rule_id: ruleId });
