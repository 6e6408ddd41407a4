import type { Redis } from 'ioredis';
import type { Log, Meter } from '#libs/broker-ports';
import { RedisRoute, openRedis, type RedisBehaviour, type RedisTarget } from '#libs/redis-client';

/** How long a blocking read waits in Redis before it asks again. */
export const BLOCK_MS = 5_000;

/** What connections are made for. `reader` blocks; `publisher` never waits; `subscriber` listens. */
export type ConnectionPurpose = 'commands' | 'publisher' | 'reader' | 'subscriber';

/** What a RedisConnections needs: where Redis is, and how it is used. */
export interface RedisConnectionsOptions extends RedisTarget {
  /** A key of the bus: in a Redis Cluster all connections lead to its master. */
  readonly key: string;
  readonly commandTimeoutMs: number;
  readonly log: Log;
  readonly meter: Meter;
}

type Role = 'commands' | 'subscriber';

/** The connections of one role: up when all are. */
interface RoleHealth {
  readonly all: Set<Redis>;
  readonly up: Set<Redis>;
  state: 'starting' | 'up' | 'down';
  everUp: boolean;
}

/**
 * Makes the connections of a bus, keeps them connecting for ever, and tells their health once per change.
 *
 * @remarks A connection error is never thrown: commands in flight fail, and the connection tries again with a delay of
 * at most a second. Every connection is asked for a sign of life now and then: one whose other end has vanished without
 * a word is given up instead of trusted. (The driver's own socketTimeout outlives its socket and ends the next one.)
 */
export class RedisConnections {
  readonly #options: RedisConnectionsOptions;
  readonly #route: RedisRoute;
  readonly #roles: Readonly<Record<Role, RoleHealth>> = {
    commands: { all: new Set(), up: new Set(), state: 'starting', everUp: false },
    subscriber: { all: new Set(), up: new Set(), state: 'starting', everUp: false },
  };
  /** The socket of each connection and what it had received at the last sweep. */
  readonly #heard = new WeakMap<Redis, { readonly socket: object; readonly bytes: number }>();
  readonly #sweep: NodeJS.Timeout;
  #commands: Redis | undefined;
  #closed = false;

  constructor(options: RedisConnectionsOptions) {
    this.#options = options;
    this.#route = new RedisRoute(options);
    const everyMs = BLOCK_MS + options.commandTimeoutMs;
    this.#sweep = setInterval(() => this.#sweepSilent(), everyMs).unref();
  }

  /** Whether every connection is up. */
  get isUp(): boolean {
    return this.#roles.commands.state === 'up' && this.#roles.subscriber.state === 'up';
  }

  /** Opens a connection; it is usable at once, for it connects by itself. */
  open(purpose: ConnectionPurpose): Redis {
    const redis = openRedis(this.#route.to(this.#options.key), this.#behaviourOf(purpose));
    if (purpose === 'commands') this.#commands = redis;
    const role = purpose === 'commands' || purpose === 'publisher' ? 'commands' : 'subscriber';
    const health = this.#roles[role];
    health.all.add(redis);
    let reason = 'the connection was closed';
    redis.on('error', (error: Error) => {
      reason = error.message;
    });
    redis.on('ready', () => {
      this.#rose(role, redis);
      if (redis === this.#commands) this.#align();
    });
    redis.on('close', () => this.#fell(role, redis, reason));
    redis.connect().catch(() => undefined); // The close event has told it, and the next attempt follows.
    return redis;
  }

  /** Ends all connections at once; commands in flight fail. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    for (const redis of this.#all()) redis.disconnect();
  }

  *#all(): Generator<Redis, void, undefined> {
    for (const { all } of Object.values(this.#roles)) yield* all;
  }

  /** A connection may have stayed with a former master: it hears nothing new there, and nobody finds it. */
  #align(): void {
    if (this.#route.kind === 'server' || this.#commands?.status !== 'ready') return;
    const master = remoteOf(this.#commands);
    for (const redis of this.#all()) {
      if (redis.status !== 'ready' || remoteOf(redis) === master) continue;
      redis.stream.destroy(new Error('another server is the master'));
    }
  }

  #sweepSilent(): void {
    this.#align();
    for (const redis of this.#all()) {
      if (redis.status !== 'ready' && redis.status !== 'connect') continue;
      const socket = redis.stream;
      const bytes = 'bytesRead' in socket ? Number(socket.bytesRead) : 0;
      const heard = this.#heard.get(redis);
      if (heard?.socket === socket && heard.bytes === bytes) {
        socket.destroy(new Error('no sign of life'));
        continue;
      }
      this.#heard.set(redis, { socket, bytes });
      // Behind a blocking read it is answered when the read is.
      if (redis.status === 'ready') redis.ping().catch(() => undefined);
    }
  }

  #behaviourOf(purpose: ConnectionPurpose): RedisBehaviour {
    const { commandTimeoutMs } = this.#options;
    const common: RedisBehaviour = {
      lazyConnect: true,
      connectTimeout: 5_000,
      disconnectTimeout: 200,
      keepAlive: 10_000,
      retryStrategy: (attempt) => Math.min(25 * 2 ** Math.min(attempt, 6), 1_000),
    };
    // With no retries what is in flight fails as soon as the connection is lost. (To switch off the resending alone would
    // leave it pending for ever.)
    switch (purpose) {
      case 'commands':
        // Every fourth failed attempt empties the queue of waiting commands, so it cannot grow for ever.
        return {
          ...common,
          commandTimeout: commandTimeoutMs,
          maxRetriesPerRequest: 3,
        };
      case 'publisher':
        return {
          ...common,
          enableOfflineQueue: false,
          enableAutoPipelining: true,
          maxRetriesPerRequest: 0,
          commandTimeout: commandTimeoutMs,
        };
      case 'reader':
        return { ...common, maxRetriesPerRequest: 0 };
      case 'subscriber':
        // The driver lets SUBSCRIBE pass before it is ready, and after that fails its own ready check for being no longer
        // allowed to ask: it would begin anew and not subscribe again. A Redis that loads its data lets subscribe, too.
        return { ...common, maxRetriesPerRequest: null, enableReadyCheck: false };
    }
  }

  #rose(role: Role, redis: Redis): void {
    const { log, meter } = this.#options;
    const health = this.#roles[role];
    health.up.add(redis);
    if (health.state === 'up' || health.up.size < health.all.size) return;
    if (health.state === 'down') log.info('redis-restored', { role });
    if (health.everUp) meter.redisReconnected(role);
    health.state = 'up';
    health.everUp = true;
    meter.redisUp(role, true);
  }

  #fell(role: Role, redis: Redis, reason: string): void {
    const { log, meter } = this.#options;
    const health = this.#roles[role];
    health.up.delete(redis);
    if (health.state === 'down' || this.#closed) return;
    health.state = 'down';
    log.warn('redis-unavailable', { role, reason });
    meter.redisUp(role, false);
  }
}

function remoteOf({ stream }: Redis): string {
  return 'remotePort' in stream ? `${stream.remoteAddress} ${stream.remotePort}` : '';
}
