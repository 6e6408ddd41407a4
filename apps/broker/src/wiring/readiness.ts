import type { BrokerNode } from '#libs/broker-core';
import type { ClusterBus, Log } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import type { PromMeter } from '#libs/metrics-prom';
import { ListenerRoom } from '../listener-room.ts';
import type { ListenerSet } from '../listeners/listener-set.ts';
import { Readiness } from '../readiness.ts';
import { OverloadWatch } from './overload.ts';
import type { Stores } from './stores.ts';

/** What says whether clients had better go to this node. */
export function openReadiness(
  ...[config, overload, bus, stores, listeners, node]: [
    Config,
    OverloadWatch,
    ClusterBus & { readonly ready?: boolean },
    Stores,
    ListenerSet,
    BrokerNode,
  ]
): Readiness {
  const graceMs = config.redis.readinessGraceSeconds * 1_000;
  const monotonicMs = (): number => performance.now();
  const counts = (): ReadonlyMap<string, number> => node.admin.connectionsByListener();
  const places = { views: () => listeners.views(), counts };
  const room = config.ops.unreadyWhenFull ? new ListenerRoom(places) : undefined;
  return new Readiness({ overload, bus, stores, room, graceMs, monotonicMs });
}

/** What watches how busy the node is. */
export function openOverload(config: Config, log: Log, meter: PromMeter): OverloadWatch {
  return new OverloadWatch({
    settings: config.overload,
    load: () => meter.takeLoad(),
    meter,
    log,
  });
}
