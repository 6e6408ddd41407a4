import { describe, expect, it } from '@jest/globals';
import { SchemaError, ValueError } from './codec.ts';
import { protobufCodec } from './protobuf-codec.ts';

const TELEMETRY = `
  syntax = "proto3";
  package plant.v1;
  import "google/protobuf/timestamp.proto";
  import "unit.proto";
  enum Kind { KIND_UNSPECIFIED = 0; HOT = 1; }
  message Telemetry {
    message Point { double x = 1; }
    message Mark { string name = 1; }
    int64 serial_number = 1;
    optional string note = 2;
    repeated Point points = 3;
    map<string, uint32> counts = 4;
    bytes raw = 5;
    Kind kind = 6;
    google.protobuf.Timestamp at = 7;
    Unit unit = 8;
  }
  message Alarm { string text = 1; }
`;
const UNIT = 'syntax = "proto3"; package plant.v1; message Unit { string symbol = 1; }';

const schema = (text: string, references = [{ name: 'unit.proto', text: UNIT }]) => ({
  id: 1,
  format: 'protobuf' as const,
  text,
  references,
});

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe('protobufCodec', () => {
  it('maps JSON as Protobuf does, by both names of a field', () => {
    const codec = protobufCodec(schema(TELEMETRY));
    const value = {
      serialNumber: '9007199254740993',
      points: [{ x: 1.5 }],
      counts: { a: 1 },
      raw: '/w==',
      kind: 'HOT',
      at: '2026-01-02T03:04:05Z',
      unit: { symbol: 'K' },
    };
    const { serialNumber, ...rest } = value;
    const bytes = codec.encode(json({ serial_number: serialNumber, ...rest }));
    expect(JSON.parse(codec.decode(bytes).toString())).toEqual(value);
    expect(bytes[0]).toBe(0);
  });

  it('writes the message that the rule names, and reads the one that the value names', () => {
    const alarm = protobufCodec(schema(TELEMETRY), 'plant.v1.Alarm').encode(json({ text: 'hot' }));
    expect(alarm.toString('hex')).toBe('02020a03686f74');
    const mark = protobufCodec(schema(TELEMETRY), 'Telemetry.Mark').encode(json({ name: 'm' }));
    expect(mark.toString('hex')).toBe('0400020a016d');
    const reader = protobufCodec(schema(TELEMETRY));
    expect(reader.decode(alarm).toString()).toBe('{"text":"hot"}');
    expect(reader.decode(mark).toString()).toBe('{"name":"m"}');
  });

  it.each([
    [{ serialNumber: 'x' }, 'invalid integer'],
    [{ serialNumber: 1.5 }, 'not an integer'],
    [{ other: 1 }, 'unknown field'],
    [{ kind: 'COLD' }, 'unknown enum value'],
    [{ counts: { a: -1 } }, 'out of range'],
    [[], 'expected object'],
  ])('refuses what does not fit: %#', (value, message) => {
    const write = (): unknown => protobufCodec(schema(TELEMETRY)).encode(json(value));
    expect(write).toThrow(ValueError);
    expect(write).toThrow(message);
  });

  it.each([['020a'], ['000aff'], ['000aff01'], ['0008']])(
    'refuses bytes that hold no message: %s',
    (hex) => {
      const read = (): unknown => protobufCodec(schema(TELEMETRY)).decode(Buffer.from(hex, 'hex'));
      expect(read).toThrow(ValueError);
    },
  );

  it.each([
    [schema('message {'), undefined, 'illegal'],
    [schema(TELEMETRY, []), undefined, 'imports unit.proto'],
    [schema('syntax = "proto3"; message A { B b = 1; }'), undefined, 'no such'],
    [schema('syntax = "proto3"; enum A { Z = 0; }'), undefined, 'no message'],
    [schema(TELEMETRY), 'Tele', 'has no message Tele; it has plant.v1.Telemetry,'],
  ])('refuses schemas that cannot be used: %#', (given, messageType, message) => {
    expect(() => protobufCodec(given, messageType)).toThrow(SchemaError);
    expect(() => protobufCodec(given, messageType)).toThrow(message);
  });
});
