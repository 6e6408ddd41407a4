import { ClientRedis, ServerRedis } from '@nestjs/microservices';
import type { Log } from '#libs/broker-ports';
import { RedisRoute, openRedis, type RedisTarget } from '#libs/redis-client';
import { ConnectionLog, TransportLogger } from './connection-log.ts';

const CLOSE_MS = 500;
const CONNECT_MS = 2_000;
const RECONNECT_MS_MAX = 1_000;

/** When an idle connection is probed: a subscriber would not notice by itself that its peer is gone. */
const KEEP_ALIVE_MS = 10_000;

type RedisClient = ReturnType<typeof openRedis>;

/** Where node commands go in Redis, and a name that they are all about: a Redis Cluster has one master for it. */
export type CommandPlace = RedisTarget & { readonly scope: string };

/** Makes and watches the connections of one transport: it is up when all of them are ready. */
class Connections {
  readonly log: ConnectionLog;
  readonly #route: RedisRoute;
  readonly #scope: string;
  readonly #clients: RedisClient[] = [];
  #closing = false;

  constructor(place: CommandPlace, log: Log) {
    this.#route = new RedisRoute(place);
    this.#scope = place.scope;
    this.log = new ConnectionLog(log, `redis ${this.#route.label}`, 'warn');
  }

  /**
   * Makes a connection, in place of Nest, which knows single servers only.
   *
   * @remarks A command waits for the connection to come back instead of failing after some attempts: whoever waits for an
   * answer has a deadline of its own. The driver's ready check is off: it lets SUBSCRIBE pass before it has asked its
   * question, which a subscriber may not ask, and then connects anew without that subscription.
   */
  open(): RedisClient {
    const client = openRedis(this.#route.to(this.#scope), {
      lazyConnect: true,
      maxRetriesPerRequest: null,
      enableReadyCheck: false,
      connectTimeout: CONNECT_MS,
      keepAlive: KEEP_ALIVE_MS,
      retryStrategy: (attempts) => Math.min(attempts * 100, RECONNECT_MS_MAX),
    });
    this.#clients.push(client);
    let reason = 'connection closed';
    client.on('error', (error) => (reason = reasonOf(error)));
    client.on('ready', () => {
      if (this.#clients.every(({ status }) => status === 'ready')) this.log.change(true);
    });
    client.on('close', () => {
      if (!this.#closing) this.log.change(false, reason);
    });
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
  readonly #connections: Connections;

  constructor(place: CommandPlace, log: Log) {
    super({});
    this.logger = new TransportLogger(log);
    this.#connections = new Connections(place, log);
  }

  get connected(): boolean {
    return this.#connections.log.up;
  }

  /** Subscribes at once: ioredis keeps the subscriptions until there is a connection, and renews them after a break. */
  override start(callback?: () => void): void {
    this.bindEvents(this.subClient, this.pubClient);
    (this.pubClient as RedisClient).connect().catch(() => {});
    callback?.();
  }

  override createRedisClient(): Promise<RedisClient> {
    return Promise.resolve(this.#connections.open());
  }

  override close(): Promise<void> {
    this.isManuallyClosed = true;
    return this.#connections.close();
  }
}

/** Nest's Redis client, made to try for ever and to keep its reply subscriptions. */
export class PatientClientRedis extends ClientRedis {
  protected override readonly logger: TransportLogger;
  readonly #connections: Connections;

  constructor(place: CommandPlace, log: Log) {
    super({});
    this.logger = new TransportLogger(log);
    this.#connections = new Connections(place, log);
  }

  override createClient(): Promise<RedisClient> {
    return Promise.resolve(this.#connections.open());
  }

  override close(): Promise<void> {
    this.isManuallyClosed = true;
    this.handleClose();
    return this.#connections.close();
  }

  /**
   * Stays subscribed: an UNSUBSCRIBE after the last answer can overtake the next question's SUBSCRIBE, whose answer would
   * then never come. There is one channel per node asked.
   */
  protected override unsubscribeFromChannel(): void {}
}
