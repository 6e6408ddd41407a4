import { encodeUtf8 } from './utf8.ts';
import { encodeVariableByteInteger } from './variable-byte-integer.ts';

const TWO_BYTES_MAX = 0xffff;
const FOUR_BYTES_MAX = 0xffff_ffff;

/**
 * Writes fields one after the other, big-endian, into memory that grows as needed.
 *
 * @remarks A value that does not fit its field throws a RangeError: the caller's bug, since everything that came
 * from a peer has passed the decoder.
 */
export class ByteWriter {
  bytes: Buffer;
  offset = 0;

  constructor(capacityBytes: number) {
    this.bytes = Buffer.allocUnsafe(capacityBytes);
  }

  /** One byte; higher bits are cut off. */
  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.offset] = value;
    this.offset += 1;
  }

  /** A Two Byte Integer (section 1.5.2). */
  twoBytes(value: number): void {
    checkInteger(value, TWO_BYTES_MAX);
    this.reserve(2);
    this.bytes[this.offset] = value >>> 8;
    this.bytes[this.offset + 1] = value;
    this.offset += 2;
  }

  /** A Four Byte Integer (section 1.5.3). */
  fourBytes(value: number): void {
    checkInteger(value, FOUR_BYTES_MAX);
    this.twoBytes(value >>> 16);
    this.twoBytes(value & TWO_BYTES_MAX);
  }

  /** Writes a Four Byte Integer over one written before. */
  fourBytesAt(offset: number, value: number): void {
    const end = this.offset;
    this.offset = offset;
    this.fourBytes(value);
    this.offset = end;
  }

  /** A Variable Byte Integer (section 1.5.5). */
  variableByteInteger(value: number): void {
    this.reserve(4);
    this.offset = encodeVariableByteInteger(value, this.bytes, this.offset);
  }

  /** A UTF-8 Encoded String (section 1.5.4). */
  text(value: string): void {
    this.reserve(2 + 3 * value.length);
    const start = this.offset + 2;
    const end = encodeUtf8(value, this.bytes, start);
    this.twoBytes(end - start);
    this.offset = end;
  }

  /** Binary Data (section 1.5.6). */
  binary(value: Uint8Array): void {
    this.twoBytes(value.length);
    this.raw(value);
  }

  /** Bytes without a length. */
  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.offset);
    this.offset += value.length;
  }

  /** Some bytes of a buffer, without a length. */
  range(bytes: Buffer, start: number, end: number): void {
    this.reserve(end - start);
    bytes.copy(this.bytes, this.offset, start, end);
    this.offset += end - start;
  }

  /** All that was written, without a copy: write no more after it. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.offset);
  }

  /** Makes room for `count` more bytes at the offset. */
  reserve(count: number): void {
    const needed = this.offset + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.offset));
    this.bytes = grown;
  }

  /**
   * Puts a length in front of what was written since `start`, as a Variable Byte Integer.
   *
   * @remarks One byte was left free at `start`, which is enough up to 127; else the bytes move.
   */
  prefixLength(start: number): void {
    const first = start + 1;
    const length = this.offset - first;
    if (length < 0x80) {
      this.bytes[start] = length;
      return;
    }
    this.reserve(3);
    const prefix = Buffer.allocUnsafe(4);
    const prefixBytes = encodeVariableByteInteger(length, prefix, 0);
    this.bytes.copyWithin(start + prefixBytes, first, this.offset);
    this.bytes.set(prefix.subarray(0, prefixBytes), start);
    this.offset += prefixBytes - 1;
  }
}

function checkInteger(value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`not an integer from 0 to ${max}: ${value}`);
  }
}
