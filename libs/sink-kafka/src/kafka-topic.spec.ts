import { describe, expect, it } from '@jest/globals';
import { kafkaTopicFault } from './kafka-topic.ts';

describe('kafkaTopicFault', () => {
  it.each(['telemetry', 'a.b_c-D.0', 'x'.repeat(249)])('takes %s', (name) => {
    expect(kafkaTopicFault(name)).toBeUndefined();
  });

  it.each([
    ['', /^the Kafka topic may not be ""$/],
    ['..', /^the Kafka topic may not be "\.\."$/],
    ['a b', /^the Kafka topic may hold letters/],
    ['a/b', /^the Kafka topic may hold letters/],
    ['x'.repeat(250), /^the Kafka topic has more than 249 characters$/],
  ])('refuses %j', (name, fault) => {
    expect(kafkaTopicFault(name)).toMatch(fault);
  });
});
