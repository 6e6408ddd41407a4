import { Redis, type RedisOptions } from 'ioredis';
import { PatientSentinelConnector, connectorTo } from './connectors.ts';
import {
  addressText,
  parseAddress,
  type RedisAddress,
  type RedisTarget,
  type RedisTls,
} from './redis-target.ts';
import { SlotMap } from './slot-map.ts';

/** How long a question to a Sentinel or to a node of a Redis Cluster may take. */
const ASK_MS = 2_000;

const PORT = 6_379;

/**
 * The way to Redis: options of the driver that lead a plain connection to the server that serves a key, wherever that is
 * at the moment of each attempt to connect.
 *
 * @remarks The driver's own Cluster sends commands again when a slot has moved, which changes their order. A plain
 * connection to a master does not: a command that comes to the wrong server fails.
 */
export class RedisRoute {
  readonly kind: 'server' | 'sentinel' | 'cluster';
  /** Names the target in logs, without secrets. */
  readonly label: string;
  readonly #access: RedisOptions;
  readonly #place: RedisOptions;
  readonly #seeds: readonly RedisAddress[];
  #known: readonly RedisAddress[] = [];
  #turn = 0;
  #asking: Promise<SlotMap> | undefined;

  constructor(target: RedisTarget) {
    const { url, sentinels = [], nodes = [] } = target;
    this.#seeds = nodes.map(parseAddress);
    if (url !== undefined) {
      const server = new URL(url);
      this.kind = 'server';
      this.label = `${server.protocol}//${server.host}${server.pathname}`;
      this.#access = accessOf(target, server);
      this.#place = urlPlace(server);
    } else if (sentinels.length > 0) {
      this.kind = 'sentinel';
      this.label = `sentinel ${target.masterName ?? ''} (${sentinels.join(', ')})`;
      this.#access = accessOf(target);
      this.#place = sentinelPlace(target, this.#access);
    } else if (nodes.length > 0) {
      this.kind = 'cluster';
      this.label = `cluster (${nodes.join(', ')})`;
      this.#access = accessOf(target);
      this.#place = {};
    } else {
      throw new RangeError('a Redis target has one of url, sentinels and nodes');
    }
  }

  /**
   * The place of the master, in a Redis Cluster of the master of a key; it is looked for with every attempt to connect.
   *
   * @remarks An answer of a server that is not the master any more fails its command and makes the connection anew.
   */
  to(key: string): RedisOptions {
    const place =
      this.kind === 'cluster' ? { Connector: connectorTo(() => this.#masterOf(key)) } : this.#place;
    return { ...this.#access, ...place, reconnectOnError: isFormerMaster };
  }

  /** The place of one node of a Redis Cluster, whatever it serves. */
  toNode(address: RedisAddress): RedisOptions {
    return { ...this.#access, ...addressPlace(address) };
  }

  /**
   * Asks a node of the Redis Cluster who serves what; each time another one, since one that was cut off knows it wrong.
   *
   * @throws Error when none of those that are known answers.
   */
  slots(): Promise<SlotMap> {
    this.#asking ??= this.#slots().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #slots(): Promise<SlotMap> {
    const candidates = new Map([...this.#known, ...this.#seeds].map((at) => [addressText(at), at]));
    const nodes = [...candidates.values()];
    this.#turn += 1;
    let failure: unknown;
    for (let step = 0; step < nodes.length; step += 1) {
      const address = nodes[(this.#turn + step) % nodes.length];
      if (address === undefined) continue;
      try {
        const map = await this.#ask(address);
        this.#known = map.nodes;
        return map;
      } catch (error) {
        failure = error;
      }
    }
    throw new Error('no node of the Redis Cluster answers', { cause: failure });
  }

  async #ask(address: RedisAddress): Promise<SlotMap> {
    const redis = new Redis({
      ...this.toNode(address),
      lazyConnect: true,
      enableReadyCheck: false,
      retryStrategy: () => null,
      connectTimeout: ASK_MS,
      commandTimeout: ASK_MS,
      disconnectTimeout: 0,
    });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      return new SlotMap(await redis.cluster('SLOTS'), address);
    } finally {
      redis.disconnect();
    }
  }

  async #masterOf(key: string): Promise<RedisAddress> {
    const map = await this.slots();
    const master = map.masters.get(map.masterOf(key) ?? '');
    if (master === undefined) throw new Error('no node of the Redis Cluster serves the slot');
    return master;
  }
}

/** Who connects, and by TLS or not. What is given apart stands before what the URL says. */
function accessOf(target: RedisTarget, url?: URL): RedisOptions {
  const username = target.username ?? decodeURIComponent(url?.username ?? '');
  const password = target.password ?? decodeURIComponent(url?.password ?? '');
  const db = target.database ?? Number(url?.pathname.slice(1) ?? 0);
  const tls = target.tls ?? (url?.protocol === 'rediss:' ? {} : undefined);
  return {
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(Number.isSafeInteger(db) ? { db } : {}),
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
  };
}

function urlPlace({ hostname, port }: URL): RedisOptions {
  return addressPlace({
    host: hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: port === '' ? PORT : Number(port),
  });
}

function addressPlace(address: RedisAddress): RedisOptions {
  return { ...address, Connector: connectorTo(() => Promise.resolve(address)) };
}

function sentinelPlace(target: RedisTarget, { tls }: RedisOptions): RedisOptions {
  const { sentinels = [], masterName = '', sentinelUsername, sentinelPassword } = target;
  return {
    Connector: PatientSentinelConnector as NonNullable<RedisOptions['Connector']>,
    sentinels: sentinels.map(parseAddress),
    name: masterName,
    role: 'master',
    sentinelRetryStrategy: () => null,
    sentinelCommandTimeout: ASK_MS,
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
  };
}

function tlsOptions({ serverName, ...pem }: RedisTls): NonNullable<RedisOptions['tls']> {
  return { ...pem, ...(serverName === undefined ? {} : { servername: serverName }) };
}

/** Whether an error says that its server is a replica by now, or serves other slots. A script's error holds that of its command. */
function isFormerMaster({ message }: Error): boolean {
  return message.includes('READONLY') || /^(?:MOVED|UNBLOCKED) /.test(message);
}
