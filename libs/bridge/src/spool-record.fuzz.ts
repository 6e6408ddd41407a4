import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { SinkRecord } from './sink.ts';
import { decodeRecord, encodeRecord } from './spool-record.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((content) => Buffer.from(content));
const text = fc.string({ unit: 'binary', maxLength: 50 });
const name = fc.oneof(text, fc.constantFrom('mqtt-topic', 'correlation-data', '__proto__', '7'));
const headers = fc
  .array(fc.tuple(name, fc.oneof(text, bytes, fc.array(text, { maxLength: 5 }))), { maxLength: 12 })
  .map((entries): SinkRecord['headers'] => Object.fromEntries(entries));
const record: fc.Arbitrary<SinkRecord> = fc.record({
  target: text,
  route: fc.option(text, { nil: undefined }),
  key: bytes,
  value: bytes,
  lane: fc.option(fc.maxSafeNat(), { nil: undefined }),
  headers,
  timestampMs: fc.nat(),
});

describe('a record in the spool', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(record, (given) => {
        const found = decodeRecord(encodeRecord(given), given.timestampMs);
        expect(found).toEqual(given);
        expect(Object.entries(found?.headers ?? {})).toEqual(Object.entries(given.headers));
      }),
    );
  });

  it('is not taken for one when it is cut short or too long', () => {
    fc.assert(
      fc.property(record, fc.double({ min: 0, max: 1, noNaN: true }), (given, share) => {
        const whole = encodeRecord(given);
        const cut = Math.min(whole.length - 1, Math.floor(share * whole.length));
        expect(decodeRecord(whole.subarray(0, cut), 0)).toBeUndefined();
        expect(decodeRecord(Buffer.concat([whole, Buffer.of(0)]), 0)).toBeUndefined();
      }),
    );
  });

  it('may be any bytes', () => {
    const any = fc.uint8Array({ maxLength: 200 });
    const begun = any.map((content) => Uint8Array.of(1, ...content));
    fc.assert(
      fc.property(fc.oneof(any, begun), (given) => {
        const found = decodeRecord(given, 0);
        expect(found === undefined || Buffer.isBuffer(found.key)).toBe(true);
      }),
    );
  });
});
