import { ClientRedis, ServerRedis } from '@nestjs/microservices';
import type { Log } from '#libs/broker-ports';
import { ConnectionLog, TransportLogger } from './connection-log.ts';
import {
  reconnectDelayMs,
  redisTransportOptions,
  type RedisTransportOptions,
} from './redis-options.ts';

const CLOSE_MS = 500;

/** What is used of an ioredis client, whose types live behind another door. */
interface RedisClient {
  readonly status: string;
  on(event: string, listener: (error?: unknown) => void): void;
  connect(): Promise<void>;
  disconnect(): void;
  quit(): Promise<unknown>;
  sendCommand(command: unknown, stream?: unknown): Promise<unknown>;
}

/** Watches the connections of one transport: it is up when all of them are ready. */
class ConnectionWatch {
  readonly log: ConnectionLog;
  readonly #clients: RedisClient[] = [];
  #closing = false;

  constructor(log: Log, { host, port }: RedisTransportOptions) {
    this.log = new ConnectionLog(log, `redis ${host}:${port}`, 'warn');
  }

  /** Nest leaves the promises of its commands alone; a connection that is closed with one under way would end the process. */
  add(client: RedisClient): RedisClient {
    this.#clients.push(client);
    let reason = 'connection closed';
    client.on('error', (error) => (reason = reasonOf(error)));
    client.on('ready', () => {
      if (this.#clients.every(({ status }) => status === 'ready')) this.log.change(true);
    });
    client.on('close', () => {
      if (!this.#closing) this.log.change(false, reason);
    });
    const send = client.sendCommand.bind(client);
    client.sendCommand = (command, stream) => {
      const sent = send(command, stream);
      sent.catch(() => {});
      return sent;
    };
    return client;
  }

  /** Says goodbye where it can, and does not wait for a Redis that is away. */
  async close(): Promise<void> {
    this.#closing = true;
    const closing = this.#clients.map((client) =>
      client.status === 'ready' ? client.quit().catch(() => {}) : Promise.resolve(),
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([Promise.all(closing), late]);
    clearTimeout(timer);
    for (const client of this.#clients) client.disconnect();
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = (error ?? {}) as { readonly code?: string; readonly message?: string };
  return code ?? message ?? 'unknown';
}

/** Nest's Redis server, made to come up without Redis and to go on when it returns. */
export class PatientServerRedis extends ServerRedis {
  protected override readonly logger: TransportLogger;
  readonly #watch: ConnectionWatch;

  constructor(url: string, log: Log) {
    const options = redisTransportOptions(url);
    super(options);
    this.logger = new TransportLogger(log);
    this.#watch = new ConnectionWatch(log, options);
  }

  get connected(): boolean {
    return this.#watch.log.up;
  }

  /** Subscribes at once: ioredis keeps the subscriptions until there is a connection, and renews them after a break. */
  override start(callback?: () => void): void {
    this.bindEvents(this.subClient, this.pubClient);
    (this.pubClient as RedisClient).connect().catch(() => {});
    callback?.();
  }

  override async createRedisClient(): Promise<RedisClient> {
    return this.#watch.add((await super.createRedisClient()) as RedisClient);
  }

  override createRetryStrategy(times: number): number | undefined {
    return this.isManuallyClosed ? undefined : reconnectDelayMs(times);
  }

  override close(): Promise<void> {
    this.isManuallyClosed = true;
    return this.#watch.close();
  }
}

/** Nest's Redis client, made to try for ever and to keep its reply subscriptions. */
export class PatientClientRedis extends ClientRedis {
  protected override readonly logger: TransportLogger;
  readonly #watch: ConnectionWatch;

  constructor(url: string, log: Log) {
    const options = redisTransportOptions(url);
    super(options);
    this.logger = new TransportLogger(log);
    this.#watch = new ConnectionWatch(log, options);
  }

  override async createClient(): Promise<RedisClient> {
    return this.#watch.add((await super.createClient()) as RedisClient);
  }

  override createRetryStrategy(times: number): number | undefined {
    return this.isManuallyClosed ? undefined : reconnectDelayMs(times);
  }

  override close(): Promise<void> {
    this.isManuallyClosed = true;
    this.handleClose();
    return this.#watch.close();
  }

  /**
   * Stays subscribed: an UNSUBSCRIBE after the last answer can overtake the next question's SUBSCRIBE, whose answer would
   * then never come. There is one channel per node asked.
   */
  protected override unsubscribeFromChannel(): void {}
}
