export {
  connectRedis,
  type RedisConnection,
  type RedisConnectionOptions,
  type RedisMeter,
  type RedisStep,
} from './redis-connection.ts';
export { RedisDeadLetterStore } from './redis-dead-letter-store.ts';
export { RedisDelayedStore } from './redis-delayed-store.ts';
export { RedisExclusiveStore } from './redis-exclusive-store.ts';
export { RedisRetainedStore } from './redis-retained-store.ts';
export type { DefinitionKind } from './keys.ts';
export { RedisDefinitionStore } from './redis-definition-store.ts';
export { RedisApiState } from './api-state/redis-api-state.ts';
export { RedisSessionStore } from './redis-session-store.ts';
