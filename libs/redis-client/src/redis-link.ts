import type { Redis } from 'ioredis';
import type { LuaScript } from './lua-script.ts';
import { openRedis } from './open-redis.ts';
import { ReplicaWait, type ReplicaWaitOptions } from './replica-wait.ts';

const RECONNECT_DELAY_STEP_MS = 100;
const RECONNECT_DELAY_MS_MAX = 2_000;

/** When an idle connection is probed: one that only listens would not notice that its peer is gone. */
const KEEP_ALIVE_MS = 10_000;

/** What a RedisLink needs. */
export interface RedisLinkOptions {
  /** Where it leads to: see RedisRoute. */
  readonly place: Parameters<typeof openRedis>[0];
  readonly commandTimeoutMs: number;
  readonly wait: ReplicaWaitOptions;
  /** The scripts that are to be loaded after each connect. */
  readonly scripts: ReadonlySet<LuaScript>;
  /** The link came up, or went down for this reason, or an attempt to connect failed. */
  readonly changed: (isUp: boolean, reason: string) => void;
}

/**
 * One connection to one server of Redis, which is made again for ever when it is lost.
 *
 * @remarks Nothing is queued while the server is away and nothing is sent twice: a call then fails at once, a call whose
 * reply is outstanding fails when the connection ends, and a call without a reply fails after `commandTimeoutMs` and ends
 * the connection, since all later replies would come behind the missing one.
 */
export class RedisLink {
  /** The driver; what is asked of it outside {@link RedisLink.call} has no deadline. */
  readonly client: Redis;
  readonly #replicas: ReplicaWait;
  readonly #options: RedisLinkOptions;
  #state: 'down' | 'up' | 'closed' = 'down';
  /** Ends a connection that is made but not greeted in time. */
  #greeting: NodeJS.Timeout | undefined;
  /** What went wrong first with the connection at hand; the driver's own complaints follow from it. */
  #fault: string | undefined;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
    this.client = openRedis(options.place, {
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
    });
    this.#replicas = new ReplicaWait(this.client, options.wait);
    this.client.on('connect', () => this.#greet());
    this.client.on('ready', () => this.#up());
    this.client.on('close', () => this.#down());
    this.client.on('error', (error: Error) => this.#erred(error));
  }

  /** Whether calls reach the server at this moment, as far as is known. */
  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Resolves when the first attempt to connect has succeeded or failed. */
  tried(): Promise<void> {
    return new Promise((resolve) => {
      this.client.once('ready', () => resolve());
      this.client.once('close', () => resolve());
    });
  }

  /** Makes one round trip; rejects when the server is away, refuses or does not reply in time. */
  call<T>(send: (client: Redis, replicas: ReplicaWait) => Promise<T>): Promise<T> {
    if (!this.isUp) return Promise.reject(new Error('not connected'));
    return this.#inTime(send(this.client, this.#replicas));
  }

  /** Loads scripts; one that could not be loaded shows in the calls that need it. */
  load(scripts: Iterable<LuaScript>): void {
    for (const { text } of scripts) this.client.script('LOAD', text).catch(() => undefined);
  }

  /** Waits for outstanding replies, as long as a call may take, and ends the connection. */
  async close(): Promise<void> {
    const wasUp = this.isUp;
    this.#state = 'closed';
    clearTimeout(this.#greeting);
    if (wasUp) await this.#inTime(this.client.quit()).catch(() => this.client.disconnect());
    else this.client.disconnect();
  }

  #inTime<T>(reply: Promise<T>): Promise<T> {
    const { commandTimeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      let isSettled = false;
      const fail = () => {
        if (isSettled) return;
        reject(new Error(`no reply within ${commandTimeoutMs} ms`));
        this.client.stream.destroy();
      };
      // A reply that lies in the socket is read first: it was this process that had no time, not the server.
      const timer = setTimeout(() => setImmediate(fail), commandTimeoutMs);
      const settled = () => {
        isSettled = true;
        clearTimeout(timer);
      };
      reply.then(resolve, reject).finally(settled);
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
    this.#state = 'up';
    this.load(this.#options.scripts);
    this.#options.changed(true, '');
  }

  #down(): void {
    clearTimeout(this.#greeting);
    const reason = this.#fault ?? 'connection closed';
    this.#fault = undefined;
    if (this.#state === 'closed') return;
    this.#state = 'down';
    this.#options.changed(false, reason);
  }

  /** The driver would go on with database 0 when it cannot have the one it wants. */
  #erred(error: Error & { readonly command?: { readonly name: string } }): void {
    this.#fault ??= error.message;
    if (error.command?.name === 'select') this.client.stream.destroy();
  }
}
