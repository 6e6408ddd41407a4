import { Redis } from 'ioredis';
import { startRedis, type RedisServer } from '#libs/testkit';
import { Api } from '../../e2e/harness/api.ts';
import { Broker } from '../../e2e/harness/broker.ts';
import { Scope } from '../../e2e/harness/scope.ts';

const KEY = 'a-key-for-the-fuzzer-0123456789';
const CANARY = { key: 'of-somebody-else', value: 'still there' };
const UNLIMITED = {
  API_RATE_LIMITS_REQUESTS_PER_SECOND: 0,
  API_RATE_LIMITS_PUBLISHES_PER_SECOND: 0,
  API_RATE_LIMITS_FAILURES_PER_SECOND: 0,
};

/** Two nodes and an API as processes, on a Redis of their own. */
export class FuzzedCluster {
  readonly key = KEY;
  readonly #scope: Scope;
  readonly #redis: RedisServer;
  readonly #nodes: readonly Broker[];
  readonly #api: Api;

  private constructor(
    scope: Scope,
    parts: { readonly redis: RedisServer; readonly nodes: readonly Broker[]; readonly api: Api },
  ) {
    this.#scope = scope;
    this.#redis = parts.redis;
    this.#nodes = parts.nodes;
    this.#api = parts.api;
  }

  /** Starts all of it, and leaves something in Redis that is not Skein's. */
  static async start(): Promise<FuzzedCluster> {
    const scope = new Scope();
    const redis = await startRedis({ appendOnly: false });
    scope.add(() => redis.stop());
    await onRedis(redis, (client) => client.set(CANARY.key, CANARY.value));
    const settings = { REDIS_URL: redis.url };
    const nodes = [await Broker.start(scope, settings), await Broker.start(scope, settings)];
    const api = await Api.start(scope, { ...settings, ...UNLIMITED }, KEY);
    return new FuzzedCluster(scope, { redis, nodes, api });
  }

  get origin(): string {
    return this.#api.origin;
  }

  /** What is not as it was. */
  async faults(): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const { id, child } of this.#nodes) {
      if (!child.isRunning) faults.push(`${id} has ended:\n${child.output.slice(-2_000)}`);
    }
    if (!this.#api.child.isRunning) {
      faults.push(`the API has ended:\n${this.#api.child.output.slice(-2_000)}`);
    }
    const kept = await onRedis(this.#redis, (client) => client.get(CANARY.key));
    if (kept !== CANARY.value) faults.push('a key of somebody else was changed in Redis');
    const status = await this.#api.call('getStatus');
    if (status.status !== 200) faults.push(`the status is ${JSON.stringify(status.body)}`);
    return faults;
  }

  /** Stops all of it. */
  stop(): Promise<void> {
    return this.#scope.close();
  }
}

async function onRedis<T>(redis: RedisServer, ask: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(redis.url);
  try {
    return await ask(client);
  } finally {
    client.disconnect();
  }
}
