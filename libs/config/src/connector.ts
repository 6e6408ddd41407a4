import { z } from 'zod';
import { file, milliseconds, whole } from './kinds.ts';
import { requestHeaders } from './request-headers.ts';
import { secretReference } from './secret-reference.ts';

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const NAME_EXPECTED = '1 to 64 letters, digits, dots, underscores or hyphens';

const name = (description: string) =>
  z
    .string({ error: `must be ${NAME_EXPECTED}` })
    .regex(NAME, { error: `must be ${NAME_EXPECTED}` })
    .meta({ description, expects: '1 to 64 letters, digits, `.`, `_`, `-`' });

const enabled = z.boolean({ error: 'must be true or false' }).default(true).meta({
  description:
    'Whether its rules are at work; false stops all of them, and what they have in the spool waits.',
});

const BROKERS_EXPECTED = 'a list of 1 to 64 host:port';

const SECRET_EXPECTED = '{ file: PATH } or { env: NAME }';

const mechanism = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.enum(names).meta({
    description: 'How to log in to Kafka.',
    expects: 'one of plain, scram-sha-256, scram-sha-512, oauthbearer',
  });

const sasl = z.discriminatedUnion(
  'mechanism',
  [
    z.strictObject({
      mechanism: mechanism(['plain', 'scram-sha-256', 'scram-sha-512']),
      username: z
        .string({ error: 'must be a text' })
        .min(1, { error: 'must be a text' })
        .max(256)
        .meta({
          description: 'Who logs in, with plain and scram.',
          expects: 'a text',
        }),
      password: secretReference.meta({
        description: 'The password, with plain and scram; read for every login.',
        expects: SECRET_EXPECTED,
      }),
    }),
    z.strictObject({
      mechanism: mechanism(['oauthbearer']),
      token: secretReference.meta({
        description: 'The token, with oauthbearer; read for every login.',
        expects: SECRET_EXPECTED,
      }),
    }),
  ],
  {
    error: 'must have the mechanism plain, scram-sha-256, scram-sha-512 or oauthbearer',
  },
);

const tls = z.strictObject(
  {
    caFile: file('Certificates of authorities to trust instead of the usual ones, in PEM.'),
    certFile: file('Certificate to show to Kafka, in PEM.'),
    keyFile: file('Key of that certificate, in PEM.'),
    serverName: z
      .string()
      .regex(/^[A-Za-z0-9.-]{1,253}$/, { error: 'must be a host name' })
      .exactOptional()
      .meta({
        description: 'Name that certificates must have, instead of the host of each broker.',
        expects: 'a host name',
      }),
  },
  { error: 'must be a map: `tls: {}` is TLS with the usual authorities' },
);

const REGISTRY_URL = 'an http: or https: URL without a user name';

const schemaRegistry = z
  .strictObject(
    {
      url: z
        .string({ error: `must be ${REGISTRY_URL}` })
        .refine((text) => isUrl(text, ['http:', 'https:']), { error: `must be ${REGISTRY_URL}` })
        .meta({
          description: "Where the schema registry is; it speaks the REST interface of Confluent's.",
          expects: REGISTRY_URL,
        }),
      username: z
        .string({ error: 'must be a text without a colon' })
        .regex(/^[^:]{1,256}$/, { error: 'must be a text without a colon' })
        .exactOptional()
        .meta({ description: 'Who logs in there.', expects: 'a text without a colon' }),
      password: secretReference.exactOptional().meta({
        description: 'The password; read for every request.',
        expects: SECRET_EXPECTED,
      }),
      caFile: file('Certificates of authorities to trust instead of the usual ones, in PEM.'),
      timeoutMs: milliseconds('How long a request may take.', {
        default: 5_000,
        min: 100,
        max: 10_000,
      }),
      refreshMs: milliseconds(
        'How old the answer of what the latest version of a subject is may become.',
        { default: 60_000, min: 1_000, max: 86_400_000 },
      ),
    },
    { error: 'must be a map with a url' },
  )
  .exactOptional();

/** A Kafka cluster, as the file states it. */
export const kafkaConnector = z.strictObject({
  id: name('Name of the bridge, unique; rules and metrics call it so.'),
  kind: z.literal('kafka').meta({ description: 'What is on the other side.', expects: '`kafka`' }),
  enabled,
  brokers: z
    .array(z.string().regex(/^[^\s,/]{1,253}:\d{1,5}$/, { error: 'must be host:port' }), {
      error: `must be ${BROKERS_EXPECTED}`,
    })
    .min(1, { error: `must be ${BROKERS_EXPECTED}` })
    .max(64, { error: `must be ${BROKERS_EXPECTED}` })
    .meta({ description: 'Kafka brokers to start from.', expects: BROKERS_EXPECTED }),
  clientId: name(
    'Kafka sees a node as `clientId-nodeId`; consumer groups are called `clientId-ruleId`.',
  ).default('skein'),
  compression: z
    .enum(['none', 'gzip', 'snappy', 'lz4', 'zstd'], {
      error: 'must be none, gzip, snappy, lz4 or zstd',
    })
    .default('lz4')
    .meta({ description: 'Compression of batches. lz4 costs the least CPU.' }),
  tls: tls.exactOptional(),
  sasl: sasl.exactOptional(),
  schemaRegistry,
});

const URL_EXPECTED =
  'an http: or https: URL without a user name, or { file: PATH } or { env: NAME }';

const URL_FAULT = `must be ${URL_EXPECTED}`;

const httpUrl = z.string().refine((text) => isUrl(text, ['http:', 'https:']), { error: URL_FAULT });

/** A user name would show in what is printed; a secret may have one. */
function isUrl(text: string, protocols: readonly string[]): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  return protocols.includes(url.protocol);
}

/** An HTTP endpoint, as the file states it. */
export const webhookConnector = z.strictObject({
  id: name('Name of the bridge, unique; rules and metrics call it so.'),
  kind: z
    .literal('webhook')
    .meta({ description: 'What is on the other side.', expects: '`webhook`' }),
  enabled,
  url: z.union([httpUrl, secretReference], { error: URL_FAULT }).meta({
    description: 'Where to post; the path of a rule is appended to its path.',
    expects: URL_EXPECTED,
  }),
  headers: requestHeaders,
  caFile: file('Certificates of authorities to trust instead of the usual ones, in PEM.'),
  timeoutMs: milliseconds('How long a request may take.', {
    default: 10_000,
    min: 100,
    max: 300_000,
  }),
  concurrency: whole('Requests of one rule and path side by side. Those of one key never are.', {
    default: 8,
    min: 1,
    max: 256,
    unit: 'requests',
  }),
  format: z
    .enum(['single', 'json', 'ndjson'], { error: 'must be single, json or ndjson' })
    .default('single')
    .meta({
      description:
        'What a request holds: the payload of one message, or a batch as a JSON array or as lines of JSON.',
    }),
});

const AMQP_EXPECTED =
  'an amqp: or amqps: URL without a user name, or { file: PATH } or { env: NAME }';
const AMQP_FAULT = `must be ${AMQP_EXPECTED}`;

/** A RabbitMQ, as the file states it. */
export const rabbitmqConnector = z.strictObject({
  id: name('Name of the bridge, unique; rules and metrics call it so.'),
  kind: z
    .literal('rabbitmq')
    .meta({ description: 'What is on the other side.', expects: '`rabbitmq`' }),
  enabled,
  url: z
    .union(
      [
        z.string().refine((text) => isUrl(text, ['amqp:', 'amqps:']), { error: AMQP_FAULT }),
        secretReference,
      ],
      { error: AMQP_FAULT },
    )
    .meta({
      description:
        'Where it is. User and password are part of the URL, so one that has them stands in a file or a variable.',
      expects: AMQP_EXPECTED,
    }),
  caFile: file('Certificates of authorities to trust instead of the usual ones, in PEM.'),
  timeoutMs: milliseconds('How long a batch may wait for its confirms.', {
    default: 10_000,
    min: 100,
    max: 300_000,
  }),
  concurrency: whole('Channels of one rule and exchange. Records of one key take the same.', {
    default: 4,
    min: 1,
    max: 64,
    unit: 'channels',
  }),
});

/** What a bridge leads to; the output has the shape of the port's Connector. */
export const connector = z.discriminatedUnion(
  'kind',
  [kafkaConnector, webhookConnector, rabbitmqConnector],
  {
    error: 'must have the kind kafka, webhook or rabbitmq',
  },
);
