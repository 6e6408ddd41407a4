import type { ChainableCommander, Redis } from 'ioredis';
import {
  StoreUnavailableError,
  type Log,
  type Meter,
  type RedisOperation,
} from '#libs/broker-ports';
import {
  RedisLink,
  RedisRoute,
  type LuaScript,
  type RedisLinkOptions,
  type RedisTarget,
  type ReplicaWait,
  type SlotMap,
} from '#libs/redis-client';

/** The label of the connection's metrics and log lines. */
const ROLE = 'store';

/** How long to wait between looks at a Redis Cluster of which a master is away. */
const LOOK_MS = 500;

/** The name of the only link when Redis is no Redis Cluster. */
const ONLY = '';

/** A command that came to the wrong node of a Redis Cluster, or to one that has lost the others. It was not carried out. */
const MISDIRECTED = /^(?:MOVED|ASK|CLUSTERDOWN|TRYAGAIN) ?/;

/** What the connection, and the stores on it, tell of themselves. */
export type RedisMeter = Pick<
  Meter,
  | 'redisUp'
  | 'redisReconnected'
  | 'redisReplicasWaited'
  | 'redisCommandBegun'
  | 'redisCommand'
  | 'retainedOperation'
>;

/** What {@link connectRedis} needs: where Redis is, and how it is used. */
export interface RedisConnectionOptions extends RedisTarget {
  /** Stands before every key; holds no brace. */
  readonly keyPrefix: string;
  /** How long a call may wait for its reply; then it fails and the connection is made anew. */
  readonly commandTimeoutMs: number;
  /** How many replicas must have what is written before a write resolves; see `redis.waitReplicas`. @defaultValue 0 */
  readonly waitReplicas?: number;
  /** For how long they are waited for; less than `commandTimeoutMs`. @defaultValue half of it */
  readonly waitTimeoutMs?: number;
  readonly log: Log;
  readonly meter: RedisMeter;
}

/** A command and the key, or one of the keys, that it touches; and which refusal is no failure, its result being undefined. */
export type RedisStep = readonly [
  key: string,
  send: (to: ChainableCommander, key: string) => unknown,
  allowedRefusal?: RegExp,
];

/**
 * The stores' connection to Redis: to one server, to the master that Sentinels name, or to all masters of a Redis Cluster.
 *
 * @remarks A call that cannot be made fails at once, one without a reply in time; none is queued or repeated. A call goes to the master of its key;
 * calls with the same key keep their order. While a slot of a Redis Cluster moves to another master, calls for its keys
 * fail. The state is logged and metered once per change, not per attempt: up is who reaches all masters.
 */
export class RedisConnection {
  readonly keyPrefix: string;
  readonly log: Log;
  readonly meter: RedisMeter;
  readonly #options: RedisConnectionOptions;
  readonly #route: RedisRoute;
  readonly #scripts = new Set<LuaScript>();
  /** By the `host:port` of their masters. */
  readonly #links = new Map<string, RedisLink>();
  #map: SlotMap | undefined;
  #state: 'opening' | 'up' | 'down' | 'closed' = 'opening';
  #wasUp = false;
  #looking: Promise<void> | undefined;
  #lookAgain: NodeJS.Timeout | undefined;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
    this.#route = new RedisRoute(options);
    this.keyPrefix = options.keyPrefix;
    this.log = options.log;
    this.meter = options.meter;
    options.meter.redisUp(ROLE, false);
    // Without a Redis Cluster there is one master for all keys.
    if (!this.#isCluster) this.#link(ONLY, this.#route.to(ONLY));
  }

  /** Whether calls reach Redis at this moment, as far as is known. */
  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** The driver of one master; what is asked of it has no deadline. @internal */
  get client(): Redis {
    const [link] = this.#links.values();
    if (link === undefined) throw new Error('no master is known');
    return link.client;
  }

  /** Resolves when the first attempt to connect, to each master that is known then, has succeeded or failed. @internal */
  async tried(): Promise<void> {
    if (this.#isCluster) await this.#look();
    await Promise.all([...this.#links.values()].map((link) => link.tried()));
  }

  /**
   * Keeps a script loaded from now on: before the first call after each connect.
   *
   * @internal
   */
  use(script: LuaScript): void {
    this.#scripts.add(script);
    for (const link of this.#links.values()) if (link.isUp) link.load([script]);
  }

  /**
   * Makes one round trip to the master of a key.
   *
   * @throws StoreUnavailableError when Redis is away, does not reply in time or refuses; the cause says which.
   */
  async run<T>(
    operation: RedisOperation,
    key: string,
    send: (client: Redis, replicas: ReplicaWait) => Promise<T>,
  ): Promise<T> {
    const begunAt = performance.now();
    this.meter.redisCommandBegun();
    const link = this.#links.get(this.#masterOf(key));
    let outcome: 'ok' | 'error' = 'error';
    try {
      if (link === undefined) throw new Error('not connected');
      const result = await link.call(send);
      outcome = 'ok';
      return result;
    } catch (cause) {
      throw this.#failure(cause, link);
    } finally {
      this.meter.redisCommand(operation, outcome, (performance.now() - begunAt) / 1000);
    }
  }

  /**
   * Makes one round trip to each master of the keys, all at once.
   *
   * @remarks Commands to one master are carried out in their order, but not as one. With `waitReplicas` they have to be on
   * so many replicas.
   * @returns one result per step; where it was refused, or its master has failed, a StoreUnavailableError.
   */
  async attempt(
    operation: RedisOperation,
    steps: readonly RedisStep[],
  ): Promise<readonly unknown[]> {
    if (!this.#isCluster) return this.#attemptAt(operation, steps);
    const groups = new Map<string, { readonly places: number[]; readonly steps: RedisStep[] }>();
    for (const [place, step] of steps.entries()) {
      const master = this.#masterOf(step[0]);
      const group = groups.get(master) ?? { places: [], steps: [] };
      group.places.push(place);
      group.steps.push(step);
      groups.set(master, group);
    }
    const replies: unknown[] = [];
    const sent = [...groups.values()].map(async (group) => {
      const answers = await this.#attemptAt(operation, group.steps);
      group.places.forEach((place, at) => (replies[place] = answers[at]));
    });
    await Promise.all(sent);
    return replies;
  }

  /**
   * As attempt(), for steps of which none is of use without the others.
   *
   * @throws StoreUnavailableError when one of them has failed; after all masters have answered or failed.
   */
  async pipeline(
    operation: RedisOperation,
    steps: readonly RedisStep[],
  ): Promise<readonly unknown[]> {
    const replies = await this.attempt(operation, steps);
    const failure = replies.find((reply) => reply instanceof StoreUnavailableError);
    if (failure !== undefined) throw failure;
    return replies;
  }

  /**
   * Makes the steps of each stage only after those before it were carried out: in one round trip, unless Redis is a Redis
   * Cluster.
   *
   * @returns one result per step.
   * @throws StoreUnavailableError as {@link RedisConnection.pipeline}.
   */
  async inTurn(
    operation: RedisOperation,
    stages: readonly (readonly RedisStep[])[],
  ): Promise<readonly unknown[]> {
    if (!this.#isCluster) return this.pipeline(operation, stages.flat());
    const replies: unknown[] = [];
    for (const stage of stages) replies.push(...(await this.pipeline(operation, stage)));
    return replies;
  }

  /** Waits for outstanding replies, as long as a call may take, and ends the connection. */
  async close(): Promise<void> {
    this.#state = 'closed';
    clearTimeout(this.#lookAgain);
    await Promise.all([...this.#links.values()].map((link) => link.close()));
    this.meter.redisUp(ROLE, false);
  }

  /** One round trip to the master of the first step. */
  async #attemptAt(
    operation: RedisOperation,
    steps: readonly RedisStep[],
  ): Promise<readonly unknown[]> {
    const begunAt = performance.now();
    this.meter.redisCommandBegun();
    const link = this.#links.get(this.#masterOf(steps[0]?.[0] ?? ''));
    let outcome: 'ok' | 'error' = 'error';
    try {
      if (link === undefined) throw new Error('not connected');
      const replies = await link.call((client, wait) => this.#send(steps, client, wait));
      outcome = 'ok';
      return replies.map(([error, result], at) => {
        if (error === null) return result;
        if (steps[at]?.[2]?.test(error.message) === true) return undefined;
        outcome = 'error';
        return this.#failure(error, link);
      });
    } catch (cause) {
      const failure = this.#failure(cause, link);
      return steps.map(() => failure);
    } finally {
      this.meter.redisCommand(operation, outcome, (performance.now() - begunAt) / 1000);
    }
  }

  async #send(
    steps: readonly RedisStep[],
    client: Redis,
    wait: ReplicaWait,
  ): Promise<readonly [error: Error | null, result: unknown][]> {
    const pipeline = client.pipeline();
    for (const [key, send] of steps) send(pipeline, key);
    const [replies, isReplicated] = await Promise.all([pipeline.exec(), wait.reached()]);
    if (this.#options.waitReplicas) {
      this.meter.redisReplicasWaited(isReplicated ? 'reached' : 'missed');
    }
    if (!isReplicated) throw new Error('too few replicas have what was written');
    return replies ?? [];
  }

  #failure(cause: unknown, link: RedisLink | undefined): StoreUnavailableError {
    const message = cause instanceof Error ? cause.message : String(cause);
    // Only an administrator empties the script cache of a running server. The call is not repeated here:
    // a later one may have found the scripts loaded, and would be overtaken backwards.
    if (message.startsWith('NOSCRIPT')) link?.load(this.#scripts);
    if (MISDIRECTED.test(message)) void this.#look();
    return new StoreUnavailableError(`Redis: ${message}`, { cause });
  }

  get #isCluster(): boolean {
    return this.#route.kind === 'cluster';
  }

  #masterOf(key: string): string {
    return this.#isCluster ? (this.#map?.masterOf(key) ?? '') : ONLY;
  }

  #link(master: string, place: RedisLinkOptions['place']): void {
    const { commandTimeoutMs, waitReplicas = 0 } = this.#options;
    const { waitTimeoutMs = commandTimeoutMs / 2 } = this.#options;
    const link = new RedisLink({
      place,
      commandTimeoutMs,
      wait: { replicas: waitReplicas, timeoutMs: waitTimeoutMs },
      scripts: this.#scripts,
      changed: (isUp, reason) => {
        if (this.#links.get(master) !== link) return;
        if (!isUp) this.#lookSoon();
        this.#told(reason);
      },
    });
    this.#links.set(master, link);
  }

  /** Learns who the masters of the Redis Cluster are, and again until all of them are reached. */
  #look(): Promise<void> {
    if (!this.#isCluster || this.#state === 'closed') return Promise.resolve();
    clearTimeout(this.#lookAgain);
    this.#lookAgain = undefined;
    this.#looking ??= this.#route
      .slots()
      .then((map) => this.#follow(map))
      .catch((error: unknown) => this.#told(error instanceof Error ? error.message : String(error)))
      .finally(() => {
        this.#looking = undefined;
        if (!this.#isWhole()) this.#lookSoon();
      });
    return this.#looking;
  }

  #lookSoon(): void {
    if (!this.#isCluster || this.#state === 'closed') return;
    this.#lookAgain ??= setTimeout(() => void this.#look(), LOOK_MS);
  }

  #follow(map: SlotMap): void {
    if (this.#state === 'closed') return;
    this.#map = map;
    for (const [master, address] of map.masters) {
      if (!this.#links.has(master)) this.#link(master, this.#route.toNode(address));
    }
    for (const [master, link] of this.#links) {
      if (map.masters.has(master)) continue;
      this.#links.delete(master);
      void link.close();
    }
    this.#told(map.isWhole ? '' : 'a part of the slots has no master');
  }

  #isWhole(): boolean {
    const isServed = !this.#isCluster || this.#map?.isWhole === true;
    return isServed && [...this.#links.values()].every(({ isUp }) => isUp);
  }

  /** Logs and meters what has become of the whole. */
  #told(reason: string): void {
    if (this.#state === 'closed') return;
    const url = this.#route.label;
    if (this.#isWhole()) {
      if (this.#state === 'up') return;
      if (this.#state === 'down') this.log.info('redis-restored', { role: ROLE, url });
      if (this.#wasUp) this.meter.redisReconnected(ROLE);
      this.#state = 'up';
      this.#wasUp = true;
      this.meter.redisUp(ROLE, true);
      return;
    }
    // A link that was only just made has not failed.
    if (this.#state === 'down' || reason === '') return;
    this.#state = 'down';
    this.meter.redisUp(ROLE, false);
    this.log.warn('redis-unavailable', { role: ROLE, url, error: reason });
  }
}

/**
 * Connects to Redis.
 *
 * @remarks Resolves when the connection is up or the first attempt has failed, after at most a few `commandTimeoutMs`;
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
  await connection.tried();
  return connection;
}
