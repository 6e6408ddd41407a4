import { z } from 'zod';

const id = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, {
    error: 'must be 1 to 64 letters, digits, dots, underscores or hyphens',
  })
  .meta({
    description: 'Name of the rule, unique.',
    expects: '1 to 64 letters, digits, `.`, `_`, `-`',
  });

const bridge = z
  .string({ error: 'must be the id of a bridge' })
  .min(1, { error: 'must be the id of a bridge' })
  .max(64, { error: 'must be the id of a bridge' })
  .meta({ description: 'What it carries to or from.', expects: 'the id of one of `bridges`' });

const text = (description: string, expects: string) => {
  const error = `must be ${expects} of 1 to 1,024 characters`;
  return z.string({ error }).min(1, { error }).max(1_024, { error }).meta({ description, expects });
};

const optionalText = (description: string, expects: string) =>
  text(description, expects).exactOptional().meta({ description, expects });

const placeholders = z
  .string()
  .max(1_024)
  .regex(/\$\{.+\}/);

const property = (description: string) =>
  optionalText(`${description} Left out when it comes out empty.`, 'a template');

const flag = (description: string, fallback: boolean) =>
  z.boolean({ error: 'must be true or false' }).default(fallback).meta({ description });

const direction = <Name extends string>(name: Name) =>
  z.literal(name).meta({ description: 'Which way the rule carries.', expects: `\`${name}\`` });

/** What becomes of a record that the spool has no room for. @internal */
export const onFull = z
  .enum(['reject', 'drop-oldest', 'drop-newest', 'block'], {
    error: 'must be one of reject, drop-oldest, drop-newest, block',
  })
  .meta({
    description:
      'What becomes of a record when the spool is full: its publisher is refused (0x97), the oldest of its rule are dropped for it, it is dropped itself and acknowledged, or it waits for room until `bridge.ackTimeoutMs`.',
  });

const most = (description: string, range: { min: number; max: number; unit: string }) => {
  const error = `must be a whole number from ${range.min} to ${range.max}`;
  return z
    .int({ error })
    .min(range.min, { error })
    .max(range.max, { error })
    .exactOptional()
    .meta({ description, unit: range.unit });
};

const ruleSpool = z
  .strictObject({
    bytesMax: most('Most bytes that the rule takes of the spool; by default all of it.', {
      min: 1_048_576,
      max: 1_099_511_627_776,
      unit: 'bytes',
    }),
    ageSecondsMax: most('As `bridge.spool.ageSecondsMax`, for this rule.', {
      min: 1,
      max: 315_360_000,
      unit: 's',
    }),
    onFull: onFull
      .exactOptional()
      .meta({ description: 'As `bridge.spool.onFull`, for this rule.' }),
  })
  .exactOptional();

const TOPIC_ENTRIES = 'topic names, or beginnings of names with `*` behind';
const TOPIC_ENTRY = 'must be a topic name, or the beginning of one with `*` behind';

const EXPRESSION_FAULT = 'must be an expression of 1 to 8,192 characters';

const expression = (description: string) =>
  z
    .string({ error: EXPRESSION_FAULT })
    .min(1, { error: EXPRESSION_FAULT })
    .max(8_192, { error: EXPRESSION_FAULT })
    .exactOptional()
    .meta({
      description: `${description} See docs/expressions.md.`,
      expects: 'a JSONata expression',
    });

const source = {
  enabled: flag('Whether the rule is in force.', true),
  filter: text('Which topics it takes.', 'an MQTT topic filter'),
  where: expression('Which of their messages it takes: those for which this is true.'),
  value: expression('Value of the records. Without it the payload as it is.'),
};

const record = {
  key: text('Key of the records; order holds per key.', 'a template').default('${clientId}'),
  headers: z
    .record(z.string().min(1).max(256), z.string().max(1_024), {
      error: 'must be a map of header names to templates',
    })
    .default({})
    .meta({ description: 'Extra headers of the records.', expects: 'a map of names to templates' }),
  spool: ruleSpool,
  keepDeadLetters: z.boolean({ error: 'must be true or false' }).exactOptional().meta({
    description:
      'Whether Skein keeps records itself that are refused for good, or of which none can be made, to be seen and replayed over REST (`bridge.deadLetters`). Instead of a place for them on the other side.',
  }),
  allowLoop: z.boolean({ error: 'must be true or false' }).exactOptional().meta({
    description:
      'Whether the rule also takes what rules from Kafka have brought in; by default it does not, so that nothing goes round in circles.',
  }),
};

const whenAcknowledged = (stored: string) =>
  `When a QoS 1 or 2 message is acknowledged: when it is on the disk of the node (\`bridge.spool\`), after ${stored}, or at once and lost with the node.`;

const FORMATS = 'avro, protobuf or json-schema';

const schemaFormat = (description: string) =>
  z
    .enum(['avro', 'protobuf', 'json-schema'], { error: `must be ${FORMATS}` })
    .meta({ description });

const VERSION = 'latest, or a number from 1';
const VERSION_FAULT = `must be ${VERSION}`;

const valueSchema = z
  .strictObject(
    {
      format: schemaFormat(
        'What the schema is written in, by which JSON payloads become the values of records. One that does not fit is refused.',
      ),
      subject: optionalText(
        'Subject of the schema; by default the Kafka topic and `-value`.',
        'a subject',
      ),
      version: z
        .union([z.literal('latest'), z.int().min(1, { error: VERSION_FAULT })], {
          error: VERSION_FAULT,
        })
        .default('latest')
        .meta({ description: 'Version of the subject.', expects: VERSION }),
      messageType: optionalText(
        'Which message of a Protobuf schema; by default its first.',
        'the name of a message',
      ),
    },
    { error: 'must be a map with a format' },
  )
  .exactOptional();

const deadLetter = (field: string, expects: string) => {
  const error = `must be ${expects} of at most 1,024 characters`;
  const description = `${field} of records that are refused for good, or of which none can be made; they say why in headers. Without it they are counted and given up.`;
  return z.string({ error }).max(1_024, { error }).exactOptional().meta({ description, expects });
};

/** Messages of clients to Kafka, as the file states the rule. */
export const mqttToKafka = z.strictObject({
  id,
  bridge,
  direction: direction('mqtt-to-kafka'),
  ...source,
  topic: text('Kafka topic of the records.', 'a template'),
  allowTopics: z
    .array(z.string().regex(/^[\w.-]{1,249}\*?$|^\*$/, { error: TOPIC_ENTRY }), {
      error: `must be a list of ${TOPIC_ENTRIES}`,
    })
    .min(1, { error: `must be a list of 1 to 100 ${TOPIC_ENTRIES}` })
    .max(100, { error: `must be a list of 1 to 100 ${TOPIC_ENTRIES}` })
    .exactOptional()
    .meta({
      description:
        'What the template of `topic` may give; `tenant-*` allows all that begin so. Without it every legal name.',
      expects: `a list of 1 to 100 ${TOPIC_ENTRIES}`,
    }),
  partition: text(
    'Partition of the records: by `key`; `round-robin`, which keeps no order; or a template that gives a number, modulo the number of partitions.',
    '`key`, `round-robin` or a template',
  ).default('key'),
  ...record,
  schema: valueSchema,
  deadLetterTopic: deadLetter('Kafka topic', 'a topic name, no template'),
  ack: z
    .enum(['none', 'spool', 'kafka'], { error: 'must be none, spool or kafka' })
    .default('spool')
    .meta({ description: whenAcknowledged('Kafka has it (acks=all)') }),
});

/** Messages of clients to an HTTP endpoint, as the file states the rule. */
export const mqttToWebhook = z.strictObject({
  id,
  bridge,
  direction: direction('mqtt-to-webhook'),
  ...source,
  path: text(
    "Path behind that of the bridge's URL; `/` means the URL itself.",
    'a template',
  ).default('/'),
  ...record,
  deadLetterPath: deadLetter('Path', 'a path, no template'),
  ack: z
    .enum(['none', 'spool', 'webhook'], { error: 'must be none, spool or webhook' })
    .default('spool')
    .meta({ description: whenAcknowledged('the endpoint has answered with 2xx') }),
});

/** Records of Kafka to clients, as the file states the rule. */
export const kafkaToMqtt = z.strictObject({
  id,
  bridge,
  direction: direction('kafka-to-mqtt'),
  enabled: flag('Whether the rule is in force.', true),
  topic: text('Kafka topic to consume.', 'a topic name'),
  schema: z
    .strictObject(
      {
        format: schemaFormat(
          'What the schemas are written in that values name; payloads are JSON then. A value that names none of them can never be published.',
        ),
      },
      { error: 'must be a map with a format' },
    )
    .exactOptional(),
  where: expression('Which records it takes: those for which this is true.'),
  value: expression('Payload of the messages. Without it the value of the record as it is.'),
  mqttTopic: text(
    'MQTT topic of the messages; a record that gives no valid one can never be published.',
    'a template',
  ),
  qos: z
    .union([z.literal([0, 1, 2]), placeholders], { error: 'must be 0, 1, 2 or a template' })
    .default(1)
    .meta({
      description: 'QoS of the messages. A template may give nothing, which means 1.',
      expects: '0, 1, 2 or a template that gives one',
    }),
  retain: z
    .union([z.boolean(), placeholders], { error: 'must be true, false or a template' })
    .default(false)
    .meta({
      description:
        'Whether the messages are retained. A template may also give 1, 0 or nothing, which means false.',
      expects: 'true, false or a template that gives one',
    }),
  expirySeconds: property('How long receivers may get the message, from when it is published.'),
  contentType: property('Content type of the messages.'),
  responseTopic: property('Response topic of the messages.'),
  correlationData: property(
    'Correlation data of the messages; bytes are passed on as they are when the template is one placeholder.',
  ),
  userProperties: z
    .record(z.string().min(1).max(256), z.string().max(1_024), {
      error: 'must be a map of names to templates',
    })
    .exactOptional()
    .meta({
      description: 'User properties of the messages; those that come out empty are left out.',
      expects: 'a map of names to templates',
    }),
  onError: z
    .enum(['skip', 'stop', 'dlq'], { error: 'must be skip, stop or dlq' })
    .default('skip')
    .meta({
      description:
        'What becomes of a record that can never be published: `skip` passes over it; `dlq` does when `deadLetterTopic` has it; with `stop` its partition waits. All are counted.',
    }),
  deadLetterTopic: optionalText('Kafka topic of dead letters; only for `dlq`.', 'a topic name'),
  startWhen: z
    .enum(['always', 'subscribers'], { error: 'must be always or subscribers' })
    .default('always')
    .meta({
      description:
        'With `subscribers` records wait while no session in the cluster, connected or durable, is subscribed to what `mqttTopic` may give; a level with a placeholder stands for all below it.',
    }),
});

const TEMPLATE_FAULT = 'must be a template of 0 to 1,024 characters';

const mayBeEmpty = (description: string) =>
  z
    .string({ error: TEMPLATE_FAULT })
    .max(1_024, { error: TEMPLATE_FAULT })
    .meta({ description, expects: 'a template, which may be empty' });

/** Messages of clients to RabbitMQ, as the file states the rule. */
export const mqttToRabbitmq = z.strictObject({
  id,
  bridge,
  direction: direction('mqtt-to-rabbitmq'),
  ...source,
  exchange: mayBeEmpty(
    'Exchange of the messages. An empty one means the default exchange, which routes to the queue of the routing key.',
  ).default(''),
  routingKey: mayBeEmpty('Routing key of the messages. One that no queue takes is refused.'),
  ...record,
  deadLetterExchange: deadLetter(
    'Exchange (an empty one means the default exchange)',
    'an exchange, no template',
  ),
  deadLetterRoutingKey: z
    .string({ error: 'must be a routing key of at most 255 characters' })
    .max(255, { error: 'must be a routing key of at most 255 characters' })
    .exactOptional()
    .meta({
      description: 'Routing key of dead letters; by default each keeps that of its message.',
      expects: 'a routing key, no template',
    }),
  ack: z
    .enum(['none', 'spool', 'rabbitmq'], { error: 'must be none, spool or rabbitmq' })
    .default('spool')
    .meta({ description: whenAcknowledged('RabbitMQ has confirmed it') }),
});

/** A bridge rule of any direction; the output has the shape of the port's BridgeRule. */
export const bridgeRule = z.discriminatedUnion(
  'direction',
  [mqttToKafka, kafkaToMqtt, mqttToWebhook, mqttToRabbitmq],
  {
    error:
      'must have the direction mqtt-to-kafka, kafka-to-mqtt, mqtt-to-webhook or mqtt-to-rabbitmq',
  },
);
