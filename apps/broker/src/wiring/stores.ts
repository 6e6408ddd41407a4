import type { AclDocument, Ban, StoredUser } from '#libs/access';
import type {
  ConnectorStore,
  DeadLetterBounds,
  DeadLetterStore,
  DefinitionStore,
  ListenerDocument,
  DelayedStore,
  ExclusiveStore,
  Log,
  Meter,
  RetainedStore,
  RuleStore,
  SessionStore,
  MessageSchedule,
  TopicMetricDefinition,
} from '#libs/broker-ports';
import { redisTarget, type Config } from '#libs/config';
import { openLocalStores, type SettingsDocument } from '#libs/store-local';
import {
  RedisDeadLetterStore,
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
  readonly users: DefinitionStore<StoredUser>;
  readonly acl: DefinitionStore<AclDocument>;
  readonly bans: DefinitionStore<Ban>;
  readonly settings: DefinitionStore<SettingsDocument>;
  /** Listeners that were made or changed at run time. */
  readonly listeners: DefinitionStore<ListenerDocument>;
  /** Filters whose messages are counted. */
  readonly topicMetrics: DefinitionStore<TopicMetricDefinition>;
  /** Messages that are published at their times. */
  readonly schedules: DefinitionStore<MessageSchedule>;
  readonly delayed: DelayedStore;
  readonly exclusive: ExclusiveStore;
  readonly deadLetters: DeadLetterStore;
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
    const local = await openLocalStores({
      dir: data.dir,
      clock: Date.now,
      deadLetters: letterBoundsOf(config),
    });
    return {
      ...local,
      ready: true,
      close: () => {
        const { sessions, retained, rules, connectors, users, acl, bans, settings } = local;
        const { listeners, topicMetrics, schedules } = local;
        const access = [rules, connectors, users, acl, bans, settings];
        const definitions = [...access, listeners, topicMetrics, schedules];
        return closeAll([
          sessions,
          retained,
          ...definitions,
          local.delayed,
          local.exclusive,
          local.deadLetters,
          local,
        ]);
      },
    };
  }
  const { keyPrefix, commandTimeoutMs, waitReplicas, waitTimeoutMs } = redis;
  const settings = { keyPrefix, commandTimeoutMs, waitReplicas, waitTimeoutMs };
  const connection = await connectRedis({ ...target, ...settings, log, meter });
  const sessions = new RedisSessionStore(connection);
  const retained = new RedisRetainedStore(connection);
  const definitions = definitionsIn(connection);
  const delayed = new RedisDelayedStore(connection);
  const exclusive = new RedisExclusiveStore(connection);
  const deadLetters = new RedisDeadLetterStore(connection, letterBoundsOf(config));
  return {
    ...{ sessions, retained, ...definitions, delayed, exclusive, deadLetters },
    get ready() {
      return connection.isUp;
    },
    close: () => {
      const all = Object.values(definitions);
      return closeAll([sessions, retained, ...all, delayed, exclusive, deadLetters, connection]);
    },
  };
}

type Definitions = Pick<
  Stores,
  | ('rules' | 'connectors' | 'users' | 'acl' | 'bans')
  | ('settings' | 'listeners' | 'topicMetrics' | 'schedules')
>;

/** The stores of what is made through the API. */
function definitionsIn(
  connection: ConstructorParameters<typeof RedisDefinitionStore>[0],
): Definitions {
  return {
    rules: new RedisDefinitionStore(connection, 'rules'),
    connectors: new RedisDefinitionStore(connection, 'connectors'),
    users: new RedisDefinitionStore(connection, 'users'),
    acl: new RedisDefinitionStore(connection, 'acl'),
    bans: new RedisDefinitionStore(connection, 'bans'),
    settings: new RedisDefinitionStore(connection, 'settings'),
    listeners: new RedisDefinitionStore(connection, 'listeners'),
    topicMetrics: new RedisDefinitionStore(connection, 'topic-metrics'),
    schedules: new RedisDefinitionStore(connection, 'schedules'),
  };
}

async function closeAll(parts: readonly { close(): Promise<void> | void }[]): Promise<void> {
  for (const part of parts) await part.close();
}

function letterBoundsOf({ bridge }: Config): DeadLetterBounds {
  const { lettersMax, bytesMax, ageSecondsMax } = bridge.deadLetters;
  return { lettersMax, bytesMax, ageMsMax: ageSecondsMax * 1_000 };
}
