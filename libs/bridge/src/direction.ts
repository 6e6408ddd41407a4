import type {
  BridgeDirection,
  BridgeRule,
  ConnectorKind,
  OutboundBridgeRule,
} from '#libs/broker-ports';

/** The kind of connector that a rule of each direction needs. */
export const KIND_OF: Readonly<Record<BridgeRule['direction'], ConnectorKind>> = {
  'mqtt-to-kafka': 'kafka',
  'kafka-to-mqtt': 'kafka',
  'mqtt-to-webhook': 'webhook',
  'mqtt-to-rabbitmq': 'rabbitmq',
};

/** What metrics call each direction. */
export const LABEL_OF: Readonly<Record<BridgeRule['direction'], BridgeDirection>> = {
  'mqtt-to-kafka': 'mqtt_to_kafka',
  'kafka-to-mqtt': 'kafka_to_mqtt',
  'mqtt-to-webhook': 'mqtt_to_webhook',
  'mqtt-to-rabbitmq': 'mqtt_to_rabbitmq',
};

/** Where a rule sends records: what the fields of its direction mean to the bridge. */
export interface OutboundWay {
  /** The field that the target comes from. */
  readonly field: string;
  /** Template of the target. */
  readonly target: string;
  /** What the template may give; undefined for every legal name. */
  readonly allowed: readonly string[] | undefined;
  /** Where a record goes on from its target, for kinds that know such a thing: the field, and its template. */
  readonly route?: { readonly field: string; readonly template: string };
  /** How a lane is chosen: `key`, `round-robin` or a template. */
  readonly partition: string;
}

export function wayOf(rule: OutboundBridgeRule): OutboundWay {
  switch (rule.direction) {
    case 'mqtt-to-kafka': {
      const { topic, allowTopics, partition } = rule;
      return { field: 'topic', target: topic, allowed: allowTopics, partition };
    }
    case 'mqtt-to-webhook':
      return { field: 'path', target: rule.path, allowed: undefined, partition: 'key' };
    case 'mqtt-to-rabbitmq': {
      const route = { field: 'routingKey', template: rule.routingKey };
      const { exchange } = rule;
      return { field: 'exchange', target: exchange, allowed: undefined, route, partition: 'key' };
    }
  }
}
