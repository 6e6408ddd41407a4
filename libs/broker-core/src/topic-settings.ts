import type { QoS } from '#libs/mqtt-codec';
import type { RewriteRule } from './naming/topic-rewriter.ts';

/** What a client is subscribed to when it connects, without asking for it. */
export interface AutoSubscription {
  /** A filter as the client would write it, in which `${clientId}`, `${username}` and `${host}` may stand. */
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
}

/** What a node does with the names of topics, beyond the protocol. Each is a configuration key of the same name. */
export interface TopicSettings {
  /** The first rule that a name falls under counts. */
  readonly rewrite: readonly RewriteRule[];
  readonly autoSubscribe: readonly AutoSubscription[];
  /** How often the node publishes what it says of itself under `$SYS`; 0 for never. */
  readonly sysIntervalSeconds: number;
}
