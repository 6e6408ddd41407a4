import type { AlarmBook } from './alarm-book.ts';
import type { Diagnosis } from './diagnosis.ts';
import type { StatsLog } from './stats-log.ts';
import type { TopicMetrics } from './topic-metrics.ts';

/** What a node notes about itself for those who look at it over REST. */
export class NodeInsight {
  readonly topicMetrics: TopicMetrics;
  readonly stats: StatsLog;
  readonly alarms: AlarmBook;
  readonly diagnosis: Diagnosis;

  constructor(own: {
    readonly topicMetrics: TopicMetrics;
    readonly stats: StatsLog;
    readonly alarms: AlarmBook;
    readonly diagnosis: Diagnosis;
  }) {
    this.topicMetrics = own.topicMetrics;
    this.stats = own.stats;
    this.alarms = own.alarms;
    this.diagnosis = own.diagnosis;
  }

  /** Begins, when the node is up. */
  open(): void {
    this.topicMetrics.open();
  }

  /** Takes note of how things stand; to be called about once a second. */
  sweep(): void {
    this.topicMetrics.sweep();
    this.stats.sweep();
    this.alarms.sweep();
  }

  /** Notes nothing any more. */
  close(): void {
    this.topicMetrics.close();
  }
}
