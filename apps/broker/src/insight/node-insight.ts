import type { StatsLog } from './stats-log.ts';
import type { TopicMetrics } from './topic-metrics.ts';

/** What a node notes about itself for those who look at it over REST. */
export class NodeInsight {
  readonly topicMetrics: TopicMetrics;
  readonly stats: StatsLog;

  constructor(own: { readonly topicMetrics: TopicMetrics; readonly stats: StatsLog }) {
    this.topicMetrics = own.topicMetrics;
    this.stats = own.stats;
  }

  /** Begins, when the node is up. */
  open(): void {
    this.topicMetrics.open();
  }

  /** Takes note of how things stand; to be called about once a second. */
  sweep(): void {
    this.topicMetrics.sweep();
    this.stats.sweep();
  }

  /** Notes nothing any more. */
  close(): void {
    this.topicMetrics.close();
  }
}
