import { describe, expect, it } from '@jest/globals';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

describe('ByteWriter', () => {
  it.each([0, 127, 128, 16_383, 16_384, 2_097_152])(
    'puts a length of %d in front of what it wrote',
    (length) => {
      const writer = new ByteWriter(4);
      writer.byte(0xaa);
      const start = writer.offset;
      writer.byte(0);
      writer.raw(Buffer.alloc(length, 'x'));

      writer.prefixLength(start);
      const reader = new ByteReader(writer.written());

      expect(reader.byte()).toBe(0xaa);
      expect(reader.variableByteInteger()).toBe(length);
      expect(Buffer.from(reader.rest()).equals(Buffer.alloc(length, 'x'))).toBe(true);
    },
  );

  it('grows and keeps what is there', () => {
    const writer = new ByteWriter(1);
    writer.fourBytes(0xdead_beef);
    writer.text('é');
    writer.binary(Buffer.from('b'));
    writer.fourBytesAt(0, 0xcafe_babe);
    expect(Buffer.from(writer.written()).toString('hex')).toBe('cafebabe0002c3a9000162');
  });

  it.each<[string, (writer: ByteWriter) => void]>([
    ['two bytes', (writer) => writer.twoBytes(0x1_0000)],
    ['four bytes', (writer) => writer.fourBytes(0x1_0000_0000)],
    ['a fraction', (writer) => writer.fourBytes(0.5)],
    ['a text', (writer) => writer.text('é'.repeat(32_768))],
    ['binary data', (writer) => writer.binary(Buffer.alloc(65_536))],
  ])('does not cut off %s that does not fit', (_, write) => {
    expect(() => write(new ByteWriter(16))).toThrow(RangeError);
  });
});

describe('ByteReader', () => {
  it('keeps its first failure and reads nothing more', () => {
    const reader = new ByteReader(Buffer.from('0102', 'hex'));
    expect(reader.fourBytes()).toBe(0x0102_0000);
    expect(reader.failure?.message).toBe('the packet ends within a field');
    expect([reader.byte(), reader.text(), reader.rest().length]).toEqual([0, '', 0]);
    reader.fail(0x82, 'another');
    expect(reader.failure?.message).toBe('the packet ends within a field');
  });
});
