import type { Message } from 'kafkajs';

/** Most bytes of a varint that carries 32 bits. */
const VARINT_BYTES_MAX = 5;
const VARLONG_BYTES_MAX = 10;
/** The numbers that take one byte, and those that take two, once zigzag has doubled them. */
const ONE_BYTE_MAX = 63;
const TWO_BYTES_MAX = 8_191;
const UTF8_BYTES_MAX = 3;
const INT32_MAX = 0x7fff_ffff;

/**
 * Writes the records of a batch one after the other into one buffer: Kafka's record format of version 2.
 *
 * @see https://kafka.apache.org/documentation/#record
 */
export class RecordWriter {
  #bytes: Buffer;
  #at = 0;
  #count = 0;

  /** @param bytesLikely - how much to make room for at first. */
  constructor(bytesLikely: number) {
    this.#bytes = Buffer.allocUnsafe(bytesLikely);
  }

  /** What has been written. */
  get buffer(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** Adds a record, whose timestamp is `deltaMs` after that of the batch. */
  add({ key, value, headers = {} }: Message, deltaMs: number): void {
    this.#ensure(1 + VARLONG_BYTES_MAX + 2 * VARINT_BYTES_MAX);
    const start = this.#reserve(TWO_BYTES_MAX);
    this.#bytes[this.#at++] = 0;
    this.#varlong(deltaMs);
    this.#varint(this.#count);
    this.#field(key);
    this.#field(value);
    this.#headers(headers);
    this.#close(start, TWO_BYTES_MAX);
    this.#count += 1;
  }

  #headers(headers: NonNullable<Message['headers']>): void {
    let count = 0;
    for (const name in headers) {
      const header = headers[name];
      count += Array.isArray(header) ? header.length : 1;
    }
    this.#ensure(VARINT_BYTES_MAX);
    this.#varint(count);
    for (const name in headers) {
      const header = headers[name];
      if (!Array.isArray(header)) {
        this.#text(name);
        this.#field(header);
      } else {
        for (const value of header) {
          this.#text(name);
          this.#field(value);
        }
      }
    }
  }

  #field(field: string | Buffer | null | undefined): void {
    if (typeof field === 'string') return this.#text(field);
    const length = field?.length ?? -1;
    this.#ensure(VARINT_BYTES_MAX + Math.max(0, length));
    this.#varint(length);
    if (field === null || field === undefined) return;
    this.#bytes.set(field, this.#at);
    this.#at += length;
  }

  #text(text: string): void {
    this.#ensure(VARINT_BYTES_MAX + UTF8_BYTES_MAX * text.length);
    const start = this.#reserve(text.length);
    this.#at += this.#bytes.write(text, this.#at);
    this.#close(start, text.length);
  }

  /** Leaves as much room as the length takes that is likely to come before what is written next. */
  #reserve(likely: number): number {
    const start = this.#at;
    this.#at += varintBytes(likely);
    return start;
  }

  /** Writes the length of what has come since, and moves that if its length takes other room than was left. */
  #close(start: number, likely: number): void {
    const from = start + varintBytes(likely);
    const length = this.#at - from;
    const to = start + varintBytes(length);
    this.#ensure(VARINT_BYTES_MAX);
    if (to !== from) this.#bytes.copyWithin(to, from, this.#at);
    this.#at = start;
    this.#varint(length);
    this.#at = to + length;
  }

  /** A whole number of 32 bits; there is room for it. */
  #varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  #varlong(value: number): void {
    if (Math.abs(value) <= INT32_MAX) return this.#varint(value);
    const wide = BigInt(value);
    let rest = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n));
    while (rest > 0x7fn) {
      this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#at++] = Number(rest);
  }

  #ensure(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#at + bytes));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

/** How many bytes the varint of a length takes. */
function varintBytes(length: number): number {
  if (length <= ONE_BYTE_MAX) return 1;
  if (length <= TWO_BYTES_MAX) return 2;
  return Math.ceil((33 - Math.clz32(length)) / 7);
}
