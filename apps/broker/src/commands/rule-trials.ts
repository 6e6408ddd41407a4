import type { Message, RuleSample, RuleTrial, SampleRecord } from '#libs/broker-ports';
import type { WireRuleSample, WireRuleTrial, WireSampleRecord } from '#libs/api-contracts';
import { base64, injectedOf, wirePropertiesOf } from './wire.ts';

/** Where and when a sample is taken. */
export interface SampleOrigin extends Pick<Message, 'source'> {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** A sample of the API as the bridge takes it. */
export function ruleSampleOf(wire: WireRuleSample, { source, nowMs }: SampleOrigin): RuleSample {
  if (wire.kind === 'record') return { kind: 'record', record: sampleRecordOf(wire.record, nowMs) };
  const { clientId: publisher, username, ...sent } = wire.message;
  const { properties, ...injected } = injectedOf(sent);
  const message: Message = {
    ...injected,
    ...(properties && { properties }),
    ...{ publisher, source, sequence: 0 },
    receivedAtMs: nowMs,
    expiresAtMs: 0,
    origin: 'client',
  };
  return { kind: 'message', message, username };
}

function sampleRecordOf(wire: WireSampleRecord, nowMs: number): SampleRecord {
  const { partition, offset, key, value, timestampMs = nowMs } = wire;
  const headers = new Map<string, Uint8Array[]>();
  for (const [name, bytes] of wire.headers) {
    const value = Buffer.from(bytes, 'base64');
    const earlier = headers.get(name);
    if (earlier === undefined) headers.set(name, [value]);
    else earlier.push(value);
  }
  return {
    ...{ partition, offset, timestampMs },
    key: key === undefined ? null : Buffer.from(key, 'base64'),
    value: value === undefined ? null : Buffer.from(value, 'base64'),
    headers: Object.fromEntries(headers),
  };
}

/** What came of a dry run, for the API. */
export function wireTrialOf(trial: RuleTrial): WireRuleTrial {
  if (trial.kind === 'message') {
    const { payload, properties, ...message } = trial.message;
    const shown = { ...message, payload: base64(payload) };
    return {
      kind: 'message',
      message: { ...shown, ...(properties && { properties: wirePropertiesOf(properties) }) },
    };
  }
  if (trial.kind !== 'record') return trial;
  const { key, value, headers, ...record } = trial.record;
  return {
    kind: 'record',
    record: {
      ...record,
      key: base64(key),
      value: base64(value),
      headers: Object.entries(headers).flatMap(([name, given]) =>
        (typeof given === 'string' || given instanceof Uint8Array ? [given] : given).map(
          (each) => [name, base64(typeof each === 'string' ? Buffer.from(each) : each)] as const,
        ),
      ),
    },
  };
}
