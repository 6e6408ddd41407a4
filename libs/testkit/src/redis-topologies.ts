import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { freePort, startRedis, type RedisServer } from './redis-server.ts';
import { until } from './until.ts';

const FORM_DEADLINE_MS = 20_000;
const SLOTS = 16_384;

/** How fast the failure of a server is noticed, in tests. */
const DOWN_AFTER_MS = 1_000;

/** A replica that comes gets a copy without waiting for others. */
const AT_ONCE = ['--repl-diskless-sync-delay', '0'];

/** A master with replicas, watched by three Sentinels. */
export interface RedisSentinels {
  /** `host:port` of the Sentinels. */
  readonly sentinels: readonly string[];
  readonly masterName: string;
  /** The server that was the master at the start. */
  readonly master: RedisServer;
  readonly replicas: readonly RedisServer[];
  /** Ends all servers and removes their folders. */
  stop(): Promise<void>;
}

/** A Redis Cluster; `servers` begins with the masters, in the order of their slots. */
export interface RedisCluster {
  /** `host:port` of all servers. */
  readonly nodes: readonly string[];
  readonly servers: readonly RedisServer[];
  /** Ends all servers and removes their folders. */
  stop(): Promise<void>;
}

/** Certificates for one test: an authority, and one that it has signed for `redis.test`, which servers and clients share. */
export interface Certificates {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly serverName: string;
  /** Removes their folder. */
  remove(): Promise<void>;
}

/** Starts a master, replicas and three Sentinels, and waits until they know each other. */
export async function startSentinels(count = 1): Promise<RedisSentinels> {
  const masterName = 'shop';
  const master = await startRedis({ appendOnly: true, args: AT_ONCE });
  const args = [...AT_ONCE, '--replicaof', '127.0.0.1', String(master.port)];
  const replicas: RedisServer[] = [];
  while (replicas.length < count) replicas.push(await startRedis({ appendOnly: true, args }));
  const file = [
    `sentinel monitor ${masterName} 127.0.0.1 ${String(master.port)} 2`,
    `sentinel down-after-milliseconds ${masterName} ${String(DOWN_AFTER_MS)}`,
    `sentinel failover-timeout ${masterName} 5000`,
  ].join('\n');
  const start = (): Promise<RedisServer> => startRedis({ file, args: ['--sentinel'] });
  const watchers = [await start(), await start(), await start()];
  const servers = [...watchers, ...replicas, master];
  try {
    await Promise.all(replicas.map(copied));
    for (const watcher of watchers) {
      await asking(watcher, (redis) =>
        until(async () => {
          const known = (await redis.call('SENTINEL', 'MASTER', masterName)) as string[];
          const field = (name: string): string | undefined => known[known.indexOf(name) + 1];
          return field('num-slaves') === String(count) && field('num-other-sentinels') === '2';
        }, FORM_DEADLINE_MS),
      );
    }
  } catch (error) {
    await stopAll(servers);
    throw error;
  }
  return {
    sentinels: watchers.map(({ port }) => `127.0.0.1:${String(port)}`),
    masterName,
    master,
    replicas,
    stop: () => stopAll(servers),
  };
}

/** Starts a Redis Cluster with the slots spread evenly over its masters, and waits until it serves. */
export async function startRedisCluster({
  masters = 3,
  replicas = 0,
  args = [] as readonly string[],
} = {}): Promise<RedisCluster> {
  const servers: RedisServer[] = [];
  try {
    for (let index = 0; index < masters + replicas; index += 1) {
      const bus = String(await freePort());
      const mode = ['--cluster-enabled', 'yes', '--cluster-port', bus];
      const timeout = ['--cluster-node-timeout', String(DOWN_AFTER_MS)];
      servers.push(
        await startRedis({
          appendOnly: replicas > 0,
          args: [...mode, ...timeout, ...AT_ONCE, ...args],
        }),
      );
    }
    await form(servers, masters);
    await Promise.all(servers.slice(masters).map(copied));
  } catch (error) {
    await stopAll(servers);
    throw error;
  }
  return {
    nodes: servers.map(({ port }) => `127.0.0.1:${String(port)}`),
    servers,
    stop: () => stopAll(servers),
  };
}

async function form(servers: readonly RedisServer[], masters: number): Promise<void> {
  const ids: string[] = [];
  for (const [index, server] of servers.entries()) {
    await asking(server, async (redis) => {
      ids.push(await redis.cluster('MYID'));
      for (const other of servers) {
        const busPort = String(await asking(other, busPortOf));
        await redis.call('CLUSTER', 'MEET', '127.0.0.1', String(other.port), busPort);
      }
      if (index >= masters) return;
      const from = Math.floor((index * SLOTS) / masters);
      await redis.cluster('ADDSLOTSRANGE', from, Math.floor(((index + 1) * SLOTS) / masters) - 1);
    });
  }
  for (const [index, server] of servers.entries()) {
    if (index < masters) continue;
    await asking(server, (redis) =>
      until(() => redis.cluster('REPLICATE', ids[index % masters] ?? ''), FORM_DEADLINE_MS),
    );
  }
  for (const server of servers) {
    await asking(server, (redis) =>
      until(async () => {
        const info = String(await redis.cluster('INFO'));
        const known = `cluster_known_nodes:${String(servers.length)}\r`;
        if (!info.includes('cluster_state:ok') || !info.includes(known)) return false;
        const ranges = (await redis.cluster('SLOTS')) as unknown[][];
        return ranges.flatMap((range) => range.slice(2)).length === servers.length;
      }, FORM_DEADLINE_MS),
    );
  }
}

/** Waits until a replica has a copy of its master. */
function copied(replica: RedisServer): Promise<void> {
  return asking(replica, (redis) =>
    until(
      async () => (await redis.info('replication')).includes('master_link_status:up'),
      FORM_DEADLINE_MS,
    ),
  );
}

async function busPortOf(redis: Redis): Promise<string> {
  const [, port = ''] = (await redis.config('GET', 'cluster-port')) as string[];
  return port;
}

/** Makes certificates with openssl. */
export async function makeCertificates(serverName = 'redis.test'): Promise<Certificates> {
  const run = promisify(execFile);
  const directory = await mkdtemp(join(tmpdir(), 'skein-tls-'));
  const file = (name: string): string => join(directory, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const paths = { caFile: file('ca.pem'), certFile: file('cert.pem'), keyFile: file('key.pem') };
  await run('openssl', [
    ...['req', '-x509', ...key, '-keyout', file('ca-key.pem'), '-out', paths.caFile],
    ...['-days', '2', '-subj', '/CN=skein test authority'],
  ]);
  await run('openssl', [
    ...['req', ...key, '-keyout', paths.keyFile, '-out', file('request.pem')],
    ...['-subj', `/CN=${serverName}`],
  ]);
  await writeFile(file('names'), `subjectAltName=DNS:${serverName}\n`);
  await run('openssl', [
    ...['x509', '-req', '-in', file('request.pem'), '-out', paths.certFile, '-days', '2'],
    ...['-CA', paths.caFile, '-CAkey', file('ca-key.pem'), '-CAcreateserial'],
    ...['-extfile', file('names')],
  ]);
  return {
    ...paths,
    ca: await readFile(paths.caFile, 'utf8'),
    cert: await readFile(paths.certFile, 'utf8'),
    key: await readFile(paths.keyFile, 'utf8'),
    serverName,
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Arguments of a redis-server that takes TLS with certificates of clients at a port. */
export function tlsArgs(port: number, { caFile, certFile, keyFile }: Certificates): string[] {
  const files = ['--tls-ca-cert-file', caFile, '--tls-cert-file', certFile];
  return ['--tls-port', String(port), ...files, '--tls-key-file', keyFile];
}

async function asking<Result>(
  server: RedisServer,
  ask: (redis: Redis) => Promise<Result>,
): Promise<Result> {
  const redis = new Redis(server.url);
  try {
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}

async function stopAll(servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
}
