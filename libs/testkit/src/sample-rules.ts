import type { KafkaToMqttRule, MqttToKafkaRule } from '#libs/broker-ports';

/** A rule from MQTT to Kafka that waits for Kafka: `a/#` to the topic `telemetry`, unless changed. */
export function outboundRule(changes: Partial<MqttToKafkaRule> = {}): MqttToKafkaRule {
  return {
    ...{ id: 'r1', bridge: 'main', direction: 'mqtt-to-kafka', enabled: true, filter: 'a/#' },
    ...{ topic: 'telemetry', key: '${clientId}', partition: 'key', headers: {}, ack: 'kafka' },
    ...changes,
  };
}

/** A rule from Kafka to MQTT: the topic `commands` to a topic for each key, unless changed. */
export function inboundRule(changes: Partial<KafkaToMqttRule> = {}): KafkaToMqttRule {
  return {
    ...{ id: 'commands', bridge: 'main', direction: 'kafka-to-mqtt', enabled: true },
    ...{ topic: 'commands', mqttTopic: 'devices/${key}', qos: 1, retain: false },
    ...changes,
  };
}
