import type { ClusterBus, Log } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import type { PromMeter } from '#libs/metrics-prom';
import { Readiness } from '../readiness.ts';
import { OverloadWatch } from './overload.ts';
import type { Stores } from './stores.ts';

/** What says whether clients had better go to this node. */
export function openReadiness(
  ...[config, overload, bus, stores]: [
    Config,
    OverloadWatch,
    ClusterBus & { readonly ready?: boolean },
    Stores,
  ]
): Readiness {
  const graceMs = config.redis.readinessGraceSeconds * 1_000;
  const monotonicMs = (): number => performance.now();
  return new Readiness({ overload, bus, stores, graceMs, monotonicMs });
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
