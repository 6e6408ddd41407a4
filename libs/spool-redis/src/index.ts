export { RedisSpoolEstate, type RedisSpoolEstateOptions } from './redis-spool-estate.ts';
export { openRedisSpool, type RedisSpoolOptions } from './redis-spool.ts';
