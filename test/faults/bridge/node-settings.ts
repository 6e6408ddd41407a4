import type { Settings } from '../../e2e/harness/app.ts';
import { bridgeTo } from '../../e2e/harness/kafka.ts';

/** When a node acknowledges what a rule takes to Kafka. */
export type Ack = 'kafka' | 'none';

/** A rule of a row. */
export type RulePlan =
  | {
      readonly direction: 'mqtt-to-kafka';
      readonly id: string;
      readonly filter: string;
      /** Topic of Kafka. The key is the client's id. */
      readonly topic: string;
      readonly ack: Ack;
    }
  | {
      readonly direction: 'kafka-to-mqtt';
      readonly id: string;
      /** Topic of Kafka. */
      readonly topic: string;
      /** Template of the MQTT topic. */
      readonly mqttTopic: string;
      readonly onError: 'dlq';
      /** Topic of Kafka. */
      readonly deadLetterTopic: string;
    };

/** What a row asks of the bridge. */
export interface BridgePlan {
  /** `host:port` of brokers, separated by commas. */
  readonly brokers: string;
  readonly rules: readonly RulePlan[];
  /** @defaultValue that of the product */
  readonly ackTimeoutMs?: number;
}

/** The settings of a node with a bridge: the one place that knows how they are called. */
export function bridgeSettings({ brokers, rules, ackTimeoutMs }: BridgePlan): Settings {
  return {
    ...bridgeTo(brokers, rules),
    ...(ackTimeoutMs !== undefined && { BRIDGE_ACK_TIMEOUT_MS: ackTimeoutMs }),
  };
}
