import { createHash, randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import type { RuleBridge } from '#libs/bridge';
import type { BrokerNode } from '#libs/broker-core';
import type { ClusterBus } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import type { PromMeter } from '#libs/metrics-prom';
import { AlarmBook } from '../insight/alarm-book.ts';
import { AlarmConditions } from '../insight/alarm-conditions.ts';
import { Diagnosis } from '../insight/diagnosis.ts';
import { DiskWatch } from '../insight/disk.ts';
import { NodeInsight } from '../insight/node-insight.ts';
import type { RecentLog } from '../insight/recent-log.ts';
import { StatsLog } from '../insight/stats-log.ts';
import { TopicMetrics } from '../insight/topic-metrics.ts';
import type { ListenerSet } from '../listeners/listener-set.ts';
import type { Readiness } from '../readiness.ts';
import type { EventLog } from '../streams/event-log.ts';
import type { OverloadWatch } from './overload.ts';
import type { Stores } from './stores.ts';

type Inputs = [
  Config,
  RecentLog,
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
  const [config, log, stores, meter, bus, node, ...rest] = inputs;
  const [bridge, listeners, readiness, overload, events] = rest;
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
    diagnosis: new Diagnosis({ log, dir: ownDir(config), nowMs }),
  });
}

function heapShare(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / limit;
}

/** A node without a directory for its data has one of its own among those that do not last. */
function ownDir({ data, node }: Config): string {
  return (
    data.dir ??
    join(tmpdir(), `skein-${createHash('sha256').update(node.id).digest('hex').slice(0, 16)}`)
  );
}
