export { openRedisSpool, type RedisSpoolOptions } from './redis-spool.ts';
