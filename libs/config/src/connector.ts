import { z } from 'zod';

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const NAME_EXPECTED = '1 to 64 letters, digits, dots, underscores or hyphens';

const name = (description: string) =>
  z
    .string({ error: `must be ${NAME_EXPECTED}` })
    .regex(NAME, { error: `must be ${NAME_EXPECTED}` })
    .meta({ description, expects: '1 to 64 letters, digits, `.`, `_`, `-`' });

const BROKERS_EXPECTED = 'a list of 1 to 64 host:port';

/** A Kafka cluster, as the file states it. */
export const kafkaConnector = z.strictObject({
  id: name('Name of the bridge, unique; rules and metrics call it so.'),
  kind: z.literal('kafka').meta({ description: 'What is on the other side.', expects: '`kafka`' }),
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
    .enum(['none', 'gzip', 'lz4'], { error: 'must be none, gzip or lz4' })
    .default('lz4')
    .meta({ description: 'Compression of batches. lz4 costs the least CPU.' }),
});

/** What a bridge leads to; the output has the shape of the port's Connector. */
export const connector = z.discriminatedUnion('kind', [kafkaConnector], {
  error: 'must have the kind kafka',
});
