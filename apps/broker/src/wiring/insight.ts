import { randomUUID } from 'node:crypto';
import { getHeapStatistics } from 'node:v8';
import type { RuleBridge } from '#libs/bridge';
import type { BrokerNode } from '#libs/broker-core';
import type { ClusterBus } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import type { PromMeter } from '#libs/metrics-prom';
import { AlarmBook } from '../insight/alarm-book.ts';
import { AlarmConditions } from '../insight/alarm-conditions.ts';
import { DiskWatch } from '../insight/disk.ts';
import { NodeInsight } from '../insight/node-insight.ts';
import { StatsLog } from '../insight/stats-log.ts';
import { TopicMetrics } from '../insight/topic-metrics.ts';
import type { ListenerSet } from '../listeners/listener-set.ts';
import type { Readiness } from '../readiness.ts';
import type { EventLog } from '../streams/event-log.ts';
import type { OverloadWatch } from './overload.ts';
import type { Stores } from './stores.ts';

type Inputs = [
  Config,
  Stores,
  PromMeter,
  ClusterBus,
  BrokerNode,
  RuleBridge,
  ListenerSet,
  Readiness,
  OverloadWatch,
  EventLog,
];

/** What a node notes about itself. */
export function openInsight(...inputs: Inputs): NodeInsight {
  const [config, stores, meter, bus, node, bridge, listeners, readiness, overload, events] = inputs;
  const { admin } = node;
  const nowMs = Date.now;
  const stats = new StatsLog({
    gauges: () => node.gauges(),
    totals: () => meter.totals(),
    overloadLevel: () => overload.level,
    nowMs,
  });
  const disk = new DiskWatch(config.data.dir, nowMs);
  const conditions = new AlarmConditions({
    reachesRedis: () => readiness.reachesRedis,
    isCurrent: () => bus.isCurrent,
    overloadLevel: () => overload.level,
    gauges: () => stats.lately(),
    dropped: () => meter.totals().queueFullDropped,
    listeners: () => listeners.views(),
    certificates: () =>
      listeners.all.flatMap((listener) =>
        listener.certificates().map((each) => ({ listener: listener.name, ...each })),
      ),
    bridges: () => bridge.connectors(),
    spoolShare: () => meter.spoolShare,
    heapShare,
    diskFreeShare: () => disk.freeShare,
    nowMs,
  });
  return new NodeInsight({
    topicMetrics: new TopicMetrics({ store: stores.topicMetrics, admin, nowMs }),
    stats,
    alarms: new AlarmBook({
      ...{ events, nowMs, newId: randomUUID },
      conditions: () => conditions.find(),
    }),
  });
}

function heapShare(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / limit;
}
