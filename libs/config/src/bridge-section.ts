import { z } from 'zod';
import { bridgeRule, onFull } from './bridge-rule.ts';
import { connector } from './connector.ts';
import { milliseconds, section, whole } from './kinds.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const DAY_SECONDS = 86_400;

/** What the bridges lead to. */
export const bridges = z.array(connector).max(200).default([]).meta({
  description: 'What messages are bridged with. Rules name one of these.',
  expects: 'a list of at most 200 bridges',
});

/** Which messages the bridges carry. */
export const bridgeRules = z.array(bridgeRule).max(200).default([]).meta({
  description: 'Bridge rules. Those named here are read-only over the admin API.',
  expects: 'a list of at most 200 bridge rules',
});

const spool = section({
  kind: z.enum(['local', 'redis', 'none']).default('local').meta({
    description:
      'Where records of rules with `ack: spool` are kept until the other side has them: in a directory of the node, in Redis (for nodes without a disk, see docs/redis.md), or nowhere.',
  }),
  dir: z.string().min(1).max(4096).exactOptional().meta({
    description:
      'Directory of the spool, of this node alone, on a disk that outlives the process. The default is `spool` in `data.dir`; without either there is no spool.',
    expects: 'a directory path',
  }),
  bytesMax: whole(
    'Most bytes of the spool of a node, all rules together. Its file may be a little larger.',
    {
      default: GIB,
      min: MIB,
      max: 1024 * GIB,
      unit: 'bytes',
    },
  ),
  ageSecondsMax: whole(
    'How old records may become before the other side has them; older ones are dropped and counted.',
    {
      default: 7 * DAY_SECONDS,
      min: 1,
      max: 3650 * DAY_SECONDS,
      unit: 's',
    },
  ),
  onFull: onFull.default('reject'),
  replayRecordsPerSecond: whole(
    'How fast each rule sends records that are read back after a start or an outage; 0 is as fast as it can. Live records queue behind them, so a limit below their rate is never caught up.',
    { default: 0, min: 0, max: 10_000_000, unit: 'records/s' },
  ),
});

const deadLetters = section({
  lettersMax: whole(
    'How many dead letters of rules with `keepDeadLetters` are kept, of all rules and nodes together; the oldest go, and are counted.',
    { default: 10_000, min: 1, max: 1_000_000, unit: 'letters' },
  ),
  bytesMax: whole('How many bytes they may take, in the memory of Redis or of the node.', {
    default: 64 * MIB,
    min: MIB,
    max: 16 * GIB,
    unit: 'bytes',
  }),
  ageSecondsMax: whole('For how long they are kept.', {
    default: 7 * DAY_SECONDS,
    min: 60,
    max: 3650 * DAY_SECONDS,
    unit: 's',
  }),
});

const secrets = section({
  dir: z.string().min(1).max(4096).exactOptional().meta({
    description:
      'Directory of the files that bridges made through the admin API may name: secrets, certificates and keys. Without it they may name none. Bridges of this file may name any.',
    expects: 'a directory path',
  }),
  envPrefix: z
    .string()
    .regex(/^(?!SKEIN_)[A-Za-z_][A-Za-z0-9_]{0,63}$/)
    .default('BRIDGE_SECRET_')
    .meta({
      description:
        'What the environment variables begin with that bridges made through the admin API may name.',
      expects: '1 to 64 letters, digits and underscores that begin no variable of Skein',
    }),
});

const allowedHosts = z
  .array(z.string().regex(/^(?:\*|(?:\*\.)?[A-Za-z0-9.:_-]{1,253})$/))
  .min(1)
  .max(100)
  .default(['*'])
  .meta({
    description:
      'Hosts that bridges made through the admin API may state: names, addresses, `*.DOMAIN` for all names below it, `*` for all. Names are not resolved, and Kafka brokers name others: the network decides in the end.',
    expects: 'a list of host names, addresses, *.DOMAIN or *',
  });

/** Limits of each bridge. */
export const bridge = section({
  ackTimeoutMs: milliseconds(
    'How long a PUBACK may wait for the other side under a rule whose `ack` names it. Below `limits.publishDeadlineMs`, so that the cause is told.',
    { default: 10_000, min: 100, max: 300_000 },
  ),
  lingerMs: milliseconds('How long a batch waits for more records.', {
    default: 10,
    min: 0,
    max: 1_000,
  }),
  batchRecordsMax: whole('Most records of a batch.', {
    default: 500,
    min: 1,
    max: 500,
    unit: 'records',
  }),
  batchBytesMax: whole('Most bytes of a batch.', {
    default: 256 * KIB,
    min: KIB,
    max: 64 * MIB,
    unit: 'bytes',
  }),
  bufferBytesMax: whole(
    'Most bytes that a node holds in memory for one bridge, all its rules together; beyond it a publish is refused, or the record dropped and counted (`ack: none`). Rules with `ack: spool` fill half of it, and go on beyond it on disk.',
    { default: 64 * MIB, min: MIB, max: 4096 * MIB, unit: 'bytes' },
  ),
  takeoverWaitMs: milliseconds(
    'How long records of a client that comes from another node are held until that node has delivered what the client published there. Only time in which the other side can be reached counts; acknowledgements of `ack: spool` do not wait. 0 does not hold them: they may overtake.',
    { default: 30_000, min: 0, max: 3_600_000 },
  ),
  spool,
  deadLetters,
  secrets,
  allowedHosts,
});
