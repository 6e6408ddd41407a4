import { describe, expect, it } from '@jest/globals';
import type {
  KafkaToMqttRule,
  Message,
  MqttToKafkaRule,
  MqttToRabbitmqRule,
  RuleTrial,
  SampleRecord,
} from '#libs/broker-ports';
import { inboundRule, messageOf, outboundRule } from '#libs/testkit';
import { tryRule } from './rule-trial.ts';

const ground = {
  targetFault: (target: string) => (target.includes('/') ? 'no slash' : undefined),
  messageLimits: { topicLevelsMax: 4, packetBytesMax: 1_000, retainedMessageBytesMax: 500 },
};

const OUTBOUND = outboundRule({
  filter: 'devices/+/telemetry',
  headers: { device: '${topic[1]}' },
  ack: 'spool',
});

const INBOUND = inboundRule();

const sampleMessage = messageOf({
  topic: 'devices/7/telemetry',
  publisher: 'press-7',
  payload: Buffer.from('{"t":31}'),
});

const sampleRecord: SampleRecord = {
  partition: 2,
  offset: '5',
  key: Buffer.from('d1'),
  value: Buffer.from('{"t":31}'),
  headers: { tag: [Buffer.from('a'), Buffer.from('b')] },
  timestampMs: 9,
};

function outbound(
  changes: Partial<MqttToKafkaRule> = {},
  message: Partial<Message> = {},
): RuleTrial {
  const sample = { kind: 'message', message: { ...sampleMessage, ...message } } as const;
  return tryRule({ ...OUTBOUND, ...changes }, { ...sample, username: 'bob' }, ground);
}

function inbound(
  changes: Partial<KafkaToMqttRule> = {},
  record: Partial<SampleRecord> = {},
): RuleTrial {
  const sample = { kind: 'record', record: { ...sampleRecord, ...record } } as const;
  return tryRule({ ...INBOUND, ...changes }, sample, ground);
}

describe('the dry run of a rule from MQTT', () => {
  it('gives the record that the rule would send', () => {
    const value = '{"id": clientId, "user": username, "t": payload.t}';
    expect(outbound({ where: 'payload.t > 30', value })).toEqual({
      kind: 'record',
      record: {
        target: 'telemetry',
        partition: 'key',
        key: Buffer.from('press-7'),
        value: Buffer.from('{"id":"press-7","user":"bob","t":31}'),
        headers: expect.objectContaining({ device: '7', 'mqtt-topic': 'devices/7/telemetry' }),
      },
    });
  });

  it.each([
    ['key', 'key'],
    ['round-robin', 'round-robin'],
    ['${topic[1]}', 7],
  ])('says how the partition is chosen: %s', (partition, expected) => {
    expect(outbound({ partition })).toMatchObject({ record: { partition: expected } });
  });

  it('gives the routing key where there is one, and then no partition', () => {
    const { topic: _topic, partition: _partition, ...rest } = OUTBOUND;
    const rule: MqttToRabbitmqRule = {
      ...rest,
      direction: 'mqtt-to-rabbitmq',
      exchange: 'ex',
      routingKey: 'k.${topic[1]}',
      ack: 'none',
    };
    expect(tryRule(rule, { kind: 'message', message: sampleMessage }, ground)).toMatchObject({
      record: { target: 'ex', route: 'k.7', partition: undefined },
    });
  });

  it('says what a message that is not of the rule did not pass', () => {
    expect(outbound({}, { topic: 'other' })).toEqual({ kind: 'unmatched', by: 'filter' });
    expect(outbound({ where: 'payload.t > 31' })).toEqual({ kind: 'unmatched', by: 'where' });
  });

  it.each([
    [{ where: 'payload.t > "x"' }, 'where', 'EXPRESSION_FAILED'],
    [{ where: 'payload' }, 'where', 'RESULT_TYPE'],
    [{ value: 'payload.none' }, 'value', 'RESULT_MISSING'],
    [{ topic: '${topic}' }, 'topic', 'invalid_topic'],
    [{ topic: '${topic[1]}', allowTopics: ['8'] }, 'topic', 'invalid_topic'],
    [{ partition: '${topic[0]}' }, 'partition', 'template_error'],
  ])('tells the stage of what fails: %j', (changes, stage, code) => {
    const detail = expect.any(String);
    expect(outbound(changes)).toMatchObject({ kind: 'failed', stage, code, detail });
  });

  it('tells the position in an expression', () => {
    expect(outbound({ where: 'payload.t > "x"' })).toMatchObject({ position: 11 });
  });

  it('takes no record', () => {
    const sample = { kind: 'record', record: sampleRecord } as const;
    expect(tryRule(OUTBOUND, sample, ground)).toEqual({
      kind: 'invalid',
      detail: 'a rule of direction mqtt-to-kafka takes a message',
    });
  });
});

describe('the dry run of a rule to MQTT', () => {
  it('gives the message that the rule would publish', () => {
    const where = 'headers.tag = ["a", "b"] and timestamp = 9';
    const value = '{"at": topic & "/" & partition & "/" & offset}';
    expect(inbound({ where, value, userProperties: { tag: '${headers.tag}' } })).toEqual({
      kind: 'message',
      message: {
        topic: 'devices/d1',
        payload: Buffer.from('{"at":"commands/2/5"}'),
        qos: 1,
        retain: false,
        properties: { userProperties: [['tag', 'a']] },
      },
    });
    expect(inbound()).toMatchObject({ message: { payload: sampleRecord.value } });
  });

  it('says when the record is not of the rule, or can never be published', () => {
    expect(inbound({ where: '$exists(key)' }, { key: null })).toEqual({
      kind: 'unmatched',
      by: 'where',
    });
    expect(inbound({ value: 'payload.t' }, { value: null })).toMatchObject({ stage: 'value' });
    expect(inbound({}, { key: Buffer.from('#') })).toMatchObject({
      kind: 'failed',
      stage: 'topic',
      code: 'invalid_topic',
    });
    expect(inbound({ qos: '${key}' })).toMatchObject({ stage: 'template' });
    expect(inbound({}, { value: Buffer.alloc(2_000) })).toMatchObject({ code: 'too_large' });
  });

  it('takes no message', () => {
    const sample = { kind: 'message', message: sampleMessage } as const;
    expect(tryRule(INBOUND, sample, ground)).toMatchObject({ kind: 'invalid' });
  });
});
