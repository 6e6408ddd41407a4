export { openRedis, type RedisBehaviour } from './open-redis.ts';
export { RedisRoute } from './redis-route.ts';
export type { RedisAddress, RedisTarget, RedisTls } from './redis-target.ts';
export type { SlotMap } from './slot-map.ts';
export { ReplicaWait, type ReplicaWaitOptions } from './replica-wait.ts';
