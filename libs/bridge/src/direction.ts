import type { BridgeDirection, BridgeRule, ConnectorKind } from '#libs/broker-ports';

/** The kind of connector that a rule of each direction needs. */
export const KIND_OF: Readonly<Record<BridgeRule['direction'], ConnectorKind>> = {
  'mqtt-to-kafka': 'kafka',
  'kafka-to-mqtt': 'kafka',
};

/** What metrics call each direction. */
export const LABEL_OF: Readonly<Record<BridgeRule['direction'], BridgeDirection>> = {
  'mqtt-to-kafka': 'mqtt_to_kafka',
  'kafka-to-mqtt': 'kafka_to_mqtt',
};
