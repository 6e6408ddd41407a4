import { describe, expect, it } from '@jest/globals';
import { SchemaError, ValueError } from './codec.ts';
import { jsonSchemaCodec } from './json-schema-codec.ts';

const codecOf = (schema: unknown, references: { name: string; text: string }[] = []) =>
  jsonSchemaCodec({ id: 1, format: 'json-schema', text: JSON.stringify(schema), references });

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe('jsonSchemaCodec', () => {
  it('leaves values as they are', () => {
    const codec = codecOf({ type: 'object', required: ['t'] });
    const spaced = Buffer.from('{ "t" : 1.0 }');
    expect(codec.encode(spaced)).toBe(spaced);
    expect(codec.decode(spaced)).toBe(spaced);
  });

  it.each([
    [{ type: 'object', required: ['t'] }, {}, "the value must have required property 't'"],
    [{ properties: { a: { items: { type: 'number' } } } }, { a: [1, 'x'] }, 'a.1 must be number'],
    [
      { $schema: 'https://json-schema.org/draft/2020-12/schema', prefixItems: [{ const: 1 }] },
      [2],
      '0 must',
    ],
    [
      {
        $schema: 'https://json-schema.org/draft/2019-09/schema',
        minContains: 1,
        contains: { const: 1 },
      },
      [],
      'the value must',
    ],
  ])('refuses what does not fit, and says where: %#', (schema, value, message) => {
    const check = (): unknown => codecOf(schema).encode(json(value));
    expect(check).toThrow(ValueError);
    expect(check).toThrow(message);
  });

  it('refuses what is not JSON', () => {
    expect(() => codecOf(true).encode(Buffer.from('21.5 C'))).toThrow('the value is not JSON');
  });

  it('follows references, by their names or from the id of the schema', () => {
    const references = [{ name: 'unit.json', text: '{"enum":["C","K"]}' }];
    const named = codecOf({ properties: { unit: { $ref: 'unit.json' } } }, references);
    expect(() => named.encode(json({ unit: 'F' }))).toThrow('unit must be equal');
    const based = { $id: 'http://plant/a.json', properties: { unit: { $ref: 'unit.json' } } };
    expect(() => codecOf(based, references).encode(json({ unit: 'F' }))).toThrow(ValueError);
  });

  it('matches patterns in linear time', () => {
    const codec = codecOf({ type: 'string', pattern: '^(a|a)*$' });
    expect(() => codec.encode(json(`${'a'.repeat(50_000)}!`))).toThrow('must match pattern');
    expect(codec.encode(json('aaa')).toString()).toBe('"aaa"');
  });

  it('finds items that are there twice without comparing each with each', () => {
    const codec = codecOf({ uniqueItems: true });
    const items = Array.from({ length: 20_000 }, (_, index) => ({ index }));
    expect(() => codec.encode(json(items))).not.toThrow();
    expect(() => codec.encode(json([...items, { index: 7 }]))).toThrow('must NOT have duplicate');
  });

  it.each([
    [[0, -0]],
    [[[], []]],
    [
      [
        { a: 1, b: [2] },
        { b: [2], a: 1 },
      ],
    ],
  ])('refuses equal items: %j', (items) => {
    expect(() => codecOf({ uniqueItems: true }).encode(json(items))).toThrow(ValueError);
    expect(() => codecOf({ uniqueItems: false }).encode(json(items))).not.toThrow();
  });

  it.each(['07', '2019-09', '2020-12'])(
    'tries branches that hold themselves no longer than a bounded number of steps (%s)',
    (draft) => {
      const branch = (name: string) => ({
        type: 'object',
        properties: { of: { $ref: '#' } },
        required: ['of', name],
      });
      const $schema =
        draft === '07'
          ? 'http://json-schema.org/draft-07/schema#'
          : `https://json-schema.org/draft/${draft}/schema`;
      const codec = codecOf({ $schema, anyOf: [{ type: 'integer' }, branch('a'), branch('b')] });
      const nested = (value: string, depth: number): Buffer =>
        Buffer.from(`${'{"a":1,"b":1,"of":'.repeat(depth)}${value}${'}'.repeat(depth)}`);
      expect(() => codec.encode(nested('"no"', 100))).toThrow('too many steps');
      expect(() => codec.encode(nested('7', 10))).not.toThrow();
    },
  );

  it('takes items that only look alike', () => {
    const items = [1, '1', [1], { a: 1 }, { a: 2 }, null, 'null', true];
    expect(() => codecOf({ uniqueItems: true }).encode(json(items))).not.toThrow();
  });

  it.each([
    [{ $async: true }],
    [{ type: 'numbr' }],
    [{ $ref: 'nowhere.json' }],
    [{ pattern: '(?=a)' }],
    [{ $schema: 'http://json-schema.org/draft-04/schema#' }],
  ])('refuses schemas that cannot be used: %#', (schema) => {
    expect(() => codecOf(schema)).toThrow(SchemaError);
  });
});
