import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { messagePropertiesArbitrary, textArbitrary, topicArbitrary } from '#libs/testkit';
import {
  decodeBatch,
  decodeMessage,
  decodeQueued,
  encodeBatch,
  encodeMessage,
  encodeQueued,
  type Message,
} from './index.ts';

const count = fc.nat(2 ** 31 - 1).map((value) => value * 2 ** 17 + (value % 2 ** 17));
const payload = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const POSITION = { epoch: 1, sequence: 1 };

const message: fc.Arbitrary<Message> = fc
  .tuple(
    fc.record({
      topic: topicArbitrary,
      payload,
      qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
      retain: fc.boolean(),
      publisher: textArbitrary,
      source: fc.record({ nodeId: fc.constantFrom('n1', 'n2'), incarnation: fc.nat(3) }),
      sequence: count,
      receivedAtMs: count,
      expiresAtMs: fc.oneof(fc.constant(0), count),
      origin: fc.constantFrom('client', 'admin', 'bridge', 'system'),
    }),
    messagePropertiesArbitrary,
  )
  .map(([base, properties]) =>
    Object.keys(properties).length === 0 ? base : { ...base, properties },
  );

const queued = fc.record(
  {
    message,
    qos: fc.constantFrom(1 as const, 2 as const),
    retain: fc.boolean(),
    subscriptionIdentifiers: fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 3 }),
    group: textArbitrary,
  },
  { requiredKeys: ['message', 'qos', 'retain', 'subscriptionIdentifiers'] },
);

const batch = fc.array(message, { maxLength: 5 });

/** Encoded messages of each kind, of which some bytes are changed, or cut off. */
const changed = fc
  .tuple(
    fc.oneof(message.map(encodeMessage), queued.map(encodeQueued), batch.map(encodeBatch)),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
    fc.nat(3),
  )
  .map(([encoded, changes, cut]) => {
    const bytes = Buffer.from(encoded.subarray(0, Math.max(encoded.length - cut, 1)));
    for (const [place, value] of changes) bytes[place % bytes.length] = value;
    return bytes;
  });

describe('message bytes', () => {
  it('are read back as they were written', () => {
    fc.assert(
      fc.property(message, queued, batch, (single, inQueue, messages) => {
        expect(decodeMessage(encodeMessage(single))).toEqual(single);
        expect(decodeQueued(encodeQueued(inQueue), POSITION)).toEqual({
          ...inQueue,
          position: POSITION,
        });
        expect(decodeBatch(encodeBatch(messages))).toEqual(messages);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['any', fc.uint8Array({ maxLength: 60 })],
    ['changed', changed],
  ])('that are %s never throw, and what they hold can be written again', (_, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, (bytes) => {
        const single = decodeMessage(bytes);
        const inQueue = decodeQueued(bytes, POSITION);
        const messages = decodeBatch(bytes);
        expect([
          single && decodeMessage(encodeMessage(single)),
          inQueue && decodeQueued(encodeQueued(inQueue), POSITION),
          messages && decodeBatch(encodeBatch(messages)),
        ]).toEqual([single, inQueue, messages]);
      }),
      { numRuns: 2000 },
    );
  });
});
