import { describe, expect, it } from '@jest/globals';
import avro, { type Schema } from 'avsc';
import fc from 'fast-check';
import { avroCodec } from './avro-codec.ts';

interface Sample {
  readonly schema: Schema;
  readonly value: fc.Arbitrary<unknown>;
}

const LEAVES: readonly Sample[] = [
  { schema: 'null', value: fc.constant(null) },
  { schema: 'boolean', value: fc.boolean() },
  { schema: 'int', value: fc.integer() },
  // Beyond 52 bits avsc loses the last digit.
  { schema: 'long', value: fc.integer({ min: -(2 ** 52), max: 2 ** 52 }) },
  { schema: 'float', value: fc.float({ noDefaultInfinity: true, noNaN: true }) },
  { schema: 'double', value: fc.double({ noDefaultInfinity: true, noNaN: true }) },
  { schema: 'string', value: fc.string({ unit: 'grapheme' }) },
];

let names = 0;

/** A schema with values that fit it. */
const sample = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(...LEAVES),
    tie('sample').map(({ schema, value }) => ({
      schema: { type: 'array', items: schema } as Schema,
      value: fc.array(value, { maxLength: 4 }),
    })),
    tie('sample').map(({ schema, value }) => ({
      schema: { type: 'map', values: schema } as Schema,
      value: fc.dictionary(fc.string(), value, { maxKeys: 4, noNullPrototype: true }),
    })),
    fc.constantFrom(...LEAVES.slice(1)).map(({ schema, value }) => ({
      schema: ['null', schema] as Schema,
      value: fc.option(value),
    })),
    fc.array(tie('sample'), { maxLength: 4 }).map((samples) => ({
      schema: {
        type: 'record',
        name: `r${(names += 1)}`,
        fields: samples.map(({ schema }, index) => ({ name: `f${index}`, type: schema })),
      } as Schema,
      value: fc.record(
        Object.fromEntries(samples.map(({ value }, index) => [`f${index}`, value])),
        {
          noNullPrototype: true,
        },
      ),
    })),
  ),
})).sample;

const codecOf = (schema: Schema) =>
  avroCodec({ id: 1, format: 'avro', text: JSON.stringify(schema), references: [] });

describe('avroCodec', () => {
  it('writes and reads as avsc does', () => {
    fc.assert(
      fc.property(
        sample.chain(({ schema, value }) => fc.tuple(fc.constant(schema), value)),
        ([schema, value]) => {
          const codec = codecOf(schema);
          const json = Buffer.from(JSON.stringify(value));
          const given: unknown = JSON.parse(json.toString());
          const bytes = codec.encode(json);
          expect(bytes).toEqual(avro.Type.forSchema(schema, { wrapUnions: false }).toBuffer(given));
          const back: unknown = JSON.parse(codec.decode(bytes).toString());
          expect(JSON.stringify(back)).toBe(JSON.stringify(given));
        },
      ),
    );
  });

  it('makes a value of any bytes or refuses them, in bounded memory', () => {
    fc.assert(
      fc.property(sample, fc.uint8Array({ maxLength: 64 }), ({ schema }, array) => {
        const codec = codecOf(schema);
        expect(outcomeOf(() => codec.decode(Buffer.from(array)))).toMatch(
          /^(?:Buffer|ValueError)$/,
        );
      }),
    );
  });
});

/** What came of it: the class of the result, or of what was thrown. */
function outcomeOf(work: () => object): string {
  try {
    return work().constructor.name;
  } catch (error) {
    return (error as Error).constructor.name;
  }
}
