import { afterAll, beforeAll } from '@jest/globals';
import type { BridgeRule, Connector, Meter } from '#libs/broker-ports';
import {
  apiStateSuite,
  DEAD_LETTER_BOUNDS,
  deadLetterStoreSuite,
  delayedStoreSuite,
  exclusiveStoreSuite,
  partialSessionStoreSuite,
  retainedStoreSuite,
  connectorStoreSuite,
  definitionStoreSuite,
  ruleStoreSuite,
  sessionStoreSuite,
  sharedDelayedStoreSuite,
  silentLog,
  startRedisCluster,
  type RedisCluster,
  type SampleDefinition,
  type StoreFactory,
} from '#libs/testkit';
import { aclRules } from '#libs/redis-client';
import { sessionKeys } from './keys.ts';
import { connectRedis, type RedisConnection, type RedisStep } from './redis-connection.ts';
import { RedisApiState } from './api-state/redis-api-state.ts';
import { RedisDeadLetterStore } from './redis-dead-letter-store.ts';
import { RedisDefinitionStore } from './redis-definition-store.ts';
import { RedisDelayedStore } from './redis-delayed-store.ts';
import { RedisExclusiveStore } from './redis-exclusive-store.ts';
import { RedisRetainedStore } from './redis-retained-store.ts';
import { RedisSessionStore } from './redis-session-store.ts';

const silentMeter = new Proxy({}, { get: () => () => undefined }) as Meter;

let cluster: RedisCluster;
let tests = 0;

/**
 * Three masters: a command whose keys lie in different slots is refused, and one that goes astray as well. So is one that
 * docs/redis.md does not name, by a user who may run those only.
 */
beforeAll(async () => {
  const user = ['--user', 'skein', 'on', '>secret', ...aclRules('test*')];
  cluster = await startRedisCluster({ args: user });
}, 30_000);

afterAll(() => cluster.stop());

function connect(keyPrefix: string): Promise<RedisConnection> {
  return connectRedis({
    nodes: cluster.nodes.slice(0, 1),
    ...{ username: 'skein', password: 'secret' },
    keyPrefix,
    commandTimeoutMs: 5_000,
    log: silentLog,
    meter: silentMeter,
  });
}

/** Makes stores under a key prefix per test; every instance has a connection of its own, as nodes have. */
function factoryOf<Store extends { close(): Promise<void> }>(
  make: (redis: RedisConnection) => Store,
): StoreFactory<Store> {
  return async () => {
    tests += 1;
    const keyPrefix = `test${String(tests)}`;
    const closers: (() => Promise<void>)[] = [];
    const open = async (): Promise<Store> => {
      const redis = await connect(keyPrefix);
      const store = make(redis);
      closers.push(async () => {
        await store.close();
        await redis.close();
      });
      return store;
    };
    const close = async (): Promise<void> => {
      for (const closer of closers.splice(0)) await closer();
    };
    const reopen = async (): Promise<Store> => {
      await close();
      return open();
    };
    const spoil = async (clientId: string): Promise<void> => {
      const redis = await connect(keyPrefix);
      const keys = sessionKeys(keyPrefix, clientId);
      // Of another type than the commands want.
      const steps = keys.slice(0, 2).map((key): RedisStep => [key, (to) => to.set(key, 'spoilt')]);
      await redis.pipeline('session_write', steps);
      await redis.close();
    };
    return { store: await open(), reopen, peer: open, spoil, close };
  };
}

sessionStoreSuite(
  'RedisSessionStore',
  factoryOf((redis) => new RedisSessionStore(redis)),
);
partialSessionStoreSuite(
  'RedisSessionStore',
  factoryOf((redis) => new RedisSessionStore(redis)),
);
retainedStoreSuite(
  'RedisRetainedStore',
  factoryOf((redis) => new RedisRetainedStore(redis)),
);
ruleStoreSuite(
  'RedisDefinitionStore',
  factoryOf((redis) => new RedisDefinitionStore<BridgeRule>(redis, 'rules')),
);
connectorStoreSuite(
  'RedisDefinitionStore',
  factoryOf((redis) => new RedisDefinitionStore<Connector>(redis, 'connectors')),
);
definitionStoreSuite(
  'RedisDefinitionStore of users',
  factoryOf((redis) => new RedisDefinitionStore<SampleDefinition>(redis, 'users')),
);
delayedStoreSuite(
  'RedisDelayedStore',
  factoryOf((redis) => new RedisDelayedStore(redis)),
);
sharedDelayedStoreSuite(
  'RedisDelayedStore',
  factoryOf((redis) => new RedisDelayedStore(redis)),
);
deadLetterStoreSuite(
  'RedisDeadLetterStore',
  factoryOf((redis) => new RedisDeadLetterStore(redis, DEAD_LETTER_BOUNDS)),
);
exclusiveStoreSuite(
  'RedisExclusiveStore',
  factoryOf((redis) => new RedisExclusiveStore(redis)),
);
apiStateSuite(
  'RedisApiState',
  factoryOf((redis) => new RedisApiState(redis)),
);
