import { describe, expect, it } from '@jest/globals';
import type { KafkaToMqttRule, MqttToKafkaRule } from '#libs/broker-ports';
import { ruleFault } from './rule-fault.ts';

const outbound: MqttToKafkaRule = {
  id: 'r',
  direction: 'mqtt-to-kafka',
  enabled: true,
  filter: 'devices/+/telemetry',
  topic: 'telemetry',
  key: '${clientId}',
  headers: { site: '${topic[0]}' },
  ack: 'kafka',
};
const inbound: KafkaToMqttRule = {
  id: 'r',
  direction: 'kafka-to-mqtt',
  enabled: true,
  topic: 'commands',
  mqttTopic: 'devices/${key}/commands',
  qos: 1,
  retain: false,
};

describe('ruleFault', () => {
  it('finds nothing wrong with good rules', () => {
    expect(ruleFault(outbound)).toBeUndefined();
    expect(ruleFault(inbound)).toBeUndefined();
  });

  it.each([
    [{ filter: 'a/#/b' }, /^filter: /],
    [{ filter: '$share/g/a' }, /^filter: a shared subscription/],
    [{ topic: '${topics}' }, /^topic: \$\{topics\} is not a known placeholder$/],
    [{ topic: 'a/b' }, /^topic: the Kafka topic may hold letters/],
    [{ topic: '' }, /^topic: the Kafka topic may not be ""$/],
    [{ key: '${' }, /^key: \$\{ has no closing brace$/],
    [{ headers: { site: '${key}' } }, /^headers.site: \$\{key\} is not a known placeholder$/],
  ])('names the field of an outbound rule: %j', (change, fault) => {
    expect(ruleFault({ ...outbound, ...change })).toMatch(fault);
  });

  it.each([
    [{ topic: 'a b' }, /^topic: the Kafka topic may hold letters/],
    [{ topic: 'x'.repeat(250) }, /^topic: the Kafka topic has more than 249 characters$/],
    [{ mqttTopic: '${clientId}' }, /^mqttTopic: \$\{clientId\} is not a known placeholder$/],
    [{ mqttTopic: 'a/+' }, /^mqttTopic: /],
  ])('names the field of an inbound rule: %j', (change, fault) => {
    expect(ruleFault({ ...inbound, ...change })).toMatch(fault);
  });
});
