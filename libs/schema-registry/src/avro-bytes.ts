import { ValueError } from './codec.ts';

/** Up to here zigzag numbers are exact. */
const EXACT = 2 ** 51;
const LONG_BYTES_MAX = 10;
/** Most items of a value that take no bytes: their number is not bounded by the size of the value. */
const EMPTY_ITEMS_MAX = 65_536;
/** How much may be written in vain: branches of unions that look alike could be tried in ever more combinations. */
const MISFITS_MAX = 100_000;
/** How deep a value may be nested. */
const DEPTH_MAX = 128;

/** Collects the bytes of one Avro value. */
export class AvroWriter {
  #bytes = Buffer.allocUnsafe(1_024);
  #depth = 0;
  #misfits = 0;
  /** How many bytes there are. */
  length = 0;

  /** The bytes so far, as a copy. */
  take(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.length));
  }

  /** A whole number of 64 bits, as zigzag of variable length. */
  long(value: number | bigint): void {
    if (typeof value === 'bigint') return this.#big(value);
    if (Math.abs(value) >= EXACT) return this.#big(BigInt(value));
    this.#room(LONG_BYTES_MAX);
    let rest = value < 0 ? -2 * value - 1 : 2 * value;
    while (rest >= 0x80) {
      this.#bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.length++] = rest;
  }

  float(value: number): void {
    this.#room(4);
    this.length = this.#bytes.writeFloatLE(value, this.length);
  }

  double(value: number): void {
    this.#room(8);
    this.length = this.#bytes.writeDoubleLE(value, this.length);
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.length++] = value;
  }

  /** Text without its length. */
  text(value: string, encoding: 'utf8' | 'latin1'): void {
    this.#room(value.length * 3);
    this.length += this.#bytes.write(value, this.length, encoding);
  }

  /** Takes back what was written beyond a length, for it turned out not to fit. The deeper it is, the more that has cost. */
  takeBack(length: number): void {
    this.length = length;
    this.#misfits += 1 + this.#depth;
    if (this.#misfits > MISFITS_MAX) throw new ValueError('fits too many branches only in part');
  }

  /** Writes what is nested one deeper. */
  nested(write: () => void): void {
    if (this.#depth === DEPTH_MAX) throw new ValueError('is nested too deeply');
    this.#depth += 1;
    try {
      write();
    } finally {
      this.#depth -= 1;
    }
  }

  #big(value: bigint): void {
    this.#room(LONG_BYTES_MAX);
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    while (rest >= 0x80n) {
      this.#bytes[this.length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.length++] = Number(rest);
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.length + bytes));
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
  }
}

/** Reads one Avro value. Nothing is allocated for what the bytes only announce. */
export class AvroReader {
  readonly #bytes: Buffer;
  #at = 0;
  #depth = 0;
  #emptyItems = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** A whole number; a text of its digits when it is too large for an exact one. */
  long(): number | string {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        const zigzag = BigInt.asUintN(64, value);
        const signed = (zigzag >> 1n) ^ -(zigzag & 1n);
        const number = Number(signed);
        return Number.isSafeInteger(number) ? number : String(signed);
      }
    }
    throw new ValueError('holds a number of more than 64 bits');
  }

  /** A whole number that counts something, or an index. */
  count(): number {
    const value = this.long();
    if (typeof value === 'string') throw new ValueError('holds a count beyond all bounds');
    return value;
  }

  float(): number {
    return this.#bytes.readFloatLE(this.#skip(4));
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#skip(8));
  }

  byte(): number {
    return this.#bytes[this.#skip(1)] ?? 0;
  }

  text(length: number, encoding: 'utf8' | 'latin1'): string {
    const from = this.#skip(length);
    return this.#bytes.toString(encoding, from, from + length);
  }

  /** Reads the blocks of an array or a map, item by item. */
  blocks(readItem: () => void): void {
    for (let count = this.count(); count !== 0; count = this.count()) {
      // A negative count is followed by the bytes of the block, for those that skip it.
      if (count < 0) this.long();
      for (let left = Math.abs(count); left > 0; left -= 1) {
        const from = this.#at;
        readItem();
        if (this.#at > from) continue;
        this.#emptyItems += 1;
        if (this.#emptyItems > EMPTY_ITEMS_MAX) throw new ValueError('holds too many empty items');
      }
    }
  }

  /** Reads what is nested one deeper. */
  nested<Value>(read: () => Value): Value {
    if (this.#depth === DEPTH_MAX) throw new ValueError('is nested too deeply');
    this.#depth += 1;
    const value = read();
    this.#depth -= 1;
    return value;
  }

  #skip(length: number): number {
    const from = this.#at;
    if (length < 0 || from + length > this.#bytes.length) throw new ValueError('is cut short');
    this.#at = from + length;
    return from;
  }
}
