import type {
  BridgeRule,
  KafkaToMqttRule,
  OutboundBridgeRule,
  RuleSample,
  RuleTrial,
  SampleRecord,
  TrialRecord,
} from '#libs/broker-ports';
import { MessageDocument, RecordDocument, TransformFault } from '#libs/bridge-transform';
import { matches } from '#libs/topic-index';
import { wayOf } from './direction.ts';
import { InboundMessages, RecordError, type InboundLimits } from './inbound-message.ts';
import type { OutboundRecord } from './outbound-record.ts';
import type { RecordSource } from './placeholders.ts';
import { RecordMaker } from './record-maker.ts';
import { RuleTransform } from './rule-transform.ts';
import { stageOf } from './stage.ts';

/** What a trial finds on its node. */
export interface TrialGround {
  /** Why no target can have this name. */
  targetFault(target: string): string | undefined;
  readonly messageLimits: InboundLimits;
}

/** Tells what a rule without fault would make of a sample, with the parts that rules at work are made of. */
export function tryRule(rule: BridgeRule, sample: RuleSample, ground: TrialGround): RuleTrial {
  if (rule.direction === 'kafka-to-mqtt') {
    return sample.kind === 'record'
      ? tryInbound(rule, sample.record, ground)
      : misfit(rule, 'a record');
  }
  return sample.kind === 'message' ? tryOutbound(rule, sample, ground) : misfit(rule, 'a message');
}

function misfit({ direction }: BridgeRule, needed: string): RuleTrial {
  return { kind: 'invalid', detail: `a rule of direction ${direction} takes ${needed}` };
}

function tryOutbound(
  rule: OutboundBridgeRule,
  { message, username }: Extract<RuleSample, { kind: 'message' }>,
  ground: TrialGround,
): RuleTrial {
  if (!matches(rule.filter, message.topic)) return { kind: 'unmatched', by: 'filter' };
  const value = RuleTransform.of(rule)?.run(new MessageDocument(message, () => username));
  if (value === 'filtered') return { kind: 'unmatched', by: 'where' };
  if (value instanceof TransformFault) return failureOf(value);
  const maker = new RecordMaker(rule);
  const target = maker.target(message);
  const fault = ground.targetFault(target) ?? allowedFault(maker, target);
  if (fault !== undefined) {
    const detail = `${JSON.stringify(target)}: ${fault}`;
    return { kind: 'failed', stage: wayOf(rule).field, code: 'invalid_topic', detail };
  }
  const record = maker.record(message, { target, gate: undefined, value });
  if (record === undefined) {
    const detail = 'the template gives no number for this message';
    return { kind: 'failed', stage: 'partition', code: 'template_error', detail };
  }
  return { kind: 'record', record: recordOf(rule, record) };
}

function allowedFault(maker: RecordMaker, target: string): string | undefined {
  return maker.allows(target) ? undefined : 'is none of allowTopics';
}

function recordOf(
  rule: OutboundBridgeRule,
  { target, route, lane, key, value, headers }: OutboundRecord,
): TrialRecord {
  const partition = rule.direction === 'mqtt-to-kafka' ? choiceOf(rule.partition, lane) : undefined;
  return { target, route, partition, key, value, headers };
}

/** The place in a round says nothing of the next message. */
function choiceOf(partition: string, lane: number | undefined): TrialRecord['partition'] {
  return partition === 'round-robin' ? partition : (lane ?? 'key');
}

function tryInbound(rule: KafkaToMqttRule, sample: SampleRecord, ground: TrialGround): RuleTrial {
  const source = sourceOf(rule, sample);
  const payload = RuleTransform.of(rule)?.run(new RecordDocument(source));
  if (payload === 'filtered') return { kind: 'unmatched', by: 'where' };
  if (payload instanceof TransformFault) return failureOf(payload);
  try {
    const messages = new InboundMessages(rule, ground.messageLimits);
    return { kind: 'message', message: messages.message(source, payload) };
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    const { code, message: detail } = error;
    return { kind: 'failed', stage: stageOf(code, 'consume'), code, detail };
  }
}

function sourceOf(rule: KafkaToMqttRule, sample: SampleRecord): RecordSource {
  const { partition, offset, timestampMs } = sample;
  const headers = Object.fromEntries(
    Object.entries(sample.headers).map(([name, values]) => [name, values.map(bufferOf)]),
  );
  const key = sample.key && bufferOf(sample.key);
  const value = sample.value && bufferOf(sample.value);
  const record = { offset, key, value, headers, timestamp: String(timestampMs) };
  return { topic: rule.topic, partition, record };
}

function failureOf({ field, code, message, position }: TransformFault): RuleTrial {
  return { kind: 'failed', stage: field, code, detail: message, position };
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
