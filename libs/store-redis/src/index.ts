export {
  connectRedis,
  type RedisConnection,
  type RedisConnectionOptions,
  type RedisStep,
} from './redis-connection.ts';
export { RedisDelayedStore } from './redis-delayed-store.ts';
export { RedisExclusiveStore } from './redis-exclusive-store.ts';
export { RedisRetainedStore } from './redis-retained-store.ts';
export { RedisRuleStore } from './redis-rule-store.ts';
export { RedisSessionStore } from './redis-session-store.ts';
