import { isUtf8 } from 'node:buffer';
import type {
  RuleSample,
  RuleTest,
  SampleMessage,
  SampleRecord,
  WireRuleSample,
  WireRuleTrial,
  WireTrialRecord,
} from '#libs/api-contracts';
import { base64Of, presentProperties, wireMessageOf } from './presenters.ts';

/** A sample of a request as nodes take it. */
export function wireSampleOf({ message, record }: RuleSample): WireRuleSample {
  if (message !== undefined) return { kind: 'message', message: wireSampleMessageOf(message) };
  // The contract has checked that there is one of them.
  return { kind: 'record', record: wireSampleRecordOf(record as SampleRecord) };
}

function wireSampleMessageOf(sample: SampleMessage) {
  const { client_id: clientId, username, ...message } = sample;
  return { ...wireMessageOf(message), clientId, username };
}

function wireSampleRecordOf(sample: SampleRecord) {
  const { partition, offset, key, value, headers, timestamp } = sample;
  return {
    ...{ partition, offset },
    key: key === undefined ? undefined : base64Of(key, sample.key_encoding),
    value: value === undefined ? undefined : base64Of(value, sample.value_encoding),
    headers: headers.map(({ name, value: text }) => [name, base64Of(text, 'plain')] as const),
    timestampMs: timestamp === undefined ? undefined : Date.parse(timestamp),
  };
}

const NOTHING: RuleTest = {
  matched: true,
  unmatched_by: null,
  record: null,
  message: null,
  error: null,
};

/** What a rule would make of a sample, as the API shows it. */
export function presentTrial(
  trial: Exclude<WireRuleTrial, { kind: 'absent' | 'invalid' }>,
): RuleTest {
  switch (trial.kind) {
    case 'unmatched':
      return { ...NOTHING, matched: false, unmatched_by: trial.by };
    case 'failed': {
      const { stage, code, detail, position = null } = trial;
      const word = code.toLowerCase().replaceAll('_', '-');
      return { ...NOTHING, error: { stage, code: word, detail, position } };
    }
    case 'record':
      return { ...NOTHING, record: presentRecord(trial.record) };
    case 'message': {
      const { topic, qos, retain, payload, properties = {} } = trial.message;
      const { messageExpiryInterval: expiry } = properties;
      const shown = {
        ...presentProperties(properties, true),
        ...(expiry === undefined ? {} : { message_expiry_interval: expiry }),
      };
      const message = { topic, qos, retain, properties: shown, ...presentValue(payload) };
      return { ...NOTHING, message };
    }
  }
}

function presentRecord({ target, route, partition, ...record }: WireTrialRecord) {
  const key = presentBytes(record.key);
  return {
    target,
    routing_key: route ?? null,
    partition: presentPartition(partition),
    key: key.value,
    key_encoding: key.value_encoding,
    headers: record.headers.map(([name, value]) => ({ name, ...presentBytes(value) })),
    ...presentValue(record.value),
  };
}

function presentPartition(choice: WireTrialRecord['partition']) {
  if (choice === undefined) return null;
  return typeof choice === 'number'
    ? { by: 'number' as const, number: choice }
    : { by: choice, number: null };
}

function presentBytes(base64: string) {
  const bytes = Buffer.from(base64, 'base64');
  return isUtf8(bytes)
    ? { value: bytes.toString(), value_encoding: 'plain' as const }
    : { value: base64, value_encoding: 'base64' as const };
}

/** JSON where that says all: neither spaces nor the digits of a number are lost. */
function presentValue(base64: string) {
  const bytes = presentBytes(base64);
  const size = { value_bytes: Buffer.byteLength(base64, 'base64') };
  if (bytes.value_encoding === 'base64') return { ...bytes, ...size };
  try {
    const value: unknown = JSON.parse(bytes.value);
    if (JSON.stringify(value) !== bytes.value) return { ...bytes, ...size };
    return { value, value_encoding: 'json' as const, ...size };
  } catch {
    return { ...bytes, ...size };
  }
}
