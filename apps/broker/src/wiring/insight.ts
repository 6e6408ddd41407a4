import type { BrokerNode } from '#libs/broker-core';
import type { PromMeter } from '#libs/metrics-prom';
import { NodeInsight } from '../insight/node-insight.ts';
import { StatsLog } from '../insight/stats-log.ts';
import { TopicMetrics } from '../insight/topic-metrics.ts';
import type { OverloadWatch } from './overload.ts';
import type { Stores } from './stores.ts';

type Inputs = [Stores, PromMeter, BrokerNode, OverloadWatch];

/** What a node notes about itself. */
export function openInsight(...[stores, meter, node, overload]: Inputs): NodeInsight {
  const { admin } = node;
  return new NodeInsight({
    topicMetrics: new TopicMetrics({ store: stores.topicMetrics, admin, nowMs: Date.now }),
    stats: new StatsLog({
      gauges: () => node.gauges(),
      totals: () => meter.totals(),
      overloadLevel: () => overload.level,
      nowMs: Date.now,
    }),
  });
}
