import { Redis, type RedisOptions } from 'ioredis';

/**
 * The driver, with an ear for commands it sends on its own account: after a reconnect it subscribes and selects again and
 * does not listen, so a connection lost at that moment would end the process with an unhandled rejection.
 */
class HeardRedis extends Redis {
  override sendCommand(...[command, stream]: Parameters<Redis['sendCommand']>): unknown {
    command.promise.catch(() => undefined); // Callers of a command get its promise too, and its rejection.
    return super.sendCommand(command, stream);
  }
}

/** How a connection behaves; where it leads to is not among it. */
export type RedisBehaviour = Pick<
  RedisOptions,
  | 'autoResendUnfulfilledCommands'
  | 'commandTimeout'
  | 'connectTimeout'
  | 'disconnectTimeout'
  | 'enableAutoPipelining'
  | 'enableOfflineQueue'
  | 'enableReadyCheck'
  | 'keepAlive'
  | 'lazyConnect'
  | 'maxRetriesPerRequest'
  | 'retryStrategy'
>;

/** Opens a connection to a place that a RedisRoute knows. */
export function openRedis(place: RedisOptions, behaviour: RedisBehaviour): Redis {
  return new HeardRedis({ ...behaviour, ...place });
}
