import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeUtf8 } from './utf8.ts';

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function strictly(bytes: Uint8Array): string | undefined {
  try {
    return STRICT.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Bytes that are often, but not always, well-formed. */
const almostText = fc
  .tuple(
    fc.string({ unit: 'binary', maxLength: 10 }),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }),
  )
  .map(([text, changes]) => {
    const bytes = Buffer.from(text);
    for (const [place, value] of changes) bytes[place % Math.max(bytes.length, 1)] = value;
    return bytes;
  });

it('reads what a strict decoder reads, unless it holds U+0000', () => {
  fc.assert(
    fc.property(almostText, (bytes) => {
      const expected = bytes.includes(0) ? undefined : strictly(bytes);
      expect(decodeUtf8(bytes, 0, bytes.length)).toBe(expected);
    }),
    { numRuns: 5000 },
  );
});
