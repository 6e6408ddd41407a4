import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import './kafkajs-client.ts';
import { encodeProduceRequest, type Encoded, type ProduceRequest } from './produce-request.ts';

const require = createRequire(import.meta.url);

type Encoder = (request: ProduceRequest) => { encode(): Promise<Encoded> };
const theirs = require('kafkajs/src/protocol/requests/produce/v3/request') as Encoder;

const { None, GZIP, Snappy, LZ4, ZSTD } = kafkajs.CompressionTypes;
/** Lengths on both sides of those at which a varint takes a byte more, and text of all widths. */
const length = fc.oneof(fc.integer({ max: 70, min: 0 }), fc.constantFrom(63, 64, 8_191, 8_192));
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.tuple(length, fc.constantFrom('a', 'é', '😀')).map(([count, letter]) => letter.repeat(count)),
);
const bytes = length.map((count) => Buffer.alloc(count, count));
const field = fc.oneof(text, bytes);
const timestamp = fc
  .oneof(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: 100_000_000_000 }))
  .map((ms) => String(1_700_000_000_000 + ms));
const message = fc.record({
  key: fc.option(field),
  value: fc.option(field),
  headers: fc.dictionary(text, fc.oneof(field, fc.array(field, { maxLength: 3 })), { maxKeys: 8 }),
  timestamp,
});
const partition = fc.record({
  partition: fc.nat(),
  firstSequence: fc.nat(),
  messages: fc.array(message, { minLength: 1, maxLength: 20 }),
});
const request = fc.record({
  producerId: fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }).map(String),
  producerEpoch: fc.integer({ min: 0, max: 32_767 }),
  acks: fc.constantFrom(-1, 1),
  timeout: fc.nat(),
  compression: fc.constantFrom(None, GZIP, Snappy, LZ4, ZSTD),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ unit: 'grapheme' }),
      partitions: fc.array(partition, { maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
});

describe('encodeProduceRequest', () => {
  it("writes what the client's own encoder writes", async () => {
    await fc.assert(
      fc.asyncProperty(request, async (data) => {
        const expected = await theirs({ ...data, transactionalId: undefined }).encode();
        const { buf, buffer } = await encodeProduceRequest(data);
        expect(buffer.equals(expected.buffer)).toBe(true);
        expect(buf).toBe(buffer);
      }),
    );
  });
});
