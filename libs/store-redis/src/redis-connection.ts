import { Redis, type ChainableCommander } from 'ioredis';
import {
  StoreUnavailableError,
  type Log,
  type Meter,
  type RedisOperation,
} from '#libs/broker-ports';
import type { LuaScript } from './lua-script.ts';

const RECONNECT_DELAY_STEP_MS = 100;
const RECONNECT_DELAY_MS_MAX = 2_000;

/** When an idle connection is probed: one that only listens would not notice that its peer is gone. */
const KEEP_ALIVE_MS = 10_000;

/** The label of the connection's metrics and log lines. */
const ROLE = 'store';

/** What {@link connectRedis} needs. */
export interface RedisConnectionOptions {
  /** `redis://` or `rediss://`, with user and password if the server wants them. */
  readonly url: string;
  /** Stands before every key; holds no brace. */
  readonly keyPrefix: string;
  /** How long a call may wait for its reply; then it fails and the connection is made anew. */
  readonly commandTimeoutMs: number;
  readonly log: Log;
  readonly meter: Meter;
}

/**
 * One connection to Redis, which is made again for ever when it is lost.
 *
 * @remarks Nothing is queued while Redis is away and nothing is sent twice: a call then fails at once, a call whose
 * reply is outstanding fails when the connection ends, and a call without a reply fails after `commandTimeoutMs` and ends
 * the connection, since all later replies would come behind the missing one. The state is logged and metered once per
 * change, not per attempt.
 */
export class RedisConnection {
  /** The driver; what is asked of it outside {@link RedisConnection.run} has no deadline. */
  readonly client: Redis;
  readonly keyPrefix: string;
  readonly log: Log;
  readonly meter: Meter;
  readonly #options: RedisConnectionOptions;
  readonly #url: string;
  readonly #scripts = new Set<LuaScript>();
  #state: 'opening' | 'up' | 'down' | 'closed' = 'opening';
  #wasUp = false;
  /** Ends a connection that is made but not greeted in time. */
  #greeting: NodeJS.Timeout | undefined;
  /** What went wrong first with the connection at hand; the driver's own complaints follow from it. */
  #fault: string | undefined;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
    this.#url = publicUrl(options.url);
    this.keyPrefix = options.keyPrefix;
    this.log = options.log;
    this.meter = options.meter;
    this.client = new Redis(options.url, {
      connectTimeout: options.commandTimeoutMs,
      keepAlive: KEEP_ALIVE_MS,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      // With 0 the calls without a reply fail when the connection ends, not some attempts later.
      maxRetriesPerRequest: 0,
      // What is outstanding has been waited for; a server that is gone does not answer an end.
      disconnectTimeout: 0,
      retryStrategy: (attempt) =>
        Math.min(attempt * RECONNECT_DELAY_STEP_MS, RECONNECT_DELAY_MS_MAX),
      // After a failover this connection may still lead to the former primary.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    options.meter.redisUp(ROLE, false);
    this.client.on('connect', () => this.#greet());
    this.client.on('ready', () => this.#up());
    this.client.on('close', () => this.#down());
    this.client.on('error', (error: Error) => this.#erred(error));
  }

  /** Whether calls reach Redis at this moment, as far as is known. */
  get isUp(): boolean {
    return this.#state === 'up';
  }

  /**
   * Keeps a script loaded from now on: before the first call after each connect.
   *
   * @internal
   */
  use(script: LuaScript): void {
    this.#scripts.add(script);
    if (this.isUp) this.#load([script]);
  }

  /**
   * Makes one round trip.
   *
   * @throws StoreUnavailableError when Redis is away, does not reply in time or refuses; the cause says which.
   */
  async run<T>(operation: RedisOperation, call: (client: Redis) => Promise<T>): Promise<T> {
    const begunAt = performance.now();
    let outcome: 'ok' | 'error' = 'error';
    try {
      if (!this.isUp) throw new Error('not connected');
      const result = await this.#inTime(call(this.client));
      outcome = 'ok';
      return result;
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      // Only an administrator empties the script cache of a running server. The call is not repeated here:
      // a later one may have found the scripts loaded, and would be overtaken backwards.
      if (message.startsWith('NOSCRIPT')) this.#load(this.#scripts);
      throw new StoreUnavailableError(`Redis: ${message}`, { cause });
    } finally {
      this.meter.redisCommand(operation, outcome, (performance.now() - begunAt) / 1000);
    }
  }

  /**
   * Makes one round trip of several commands, carried out in order but not as one.
   *
   * @returns one result per command.
   * @throws StoreUnavailableError as {@link RedisConnection.run}, also when one of the commands is refused.
   */
  async pipeline(
    operation: RedisOperation,
    fill: (pipeline: ChainableCommander) => void,
  ): Promise<readonly unknown[]> {
    return this.run(operation, async (client) => {
      const pipeline = client.pipeline();
      fill(pipeline);
      const replies = (await pipeline.exec()) ?? [];
      return replies.map(([error, result]) => {
        if (error !== null) throw error;
        return result;
      });
    });
  }

  /** Waits for outstanding replies, as long as a call may take, and ends the connection. */
  async close(): Promise<void> {
    const wasUp = this.isUp;
    this.#state = 'closed';
    if (wasUp) await this.#inTime(this.client.quit()).catch(() => this.client.disconnect());
    else this.client.disconnect();
    this.meter.redisUp(ROLE, false);
  }

  #inTime<T>(reply: Promise<T>): Promise<T> {
    const { commandTimeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no reply within ${commandTimeoutMs} ms`));
        this.client.stream.destroy();
      }, commandTimeoutMs);
      reply.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  /** A server that accepts the connection but does not speak must not hold up the next attempt. */
  #greet(): void {
    const { stream } = this.client;
    this.#greeting = setTimeout(() => stream.destroy(), this.#options.commandTimeoutMs);
  }

  #up(): void {
    clearTimeout(this.#greeting);
    if (this.#state === 'closed') return;
    if (this.#state === 'down') this.log.info('redis-restored', { role: ROLE, url: this.#url });
    if (this.#wasUp) this.meter.redisReconnected(ROLE);
    this.#state = 'up';
    this.#wasUp = true;
    this.meter.redisUp(ROLE, true);
    this.#load(this.#scripts);
  }

  #down(): void {
    clearTimeout(this.#greeting);
    const error = this.#fault ?? 'connection closed';
    this.#fault = undefined;
    if (this.#state === 'down' || this.#state === 'closed') return;
    this.#state = 'down';
    this.meter.redisUp(ROLE, false);
    this.log.warn('redis-unavailable', { role: ROLE, url: this.#url, error });
  }

  /** The driver would go on with database 0 when it cannot have the one it wants. */
  #erred(error: Error & { readonly command?: { readonly name: string } }): void {
    this.#fault ??= error.message;
    if (error.command?.name === 'select') this.client.stream.destroy();
  }

  #load(scripts: Iterable<LuaScript>): void {
    // A script that could not be loaded shows in the calls that need it.
    for (const { text } of scripts) this.client.script('LOAD', text).catch(() => undefined);
  }
}

/**
 * Connects to Redis.
 *
 * @remarks Resolves when the connection is up or the first attempt has failed, after at most twice `commandTimeoutMs`;
 * the attempts then go on by themselves. Never rejects because Redis is away.
 *
 * @example
 * ```ts
 * const redis = await connectRedis({ url, keyPrefix: 'skein', commandTimeoutMs: 5_000, log, meter });
 * const sessions = new RedisSessionStore(redis);
 * ```
 */
export async function connectRedis(options: RedisConnectionOptions): Promise<RedisConnection> {
  const connection = new RedisConnection(options);
  await new Promise<void>((resolve) => {
    connection.client.once('ready', () => resolve());
    connection.client.once('close', () => resolve());
  });
  return connection;
}

/** The address without user and password. */
function publicUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
