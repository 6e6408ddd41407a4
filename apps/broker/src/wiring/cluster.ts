import { ClientMoves } from '#libs/bridge';
import type { ClusterBus, Log, Meter } from '#libs/broker-ports';
import { SingleNodeBus } from '#libs/cluster';
import { RedisClusterBus } from '#libs/cluster-redis';
import { redisTarget, type Config } from '#libs/config';

/** The clocks of the process. */
export const CLOCK = { nowMs: Date.now, monotonicMs: () => performance.now() };

/** Connects the node to the others of its cluster. */
export function openBus(config: Config, log: Log, meter: Meter): ClusterBus {
  const { node, redis } = config;
  const self = { nodeId: node.id, version: node.version };
  const target = redisTarget(config);
  if (target === undefined) return new SingleNodeBus({ ...self, startedAtMs: Date.now() });
  const { keyPrefix, leaseMs, commandTimeoutMs, routeDeadlineMs } = redis;
  const { requestTimeoutMs, inboxBatchesMax, waitReplicas, waitTimeoutMs } = redis;
  return new RedisClusterBus({
    self,
    redis: {
      ...target,
      ...{ keyPrefix, leaseMs, commandTimeoutMs, routeDeadlineMs },
      ...{ requestTimeoutMs, inboxBatchesMax, waitReplicas, waitTimeoutMs },
    },
    clock: CLOCK,
    log,
    meter,
  });
}

/** Has what a client sends here wait for what it sent at the node it came from. */
export function openMoves(
  ...[config, log, meter, bus]: [Config, Log, Meter, ClusterBus]
): ClientMoves {
  const waitMs = config.bridge.takeoverWaitMs;
  return new ClientMoves({ bus, waitMs, clock: CLOCK.monotonicMs, log, meter });
}
