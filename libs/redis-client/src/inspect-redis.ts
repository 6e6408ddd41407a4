import { Redis, type RedisOptions } from 'ioredis';
import { aclRules, probes } from './permissions.ts';
import type { RedisRoute } from './redis-route.ts';
import { addressText } from './redis-target.ts';

/** ZRANGE BYSCORE and XRANGE from an exclusive start. */
const VERSION_MIN = [6, 2] as const;

const ASK_MS = 5_000;

/** What is looked at. */
export interface RedisInspection {
  readonly route: RedisRoute;
  readonly keyPrefix: string;
  /** What the names of the node commands' channels begin with. */
  readonly commandScope: string;
  readonly waitReplicas: number;
}

/** Something about a server that its operator must change, or ought to know. */
export interface RedisFinding {
  /** `fault`: messages that were acknowledged would be lost, or nothing would work. `warning`: it may be so on purpose. */
  readonly kind: 'fault' | 'warning';
  readonly problem: string;
  readonly fix: string;
}

type Info = ReadonlyMap<string, string>;

/**
 * Looks at every master: version, eviction, persistence, replicas and permissions.
 *
 * @remarks Writes nothing but a key that lives a second. What a server does not tell is a warning.
 * @returns what is wrong; nothing when all is well.
 * @throws Error when a server cannot be reached: that it is away is no finding.
 */
export async function inspectRedis(inspection: RedisInspection): Promise<readonly RedisFinding[]> {
  const { route, keyPrefix } = inspection;
  if (route.kind !== 'cluster') return inspectServer(route.to(keyPrefix), inspection);
  try {
    const { masters } = await route.slots();
    const looks = [...masters.values()].map(async (address) => {
      const found = await inspectServer(route.toNode(address), inspection);
      return found.map((finding) => ({
        ...finding,
        problem: `${addressText(address)}: ${finding.problem}`,
      }));
    });
    return (await Promise.all(looks)).flat();
  } catch (error) {
    return [accessFault(error)];
  }
}

async function inspectServer(
  place: RedisOptions,
  inspection: RedisInspection,
): Promise<readonly RedisFinding[]> {
  const redis = new Redis({
    ...place,
    reconnectOnError: null,
    lazyConnect: true,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: ASK_MS,
    commandTimeout: ASK_MS,
    disconnectTimeout: 0,
  });
  let failure: Error | undefined;
  redis.on('error', (error: Error) => (failure ??= error));
  try {
    await redis.connect();
    const info = parseInfo(await redis.info('everything'));
    return [
      ...versionFindings(info),
      ...placeFindings(info, inspection),
      ...memoryFindings(info),
      ...persistenceFindings(info),
      ...replicaFindings(info, inspection),
      ...(await permissionFindings(redis, inspection)),
    ];
  } catch (error) {
    return [accessFault(failure ?? error)];
  } finally {
    redis.disconnect();
  }
}

/** What a refusal at the door means; throws what is no refusal. */
function accessFault(error: unknown): RedisFinding {
  const message = messageOf(error);
  if (/^(?:WRONGPASS|NOAUTH|ERR AUTH|ERR Client sent AUTH)/.test(message)) {
    const problem = 'Redis refuses the user or the password';
    const fix = 'correct redis.username and redis.password, redis.passwordFile or redis.url';
    return { kind: 'fault', problem, fix };
  }
  if (message.startsWith('NOPERM')) return denied(new Set([commandOf(message)]));
  if (message.includes('cluster support disabled')) {
    const problem = 'redis.nodes names a server that is no node of a Redis Cluster';
    return { kind: 'fault', problem, fix: 'name it in redis.url' };
  }
  throw error instanceof Error ? error : new Error(message);
}

function versionFindings(info: Info): readonly RedisFinding[] {
  const version = info.get('redis_version');
  if (version === undefined) return [unknown('its version')];
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin, minorMin] = VERSION_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return [];
  const problem = `Redis ${version} is too old: queues and delayed messages are read with ranges that begin after an entry`;
  return [{ kind: 'fault', problem, fix: `use Redis ${majorMin}.${minorMin} or later` }];
}

function placeFindings(info: Info, { route }: RedisInspection): readonly RedisFinding[] {
  if (route.kind === 'cluster' || info.get('cluster_enabled') !== '1') return [];
  const problem = 'the server is a node of a Redis Cluster, which has only a part of the keys';
  return [{ kind: 'fault', problem, fix: 'name it in redis.nodes instead' }];
}

function memoryFindings(info: Info): readonly RedisFinding[] {
  const policy = info.get('maxmemory_policy');
  const limit = Number(info.get('maxmemory'));
  if (policy === undefined || !Number.isFinite(limit)) return [unknown('maxmemory-policy')];
  if (limit === 0 || policy === 'noeviction') return [];
  const problem = `maxmemory-policy is ${policy}: a full Redis would throw away sessions, leases and acknowledged messages`;
  return [{ kind: 'fault', problem, fix: 'set maxmemory-policy noeviction' }];
}

function persistenceFindings(info: Info): readonly RedisFinding[] {
  const aof = info.get('aof_enabled');
  if (aof === undefined) return [unknown('appendonly')];
  if (aof === '1') return [];
  const problem = 'appendonly is off: a restart of Redis may lose acknowledged messages';
  return [{ kind: 'warning', problem, fix: 'set appendonly yes' }];
}

function replicaFindings(info: Info, { waitReplicas }: RedisInspection): readonly RedisFinding[] {
  const replicas = Number(info.get('connected_slaves'));
  if (waitReplicas === 0 || !(replicas < waitReplicas)) return [];
  const problem = `redis.waitReplicas is ${waitReplicas} and there are ${replicas} replicas: no message of QoS > 0 is taken until there are more`;
  return [{ kind: 'warning', problem, fix: 'add replicas' }];
}

function unknown(what: string): RedisFinding {
  const problem = `the server does not tell ${what}, which could not be checked`;
  return { kind: 'warning', problem, fix: 'see docs/redis.md for what it must be' };
}

async function permissionFindings(
  redis: Redis,
  { keyPrefix, commandScope }: RedisInspection,
): Promise<readonly RedisFinding[]> {
  // Keys of each kind; in a Redis Cluster the answer may be MOVED, which is given to those who have the permission.
  const keys = [`${keyPrefix}:{${keyPrefix}:bus}:probe`, `${keyPrefix}:s:{probe}`];
  // Nobody listens there: names of nodes are not empty.
  const channels = [`${keyPrefix}/live/`, `${commandScope}.`];
  const refusals = new Set<string>();
  const tried = async (sent: Promise<unknown>): Promise<void> => {
    await sent.catch((error: unknown) => {
      const message = messageOf(error);
      if (!/^(?:EXECABORT )?.*NOPERM/.test(message)) {
        if (isLost(error)) throw error;
        return;
      }
      refusals.add(commandOf(message));
    });
  };
  for (const [at, key] of keys.entries()) {
    const commands = probes(key, channels[at] ?? '');
    await Promise.all(commands.map(([name, ...args]) => tried(redis.call(name, ...args))));
  }
  for (const channel of channels) await tried(redis.subscribe(channel));
  if (refusals.size === 0) return [];
  const { kind, problem, fix } = denied(refusals);
  const rules = aclRules(keyPrefix).slice(0, 3).join(' ');
  return [{ kind, problem, fix: fix.replace('RULES', rules) }];
}

/** What a NOPERM is about: the command, in lower case, or `keys` or `channels`. */
function commandOf(message: string): string {
  if (/\bkeys?\b/.test(message)) return 'keys';
  if (/\bchannels?\b/.test(message)) return 'channels';
  return /'([^']+)'/.exec(message)?.[1]?.toLowerCase() ?? 'a command';
}

function denied(refusals: ReadonlySet<string>): RedisFinding {
  const names = [...refusals].sort();
  const commands = names.filter((name) => name !== 'keys' && name !== 'channels');
  const parts = [
    ...(commands.length === 0 ? [] : [`run ${commands.join(', ')}`]),
    ...names.filter((name) => !commands.includes(name)).map((name) => `use the ${name}`),
  ];
  const grants = [
    ...commands.map((name) => `+${name}`),
    ...(commands.length < names.length ? ['RULES'] : []),
  ];
  return {
    kind: 'fault',
    problem: `the Redis user may not ${parts.join(' and ')}`,
    fix: `grant ${grants.join(' ')}; docs/redis.md has all that is needed`,
  };
}

/** Whether there was no answer, as opposed to one that refuses. */
function isLost(error: unknown): boolean {
  return !(error instanceof Error) || error.name !== 'ReplyError';
}

function parseInfo(text: string): Info {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(
    lines.map((line): [string, string] => {
      const split = line.indexOf(':');
      return [line.slice(0, split), line.slice(split + 1)];
    }),
  );
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
