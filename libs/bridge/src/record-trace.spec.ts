import { describe, expect, it } from '@jest/globals';
import type { InjectedMessage } from '#libs/broker-ports';
import { RecordingTracer } from '#libs/testkit';
import { withTraceOf } from './record-trace.ts';
import { linkSpooled } from './spooled-span.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const PLACE = `00-${TRACE}-${SPAN}-01`;

const message: InjectedMessage = {
  ...{ topic: 't', payload: new Uint8Array(0), qos: 1, retain: false },
  properties: { userProperties: [['own', '1']] },
};

function told(headers: Parameters<typeof withTraceOf>[0]['headers'], of = message): unknown {
  return withTraceOf({ ...(headers && { headers }) }, of).properties?.userProperties;
}

describe('the message of a consumed record', () => {
  it('has the place in a trace that its record has', () => {
    const headers = { traceparent: Buffer.from(PLACE), tracestate: ['vendor=x', 'other'] };
    expect(told(headers)).toEqual([
      ['own', '1'],
      ['traceparent', PLACE],
      ['tracestate', 'vendor=x'],
    ]);
  });

  it.each([
    undefined,
    {},
    { traceparent: 'none' },
    { traceparent: `${PLACE}\n` },
    { traceparent: 'x'.repeat(100_000) },
  ])('is as its rule made it, where the record has none: %#', (headers) => {
    expect(told(headers)).toEqual([['own', '1']]);
  });

  it('keeps the one that its rule gives it', () => {
    const userProperties = [['traceparent', 'mine']] as const;
    const own = { ...message, properties: { userProperties } };
    expect(told({ traceparent: PLACE }, own)).toEqual(userProperties);
  });
});

describe('a record that has waited on the disk alone', () => {
  const tracer = new RecordingTracer('a');
  const record = { target: 'topic', sequence: 7, headers: { traceparent: PLACE } };
  const link = (changes: Partial<Parameters<typeof linkSpooled>[1]>): void =>
    linkSpooled(tracer, { ...record, ...changes }, 'rule');

  it('has a span of its own that links to the one in its header', () => {
    link({});
    link({ sequence: 0 });
    link({ headers: {} });
    link({ headers: { traceparent: PLACE.replace(/1$/, '0') } });

    expect(tracer.named('send')).toMatchObject([
      { parentId: undefined, link: { traceId: TRACE, spanId: SPAN } },
    ]);
    expect(tracer.spans).toHaveLength(1);
  });
});
