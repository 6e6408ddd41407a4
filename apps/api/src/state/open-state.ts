import { join } from 'node:path';
import type { ApiState, Log } from '#libs/broker-ports';
import { redisTarget, type Config } from '#libs/config';
import { openLocalApiState } from '#libs/store-local';
import { RedisApiState, connectRedis, type RedisMeter } from '#libs/store-redis';

/** What of `data.dir` is the API's: the node beside it has the file above. */
const FOLDER = 'api';

/** A caller hears within two seconds that Redis is away, and there may be something to do before and after. */
const COMMAND_TIMEOUT_MS_MAX = 1_500;

/** The state is seen in the probes and in what callers are told: it has no metrics of its own. */
const UNMETERED: RedisMeter = {
  redisUp: () => {},
  redisReconnected: () => {},
  redisReplicasWaited: () => {},
  redisCommandBegun: () => {},
  redisCommand: () => {},
  retainedOperation: () => {},
};

/**
 * Opens what the API knows itself: in the Redis of the cluster, which may be away, or beside the one embedded node.
 *
 * @throws Error when the data directory cannot be used; ConfigError when a file of the configuration cannot be read.
 */
export async function openState(config: Config, log: Log): Promise<ApiState> {
  const target = redisTarget(config);
  if (target === undefined) {
    const { dir } = config.data;
    return openLocalApiState({
      ...(dir !== undefined && { dir: join(dir, FOLDER) }),
      clock: Date.now,
    });
  }
  const { keyPrefix, commandTimeoutMs: configured, waitReplicas } = config.redis;
  const commandTimeoutMs = Math.min(configured, COMMAND_TIMEOUT_MS_MAX);
  const connection = await connectRedis({
    ...target,
    ...{ keyPrefix, commandTimeoutMs, log, meter: UNMETERED, waitReplicas },
    waitTimeoutMs: Math.min(config.redis.waitTimeoutMs, commandTimeoutMs / 2),
  });
  return new RedisApiState(connection, () => connection.close());
}
