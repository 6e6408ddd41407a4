import type { SinkRecord } from './sink.ts';

/*
 * Layout of a record in the spool, numbers big endian; its time is that of the spool's entry:
 *
 *   uint8    version
 *   text     target
 *   bytes    key
 *   bytes    value
 *   float64  lane that it names, -1 for none
 *   uint8    whether it has a route, 0 or 1
 *   text     route, after a 1 only
 *   uint32   count of headers
 *   per header:
 *     uint8    0, or which of NAMES, from 1 on
 *     text     name, after a 0 only
 *     uint8    kind: 0 text, 1 bytes, 2 texts
 *     text | bytes | uint32 count and that many texts
 *
 * `bytes` is a uint32 length and so many bytes; `text` is the same in UTF-8.
 */
const VERSION = 1;
const LENGTH_BYTES = 4;
const LANE_BYTES = 8;
const NO_LANE = -1;
const KIND_TEXT = 0;
const KIND_BYTES = 1;
const KIND_TEXTS = 2;

/** Header names that nearly every record has. Only ever added to: spools outlive versions. */
const NAMES: readonly string[] = [
  'mqtt-topic',
  'mqtt-client-id',
  'mqtt-qos',
  'mqtt-retain',
  'mqtt-msg-id',
  'mqtt-node',
  'content-type',
  'response-topic',
  'correlation-data',
];
const CODES: ReadonlyMap<string, number> = new Map(NAMES.map((name, index) => [name, index + 1]));

/** A header as Object.entries() gives it. */
type Header = readonly [name: string, value: string | Buffer | readonly string[]];

/** Packs a record for the spool. */
export function encodeRecord(record: SinkRecord): Buffer {
  const { target, key, value, lane, route, headers } = record;
  const entries: readonly Header[] = Object.entries(headers);
  const routeBytes = 1 + (route === undefined ? 0 : sizeOf(route));
  const fixed = 1 + sizeOf(target) + sizeOf(key) + sizeOf(value) + LANE_BYTES + routeBytes;
  const size = entries.reduce((sum, each) => sum + headerSize(each), fixed + LENGTH_BYTES);
  const bytes = Buffer.allocUnsafe(size);
  let at = bytes.writeUInt8(VERSION, 0);
  at = write(bytes, at, target);
  at = write(bytes, at, key);
  at = write(bytes, at, value);
  at = bytes.writeDoubleBE(lane ?? NO_LANE, at);
  at = bytes.writeUInt8(route === undefined ? 0 : 1, at);
  if (route !== undefined) at = write(bytes, at, route);
  at = bytes.writeUInt32BE(entries.length, at);
  for (const entry of entries) at = writeHeader(bytes, at, entry);
  return bytes;
}

/**
 * Unpacks a record, whose key, value and binary headers share the bytes.
 *
 * @returns undefined when encodeRecord() of this version did not make it.
 */
export function decodeRecord(bytes: Uint8Array, timestampMs: number): SinkRecord | undefined {
  const reader = new Reader(bytes);
  if (reader.uint8() !== VERSION) return undefined;
  const target = reader.text();
  const key = reader.bytes();
  const value = reader.bytes();
  const lane = reader.float64();
  const route = reader.uint8() === 0 ? undefined : reader.text();
  const headers: [string, string | Buffer | string[]][] = [];
  for (let left = reader.uint32(); left > 0 && !reader.isBeyond; left -= 1) {
    headers.push([readName(reader), readValue(reader)]);
  }
  if (!reader.isAtEnd) return undefined;
  return {
    target,
    route,
    key,
    lane: lane === NO_LANE ? undefined : lane,
    value,
    headers: Object.fromEntries(headers),
    timestampMs,
  };
}

function sizeOf(content: string | Uint8Array): number {
  const length = typeof content === 'string' ? Buffer.byteLength(content) : content.length;
  return LENGTH_BYTES + length;
}

function headerSize([name, value]: Header): number {
  const size = 2 + (CODES.has(name) ? 0 : sizeOf(name));
  if (typeof value === 'string' || Buffer.isBuffer(value)) return size + sizeOf(value);
  return value.reduce((sum, text) => sum + sizeOf(text), size + LENGTH_BYTES);
}

function write(bytes: Buffer, at: number, content: string | Uint8Array): number {
  const from = at + LENGTH_BYTES;
  let length = content.length;
  if (typeof content === 'string') length = bytes.write(content, from);
  else bytes.set(content, from);
  bytes.writeUInt32BE(length, at);
  return from + length;
}

function writeHeader(bytes: Buffer, from: number, [name, value]: Header): number {
  const code = CODES.get(name) ?? 0;
  let at = bytes.writeUInt8(code, from);
  if (code === 0) at = write(bytes, at, name);
  if (typeof value === 'string') {
    return write(bytes, bytes.writeUInt8(KIND_TEXT, at), value);
  }
  if (Buffer.isBuffer(value)) return write(bytes, bytes.writeUInt8(KIND_BYTES, at), value);
  at = bytes.writeUInt32BE(value.length, bytes.writeUInt8(KIND_TEXTS, at));
  for (const text of value) at = write(bytes, at, text);
  return at;
}

function readName(reader: Reader): string {
  const code = reader.uint8();
  return code === 0 ? reader.text() : (NAMES[code - 1] ?? reader.fail(''));
}

function readValue(reader: Reader): string | Buffer | string[] {
  switch (reader.uint8()) {
    case KIND_TEXT:
      return reader.text();
    case KIND_BYTES:
      return reader.bytes();
    case KIND_TEXTS: {
      const texts: string[] = [];
      for (let left = reader.uint32(); left > 0 && !reader.isBeyond; left -= 1) {
        texts.push(reader.text());
      }
      return texts;
    }
    default:
      return reader.fail('');
  }
}

/** Reads on, and gives empty values beyond the end. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor({ buffer, byteOffset, length }: Uint8Array) {
    this.#bytes = Buffer.from(buffer, byteOffset, length);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  get isBeyond(): boolean {
    return this.#at > this.#bytes.length;
  }

  uint8(): number {
    const from = this.#skip(1);
    return this.isBeyond ? 0 : this.#bytes.readUInt8(from);
  }

  uint32(): number {
    const from = this.#skip(LENGTH_BYTES);
    return this.isBeyond ? 0 : this.#bytes.readUInt32BE(from);
  }

  float64(): number {
    const from = this.#skip(LANE_BYTES);
    return this.isBeyond ? 0 : this.#bytes.readDoubleBE(from);
  }

  bytes(): Buffer {
    const length = this.uint32();
    const from = this.#skip(length);
    return this.isBeyond ? Buffer.alloc(0) : this.#bytes.subarray(from, from + length);
  }

  text(): string {
    return this.bytes().toString();
  }

  /** What was read makes no sense: counts as beyond the end. */
  fail<Value>(value: Value): Value {
    this.#at = Infinity;
    return value;
  }

  #skip(length: number): number {
    const from = this.#at;
    this.#at += length;
    return from;
  }
}
