import type {
  ConnectorStore,
  DelayedStore,
  ExclusiveStore,
  Log,
  Meter,
  RetainedStore,
  RuleStore,
  SessionStore,
} from '#libs/broker-ports';
import { redisTarget, type Config } from '#libs/config';
import { openLocalStores } from '#libs/store-local';
import {
  RedisDelayedStore,
  RedisExclusiveStore,
  RedisRetainedStore,
  RedisDefinitionStore,
  RedisSessionStore,
  connectRedis,
} from '#libs/store-redis';

/** The stores of a node and what they stand on. */
export interface Stores {
  readonly sessions: SessionStore;
  readonly retained: RetainedStore;
  readonly rules: RuleStore;
  readonly connectors: ConnectorStore;
  readonly delayed: DelayedStore;
  readonly exclusive: ExclusiveStore;
  /** Whether they can be reached. */
  readonly ready: boolean;
  /** Closes all of them. */
  close(): Promise<void>;
}

/** Redis when the node is part of a cluster; else memory, with a file if a directory is given. */
export async function openStores(config: Config, log: Log, meter: Meter): Promise<Stores> {
  const { redis, data } = config;
  const target = redisTarget(config);
  if (target === undefined) {
    const local = await openLocalStores({ dir: data.dir, clock: Date.now });
    return {
      ...local,
      ready: true,
      close: () => {
        const { sessions, retained, rules, connectors, delayed, exclusive } = local;
        return closeAll([sessions, retained, rules, connectors, delayed, exclusive, local]);
      },
    };
  }
  const { keyPrefix, commandTimeoutMs, waitReplicas, waitTimeoutMs } = redis;
  const settings = { keyPrefix, commandTimeoutMs, waitReplicas, waitTimeoutMs };
  const connection = await connectRedis({ ...target, ...settings, log, meter });
  const sessions = new RedisSessionStore(connection);
  const retained = new RedisRetainedStore(connection);
  const rules: RuleStore = new RedisDefinitionStore(connection, 'rules');
  const connectors: ConnectorStore = new RedisDefinitionStore(connection, 'connectors');
  const delayed = new RedisDelayedStore(connection);
  const exclusive = new RedisExclusiveStore(connection);
  return {
    sessions,
    retained,
    rules,
    connectors,
    delayed,
    exclusive,
    get ready() {
      return connection.isUp;
    },
    close: () => closeAll([sessions, retained, rules, connectors, delayed, exclusive, connection]),
  };
}

async function closeAll(parts: readonly { close(): Promise<void> | void }[]): Promise<void> {
  for (const part of parts) await part.close();
}
