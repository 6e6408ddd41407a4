import { flapping, overload, quotas, rates } from './abuse-section.ts';
import { aclRule } from './acl-rule.ts';
import { auth } from './auth-section.ts';
import { api } from './api-section.ts';
import { backups } from './backups-section.ts';
import { z } from 'zod';
import { bridge, bridgeRules, bridges } from './bridge-section.ts';
import { drain } from './drain-section.ts';
import { file, flag, host, milliseconds, name, port, section, whole } from './kinds.ts';
import { listeners } from './listener-section.ts';
import { redis } from './redis-section.ts';
import { SECRET_VARIABLE } from './secret-reference.ts';
import { autoSubscription, rewriteRule } from './topic-rule.ts';
import { tracing } from './tracing-section.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const DAY_SECONDS = 86_400;
const DAY_MS = 86_400_000;

const node = section({
  id: name(
    'Name of this node, unique in the cluster and the same after a restart. The default is the host name.',
  ),
  clusterName: name('Name of the cluster, as clients and dashboards see it.').default('skein'),
  serverReference: z
    .string()
    .regex(/^\S+(?: \S+)*$/)
    .max(1024)
    .exactOptional()
    .meta({
      description:
        'Where v5 clients find another node when this one shuts down: they are told 0x9C and this instead of 0x8B.',
      expects: 'one or more host:port, separated by spaces',
    }),
  commit: z
    .string()
    .regex(/^[0-9a-z]{1,64}$/)
    .default('unknown')
    .meta({
      description: 'Revision that was built; images set it, `skein_broker_build_info` shows it.',
      expects: 'a commit id',
    }),
});

const tls = section({
  ticketSecret: section({
    file: file(
      'File whose first line is the secret that the keys of session tickets are made from, the same on all nodes, so that a client resumes its TLS session at any of them. Without it every node makes its own at its start.',
    ),
    env: z.string().regex(SECRET_VARIABLE).exactOptional().meta({
      description: 'The variable that holds it, instead of a file.',
      expects: 'the name of a variable that does not begin with SKEIN_',
    }),
  }),
  ticketPeriodSeconds: whole(
    'How long a key of session tickets is used; a new one follows by the clock, and older tickets count no more.',
    { default: DAY_SECONDS, min: 60, max: 7 * DAY_SECONDS, unit: 's' },
  ),
});

const ops = section({
  host: host('Address of the ops port. Metrics and probes need no key: keep it private.'),
  port: port('Port of `/metrics` and `/healthz/live|ready|startup` of a node.', 9464),
  unreadyWhenFull: flag(
    'Whether the readiness probe tells that a listener has 95 % of its `connectionsMax` open, until it has less than 85 %. Off where one listener that is full must not keep clients of the others away.',
    true,
  ),
});

const commands = section({
  host: host('Address where a node without Redis takes commands of the API. It has no key.'),
  port: port('Port where a node without Redis takes commands of the API.', 9466),
});

const data = section({
  dir: z.string().min(1).max(4096).exactOptional().meta({
    description:
      'Directory where a single node keeps sessions, retained messages and rules. Without it they end with the process. Excludes Redis.',
    expects: 'a directory path',
  }),
});

const limits = section({
  packetBytesMax: whole(
    'Largest packet accepted, told to v5 clients; a larger one closes the connection with 0x95.',
    // A delivery may be larger than the packet that came in: its whole topic, identifiers, lengths. 16 MiB are left for them.
    { default: MIB, min: 128, max: 240 * MIB, unit: 'bytes' },
  ),
  connectTimeoutMs: milliseconds('How long a new connection may take to send its CONNECT.', {
    default: 10_000,
    min: 100,
    max: 600_000,
  }),
  keepAliveSecondsMax: whole(
    'Longest keep-alive granted; a v5 client that asks for more, or for none, is told this. Lower it to notice dead clients sooner.',
    { default: 65_535, min: 1, max: 65_535, unit: 's' },
  ),
  receiveMaximum: whole(
    'Unacknowledged QoS 1 and 2 messages a publisher may have open: wide enough for a gateway on a slow ack (`ack: kafka`), narrow enough to bound its memory.',
    { default: 1_024, min: 1, max: 65_535, unit: 'messages' },
  ),
  inflightMax: whole(
    'Unacknowledged QoS 1 and 2 messages sent to a subscriber; its own Receive Maximum may lower it. 128 fill a 100 ms link with 1,280 messages/s and bound what a reconnect repeats.',
    { default: 128, min: 1, max: 65_535, unit: 'messages' },
  ),
  topicAliasMaximum: whole(
    'Topic aliases a v5 publisher may define; each costs the memory of a topic per connection. 0 forbids them.',
    { default: 64, min: 0, max: 65_535, unit: 'aliases' },
  ),
  topicAliasesSentMax: whole(
    'Topic aliases set towards a v5 subscriber that knows them; its own Topic Alias Maximum may lower it.',
    { default: 64, min: 0, max: 65_535, unit: 'aliases' },
  ),
  queueMessagesMax: whole(
    'Most messages queued for one session; more are dropped and counted (`queue_full`).',
    {
      default: 10_000,
      min: 1,
      max: 10_000_000,
      unit: 'messages',
    },
  ),
  queueBytesMax: whole(
    'Most bytes of messages, topics and properties included, queued for one session; more are dropped and counted.',
    {
      default: 16 * MIB,
      min: KIB,
      max: 4096 * MIB,
      unit: 'bytes',
    },
  ),
  queueAgeSecondsMax: whole(
    'How long a QoS 1 or 2 message may wait for a client, whatever its own expiry; an older one is dropped and counted instead of sent, and makes room in a full queue.',
    { default: 7 * DAY_SECONDS, min: 1, max: 4_294_967_295, unit: 's' },
  ),
  sessionExpirySecondsMax: whole(
    'Longest session expiry interval granted to v5 clients; they are told when it is less than asked.',
    { default: 7 * DAY_SECONDS, min: 0, max: 4_294_967_295, unit: 's' },
  ),
  persistentSessionMaxAgeSeconds: whole(
    'How long a 3.1 or 3.1.1 session with Clean Session 0 is kept after its client has gone.',
    { default: 7 * DAY_SECONDS, min: 1, max: 4_294_967_295, unit: 's' },
  ),
  subscriptionsMax: whole('Most subscriptions of one session; one more is refused with 0x97.', {
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: 'subscriptions',
  }),
  topicLevelsMax: whole(
    'Most levels of a topic or filter; it bounds the depth of every index walk.',
    { default: 128, min: 1, max: 65_535, unit: 'levels' },
  ),
  clientIdBytesMax: whole(
    'Longest client id; a longer one is refused with 0x85. The protocol allows 65,535.',
    { default: 1_024, min: 23, max: 65_535, unit: 'bytes' },
  ),
  retainedMessagesMax: whole(
    'Most retained messages of the cluster; storing one more is refused with 0x97, replacing goes on.',
    { default: 1_000_000, min: 0, max: 100_000_000, unit: 'messages' },
  ),
  retainedMessageBytesMax: whole(
    'Largest message retained: payload, topic and properties; a larger one is refused with 0x97. The default equals the packet limit, so that no message is refused only for being retained.',
    { default: MIB, min: 1, max: 268_435_455, unit: 'bytes' },
  ),
  retainedBytesMax: whole(
    'Most bytes of all retained messages, topics and properties included; what would be more is refused with 0x97, replacing by what is no larger goes on.',
    { default: 1024 * MIB, min: 0, max: 1024 * 1024 * MIB, unit: 'bytes' },
  ),
  sessionsMax: whole('Most sessions of a node, connected or not; one more is refused with 0x97.', {
    default: 1_000_000,
    min: 1,
    max: 100_000_000,
    unit: 'sessions',
  }),
  bansMax: whole(
    'Most bans of the cluster; every node holds all of them. Nodes themselves make up to half as many.',
    { default: 10_000, min: 2, max: 100_000, unit: 'bans' },
  ),
  publishDeadlineMs: milliseconds(
    'How long the obligations of a message may take before its publisher gets 0x97 (v5) or a closed connection.',
    { default: 15_000, min: 100, max: DAY_MS },
  ),
  socketBufferBytesMax: whole(
    'Most bytes waiting in one socket; above it QoS 0 messages to that client are dropped and counted.',
    // Less would be below the high-water mark of a socket, above which alone it tells when it has drained.
    { default: MIB, min: 64 * KIB, max: 1024 * MIB, unit: 'bytes' },
  ),
  unauthenticatedBytesMax: whole(
    'Most bytes a connection may send before its CONNECT is accepted.',
    { default: 64 * KIB, min: KIB, max: 16 * MIB, unit: 'bytes' },
  ),
});

const delayed = section({
  enabled: flag(
    'Whether messages to `$delayed/{seconds}/{topic}` are published later; else refused with 0x90.',
    true,
  ),
  secondsMax: whole('Longest delay; a longer one is refused with 0x90.', {
    default: 42_949_669,
    min: 1,
    max: 4_294_967_295,
    unit: 's',
  }),
  messagesMax: whole(
    'Most messages of the cluster that wait for their time; one more is refused with 0x97.',
    { default: 1_000_000, min: 0, max: 100_000_000, unit: 'messages' },
  ),
  bytesMax: whole('Most bytes of them; what would be more is refused with 0x97.', {
    default: 256 * MIB,
    min: KIB,
    max: 65_536 * MIB,
    unit: 'bytes',
  }),
});

const exclusiveSubscriptions = section({
  enabled: flag(
    'Whether `$exclusive/{filter}` gives a filter to one client of the cluster alone; else refused with 0x8F.',
    false,
  ),
});

const sharedSubscriptions = section({
  strategy: z
    .enum(['least-inflight', 'round-robin', 'hash-client-id', 'hash-topic', 'sticky', 'local'])
    .default('least-inflight')
    .meta({
      description:
        'How a member of a shared subscription is chosen for a message: the one with the fewest unacknowledged messages, the next in turn, the same one for the same publisher or topic, the same one until it goes away, or one at the publisher’s node.',
    }),
});

const topics = section({
  rewrite: z.array(rewriteRule).max(1_000).default([]).meta({
    description:
      'Rules that give topics and filters of clients another name; the first that fits counts. See docs/topics.md.',
    expects: 'a list of rewrite rules',
  }),
  autoSubscribe: z.array(autoSubscription).max(100).default([]).meta({
    description: 'What every client is subscribed to when it connects. See docs/topics.md.',
    expects: 'a list of automatic subscriptions',
  }),
  sysIntervalSeconds: whole(
    'How often a node publishes what it says of itself under `$SYS`, to its own clients. 0 switches `$SYS` off.',
    { default: 60, min: 0, max: 86_400, unit: 's' },
  ),
});

const acl = section({
  rules: z.array(aclRule).max(10_000).default([]).meta({
    description:
      'Who may publish and subscribe to what; the first rule that fits decides. See docs/auth.md.',
    expects: 'a list of rules',
  }),
  default: z.enum(['allow', 'deny']).exactOptional().meta({
    description:
      'What holds where no rule fits. The default is deny as soon as there are sources, users or rules, else allow.',
  }),
  deniedPublish: z.enum(['acknowledge', 'close']).default('acknowledge').meta({
    description:
      'What becomes of a denied PUBLISH of QoS 1 or 2 before MQTT 5, which knows no refusal: it is acknowledged and dropped, or the connection ends.',
  }),
});

const log = section({
  level: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .meta({ description: 'Least level that is written.' }),
  format: z
    .enum(['text', 'json'])
    .default('text')
    .meta({ description: 'Lines for people, or one JSON object per line for collectors.' }),
});

/** The whole configuration: names, types, defaults, ranges and descriptions. Everything else is derived from it. */
export const schema = z.strictObject({
  node,
  listeners,
  tls,
  ops,
  api,
  backups,
  commands,
  redis,
  data,
  bridges,
  bridgeRules,
  bridge,
  limits,
  rates,
  quotas,
  flapping,
  overload,
  drain,
  topics,
  sharedSubscriptions,
  exclusiveSubscriptions,
  delayed,
  auth,
  acl,
  log,
  tracing,
});
