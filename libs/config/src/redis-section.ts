import { z } from 'zod';
import { addresses, file, flag, milliseconds, name, secret, section, whole } from './kinds.ts';

const isRedisUrl = (text: string): boolean =>
  URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol);

/** The settings of Redis. */
export const redis = section({
  url: z.string().refine(isRedisUrl).exactOptional().meta({
    description:
      'Redis of the cluster, if it is one server. Without it, `redis.sentinels` and `redis.nodes` the node is alone, on memory or on `data.dir`. See docs/redis.md.',
    expects: 'redis://[user:password@]host[:port][/database], or rediss:// for TLS',
    secret: true,
  }),
  sentinels: addresses('Sentinels that say where the master is. Excludes `redis.url`.'),
  masterName: name('Name of the master, as the Sentinels know it.').exactOptional(),
  nodes: addresses(
    'Some nodes of a Redis Cluster; they say which others there are. Excludes `redis.url` and `redis.sentinels`.',
  ),
  username: z
    .string()
    .regex(/^\S{1,256}$/)
    .exactOptional()
    .meta({ description: 'ACL user.', expects: 'a name without spaces' }),
  password: secret('Password of the ACL user, or of the server.'),
  passwordFile: file('File with the password in its first line, read at the start.'),
  sentinelUsername: z
    .string()
    .regex(/^\S{1,256}$/)
    .exactOptional()
    .meta({ description: 'ACL user of the Sentinels.', expects: 'a name without spaces' }),
  sentinelPassword: secret('Password of the Sentinels, if they have one.'),
  sentinelPasswordFile: file('File with it in its first line, read at the start.'),
  database: whole('Database, where the URL names none. A Redis Cluster has only 0.', {
    default: 0,
    min: 0,
    max: 65_535,
    unit: 'database',
  }),
  tls: section({
    enabled: flag('TLS to Redis and to Sentinels; `rediss://` in the URL says the same.', false),
    caFile: file('Certificates of authorities to trust instead of the usual ones, in PEM.'),
    certFile: file('Certificate of this node, if Redis asks for one, in PEM.'),
    keyFile: file('Its private key, in PEM.'),
    serverName: z
      .string()
      .regex(/^[^\s/]{1,253}$/)
      .exactOptional()
      .meta({
        description:
          'Name in the certificates of the servers, where these are known by address, as Sentinels and Redis Cluster do by default.',
        expects: 'a host name',
      }),
  }),
  keyPrefix: z
    .string()
    .regex(/^[A-Za-z0-9:._-]{1,64}$/)
    .default('skein')
    .meta({
      description: 'Start of every key and channel; clusters that share a Redis must differ here.',
      expects: '1 to 64 letters, digits, colons, dots, underscores or hyphens',
    }),
  leaseMs: milliseconds(
    'How long a node counts as alive after its last sign of life; renewed three times as often.',
    { default: 10_000, min: 1_000, max: 300_000 },
  ),
  commandTimeoutMs: milliseconds('When a command without an answer has failed.', {
    default: 5_000,
    min: 100,
    max: 60_000,
  }),
  readinessGraceSeconds: whole(
    'How long Redis may be away until the readiness probe tells: a failover that is shorter takes no node out of the load balancer.',
    { default: 15, min: 0, max: 600, unit: 's' },
  ),
  waitReplicas: whole(
    'Replicas that must have what was written before a message of QoS > 0 is acknowledged (WAIT); publishers are refused while there are fewer. 0: Redis alone decides. See docs/redis.md.',
    { default: 0, min: 0, max: 16, unit: 'replicas' },
  ),
  waitTimeoutMs: milliseconds(
    'How long they are waited for. Below `redis.commandTimeoutMs`: nothing else is answered meanwhile.',
    { default: 1_000, min: 10, max: 60_000 },
  ),
  routeDeadlineMs: milliseconds(
    'How long a SUBACK waits for the other nodes to know the subscription.',
    { default: 2_000, min: 100, max: 60_000 },
  ),
  requestTimeoutMs: milliseconds('How long a node waits for the answer of another node.', {
    default: 3_000,
    min: 100,
    max: 60_000,
  }),
  inboxBatchesMax: whole(
    'Most batches waiting in the inbox of a node; publishers of QoS > 0 are refused beyond it. A batch holds what another node had for it at once: one message or many, cut above 256 KiB of payloads.',
    { default: 1_000_000, min: 1_000, max: 100_000_000, unit: 'batches' },
  ),
});

/** The settings of Redis, read. @internal */
export type RedisSettings = Readonly<Omit<z.output<typeof redis>, 'sentinels' | 'nodes'>> & {
  readonly sentinels: readonly string[];
  readonly nodes: readonly string[];
};
