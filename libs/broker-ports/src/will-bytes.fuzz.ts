import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { messagePropertiesArbitrary, textArbitrary, topicArbitrary } from '#libs/testkit';
import type { StoredWill } from './stored-will.ts';
import { decodeWill, encodeWill } from './will-bytes.ts';

const text = textArbitrary;

const will: fc.Arbitrary<StoredWill> = fc.record({
  message: fc
    .record({
      topic: topicArbitrary,
      payload: fc.uint8Array({ maxLength: 100 }),
      qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
      retain: fc.boolean(),
      properties: fc.option(messagePropertiesArbitrary, { nil: undefined }),
    })
    .map(({ properties, ...rest }) =>
      properties === undefined || Object.keys(properties).length === 0
        ? rest
        : { ...rest, properties },
    ),
  identity: fc.record({
    source: fc.record({ nodeId: text, incarnation: fc.nat() }),
    sequence: fc.nat(),
  }),
  delaySeconds: fc.nat(4_294_967_295),
  client: fc.record({
    clientId: text,
    username: fc.option(text, { nil: undefined }),
    listener: text,
    remoteAddress: text,
  }),
});

describe('a stored will', () => {
  it('is decoded to what was encoded', () => {
    fc.assert(
      fc.property(will, (given) => {
        const decoded = decodeWill(encodeWill(given));
        expect(decoded && plain(decoded)).toEqual(plain(given));
      }),
    );
  });

  it('is undefined for bytes that are none, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const decoded = decodeWill(bytes);
        expect(decoded === undefined || encodeWill(decoded).length > 0).toBe(true);
      }),
    );
    expect(decodeWill(new Uint8Array(0))).toBeUndefined();
    expect(decodeWill(Uint8Array.of(2, 0, 0, 0, 0, 0))).toBeUndefined();
  });
});

/** Views of bytes become arrays: equal whatever class of array the codec made. */
function plain({ message, ...rest }: StoredWill): unknown {
  const correlationData = message.properties?.correlationData;
  return {
    ...rest,
    message: {
      ...message,
      payload: [...message.payload],
      properties: message.properties && {
        ...message.properties,
        correlationData: correlationData && [...correlationData],
      },
    },
  };
}
