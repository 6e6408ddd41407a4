export { inspectRedis, type RedisFinding, type RedisInspection } from './inspect-redis.ts';
export { readLuaScript, type LuaScript } from './lua-script.ts';
export { openRedis, type RedisBehaviour } from './open-redis.ts';
export { REDIS_COMMANDS, aclRules } from './permissions.ts';
export { RedisLink, type RedisLinkOptions } from './redis-link.ts';
export { RedisRoute } from './redis-route.ts';
export type { RedisAddress, RedisTarget, RedisTls } from './redis-target.ts';
export type { SlotMap } from './slot-map.ts';
export { ReplicaWait, type ReplicaWaitOptions } from './replica-wait.ts';
