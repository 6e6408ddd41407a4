import { describe, expect, it } from '@jest/globals';
import { avroCodec } from './avro-codec.ts';
import { SchemaError, ValueError } from './codec.ts';

const codecOf = (schema: unknown, ...references: readonly unknown[]) =>
  avroCodec({
    id: 1,
    format: 'avro',
    text: JSON.stringify(schema),
    references: references.map((other, index) => ({
      name: `r${index}`,
      text: JSON.stringify(other),
    })),
  });

const record = (...fields: readonly object[]) => ({
  type: 'record',
  name: 'Reading',
  namespace: 'plant',
  fields,
});

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

function there(schema: unknown, value: unknown): unknown {
  const codec = codecOf(schema);
  return JSON.parse(codec.decode(codec.encode(json(value))).toString());
}

describe('avroCodec', () => {
  it('writes the bytes of the specification', () => {
    const schema = record({ name: 'a', type: 'long' }, { name: 'b', type: 'string' });
    expect(
      codecOf(schema)
        .encode(json({ a: 27, b: 'foo' }))
        .toString('hex'),
    ).toBe('3606666f6f');
    const array = codecOf({ type: 'array', items: 'long' });
    expect(array.encode(json([3, 27])).toString('hex')).toBe('04063600');
    expect(array.decode(Buffer.from('03040636' + '00', 'hex')).toString()).toBe('[3,27]');
  });

  it('fills in what is missing and has a default', () => {
    const schema = record(
      { name: 'unit', type: 'string', default: 'C' },
      { name: 'note', type: ['null', 'string'], default: null },
    );
    expect(there(schema, {})).toEqual({ unit: 'C', note: null });
  });

  it('keeps numbers of 64 bits as texts of their digits', () => {
    const edges = ['9223372036854775807', '-9223372036854775808', 2 ** 53 - 1, -(2 ** 52), 0, -1];
    expect(there({ type: 'array', items: 'long' }, edges)).toEqual(edges);
  });

  it('takes the branch that fits, text before others, or the one that is named', () => {
    const union = { type: 'array', items: ['null', 'bytes', 'long', 'double', 'string'] };
    const hex = codecOf(union)
      .encode(json([null, '12', 7, 1.5, { bytes: 'ÿ' }]))
      .toString('hex');
    expect(hex).toBe('0a' + '00' + '08043132' + '040e' + '06000000000000f83f' + '0202ff' + '00');
    const sized = { type: 'record', name: 'Sized', fields: [{ name: 'size', type: 'int' }] };
    const either = [sized, { ...sized, name: 'Other', fields: [{ name: 'it', type: 'int' }] }];
    expect(there(either, { it: 1 })).toEqual({ it: 1 });
    expect(there(either, { Other: { it: 2 } })).toEqual({ it: 2 });
  });

  it('knows types that refer to themselves, to each other and to other schemas', () => {
    const node = record({ name: 'next', type: ['null', 'Reading'], default: null });
    expect(there(node, { next: { next: {} } })).toEqual({ next: { next: { next: null } } });
    const kind = { type: 'enum', name: 'plant.Kind', symbols: ['HOT', 'COLD'] };
    const codec = codecOf(record({ name: 'kind', type: 'Kind' }), kind);
    expect(codec.encode(json({ kind: 'COLD' })).toString('hex')).toBe('02');
  });

  it('keeps fields with names that objects have anyway', () => {
    const value = JSON.parse('{"__proto__":1,"constructor":2}') as object;
    expect(JSON.stringify(there({ type: 'map', values: 'int' }, value))).toBe(
      JSON.stringify(value),
    );
  });

  it.each([
    [record({ name: 'a', type: 'int' }), {}, 'a is missing'],
    [record({ name: 'a', type: 'int' }), { a: 2 ** 31 }, 'a is no int'],
    [record({ name: 'a', type: 'int' }), { a: 1, b: 2 }, 'the value has b, and plant.Reading'],
    [
      record({ name: 'a', type: { type: 'array', items: 'int' } }),
      { a: [1, '2'] },
      'a[1] is no int',
    ],
    [{ type: 'map', values: 'boolean' }, { x: 0 }, 'x is no boolean'],
    [['null', 'long'], true, 'the value is none of null, long'],
    ['long', '9223372036854775808', 'the value is no long'],
    ['float', 1e39, 'the value is no float'],
    ['bytes', '€', 'the value is no bytes'],
    ['string', '\ud800', 'the value is no string'],
    [{ type: 'fixed', name: 'F', size: 2 }, 'abc', 'the value is no F'],
    [{ type: 'enum', name: 'E', symbols: ['A'] }, 'B', 'the value is no E'],
  ])('refuses what does not fit, and says where: %#', (schema, value, message) => {
    const write = (): unknown => codecOf(schema).encode(json(value));
    expect(write).toThrow(ValueError);
    expect(write).toThrow(message);
  });

  it.each([
    [{ type: 'array', items: 'null' }, 'feffffff0f00', 'too many empty items'],
    [{ type: 'array', items: 'long' }, 'feffffff0f00', 'cut short'],
    ['string', 'feffffff0f61', 'cut short'],
    ['bytes', '01', 'cut short'],
    ['int', '0000', 'longer than its schema'],
    ['long', 'ffffffffffffffffffff01', 'more than 64 bits'],
    [['null'], '02', 'a branch that the union lacks'],
    [{ type: 'enum', name: 'E', symbols: ['A'] }, '02', 'no symbol of E'],
  ])('refuses bytes that promise what they do not hold: %#', (schema, hex, message) => {
    const read = (): unknown => codecOf(schema).decode(Buffer.from(hex, 'hex'));
    expect(read).toThrow(ValueError);
    expect(read).toThrow(message);
  });

  it('refuses values that are nested beyond measure', () => {
    const codec = codecOf(record({ name: 'next', type: ['null', 'Reading'] }));
    const deep = `${'{"next":'.repeat(200)}null${'}'.repeat(200)}`;
    expect(() => codec.encode(Buffer.from(deep))).toThrow('nested too deeply');
    expect(() => codec.decode(Buffer.alloc(200, 2))).toThrow('nested too deeply');
  });

  it('tries branches that look alike no longer than the value is worth', () => {
    const of = { name: 'of', type: ['int', 'Sum', 'Product'] };
    const branch = (name: string) => ({ type: 'record', name, fields: [of] });
    const codec = codecOf([branch('Sum'), branch('Product')]);
    const nested = (value: string): Buffer =>
      Buffer.from(`${'{"of":'.repeat(100)}${value}${'}'.repeat(100)}`);
    expect(() => codec.encode(nested('"no"'))).toThrow('fits too many branches only in part');
    expect(codec.encode(nested('7')).toString('hex')).toBe(`00${'02'.repeat(99)}000e`);
    const other = { ...branch('Sum'), fields: [{ name: 'it', type: 'int' }] };
    const many = codecOf({ type: 'array', items: [other, branch('Product')] });
    expect(() => many.encode(json(Array(10_000).fill({ of: 1 })))).not.toThrow();
  });

  it.each([
    [{ type: 'record', name: 'R' }, 'R has no fields'],
    [record({ name: 'a', type: 'Missing' }), 'no type plant.Missing'],
    [{ type: 'enum', name: 'E' }, 'an enum without symbols'],
    [{ type: 'fixed', name: 'F', size: -1 }, 'without a size'],
    [{ type: 'array' }, 'a type that is none'],
    [{ type: 'record', fields: [] }, 'a type without a name'],
  ])('refuses schemas that are none: %#', (schema, message) => {
    expect(() => codecOf(schema)).toThrow(SchemaError);
    expect(() => codecOf(schema)).toThrow(message);
  });
});
