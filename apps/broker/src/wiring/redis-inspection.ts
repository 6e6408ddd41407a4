import { redisTarget, type Config } from '#libs/config';
import { commandChannel } from '#libs/nest-support';
import { RedisRoute, inspectRedis, type RedisFinding } from '#libs/redis-client';

/** How the node looks whether Redis is fit for its task; undefined without one. */
export function inspectionOf(config: Config): (() => Promise<readonly RedisFinding[]>) | undefined {
  const target = redisTarget(config);
  if (target === undefined) return undefined;
  const { keyPrefix, waitReplicas } = config.redis;
  const commandScope = commandChannel(config).scope;
  const route = new RedisRoute(target);
  return () => inspectRedis({ route, keyPrefix, commandScope, waitReplicas });
}
