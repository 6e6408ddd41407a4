import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ValueError } from './codec.ts';
import { frame, messageIndexes, readMessageIndexes, unframe } from './wire-format.ts';

const bytes = (): fc.Arbitrary<Buffer> => fc.uint8Array().map((array) => Buffer.from(array));

function quietly<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ValueError) return undefined;
    throw error;
  }
}

describe('the wire format', () => {
  it('gives back what was put in', () => {
    fc.assert(
      fc.property(
        fc.nat(0xff_ff_ff_ff),
        fc.array(fc.nat(1_000), { minLength: 1, maxLength: 64 }),
        bytes(),
        (id, path, message) => {
          const framed = unframe(frame(id, Buffer.concat([messageIndexes(path), message])));
          expect(framed.id).toBe(id);
          expect(readMessageIndexes(framed.body)).toEqual({ path, message });
        },
      ),
    );
  });

  it('takes any bytes apart or refuses them as a value', () => {
    fc.assert(
      fc.property(bytes(), (value) => {
        const framed = quietly(() => unframe(value));
        expect(framed === undefined).toBe(value.length < 5 || value[0] !== 0);
        const indexes = quietly(() => readMessageIndexes(value));
        expect(indexes?.path.every((index) => index >= 0)).not.toBe(false);
      }),
    );
  });

  it('is the one that other clients write', () => {
    expect(frame(258, Buffer.of(9)).toString('hex')).toBe('000000010209');
    expect(messageIndexes([0]).toString('hex')).toBe('00');
    expect(messageIndexes([1]).toString('hex')).toBe('0202');
    expect(messageIndexes([1, 0, 70]).toString('hex')).toBe('0602008c01');
    expect(readMessageIndexes(Buffer.from('020063', 'hex'))).toEqual({
      path: [0],
      message: Buffer.of(0x63),
    });
  });

  it.each([['01'], ['82'], ['04ff'], ['0201'], ['ffffffffff7f'], ['8208'], ['']])(
    'knows no message at %s',
    (hex) => {
      expect(() => readMessageIndexes(Buffer.from(hex, 'hex'))).toThrow(ValueError);
    },
  );
});
