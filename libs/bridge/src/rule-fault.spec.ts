import { describe, expect, it } from '@jest/globals';
import type { KafkaToMqttRule, MqttToKafkaRule } from '#libs/broker-ports';
import { ruleFault, type KindFaults } from './rule-fault.ts';

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

const kind: KindFaults = {
  targetFault: (target) => (target.includes('/') ? 'no slash' : undefined),
  topicFault: (topic) => (topic.includes(' ') ? 'no space' : undefined),
};

describe('ruleFault', () => {
  it('finds nothing wrong with good rules', () => {
    expect(ruleFault(outbound, kind)).toBeUndefined();
    expect(ruleFault(inbound, kind)).toBeUndefined();
  });

  it.each([
    [{ filter: 'a/#/b' }, /^filter: /],
    [{ filter: '$share/g/a' }, /^filter: a shared subscription/],
    [{ topic: '${topics}' }, /^topic: \$\{topics\} is not a known placeholder$/],
    [{ topic: 'a/b' }, /^topic: no slash$/],
    [{ key: '${' }, /^key: \$\{ has no closing brace$/],
    [{ headers: { site: '${key}' } }, /^headers.site: \$\{key\} is not a known placeholder$/],
  ])('names the field of an outbound rule: %j', (change, fault) => {
    expect(ruleFault({ ...outbound, ...change }, kind)).toMatch(fault);
  });

  it.each([
    [{ topic: 'a b' }, /^topic: no space$/],
    [{ mqttTopic: '${clientId}' }, /^mqttTopic: \$\{clientId\} is not a known placeholder$/],
    [{ mqttTopic: 'a/+' }, /^mqttTopic: /],
  ])('names the field of an inbound rule: %j', (change, fault) => {
    expect(ruleFault({ ...inbound, ...change }, kind)).toMatch(fault);
  });
});
