import { ByteReader, asBuffer } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { isAsciiText } from './utf8.ts';

/** A name and a value; names may repeat and their order is kept [MQTT-3.3.2-18]. */
export type UserProperty = readonly [name: string, value: string];

/** The identifier of a user property (section 2.2.2.2). */
export const USER_PROPERTY = 0x26;

/** A view may keep this many bytes besides its own from being freed. */
const FOREIGN_BYTES_MAX = 1024;

/**
 * The user properties of a message in the order received [MQTT-3.3.2-18], as they stand in its bytes: most are passed on
 * and never read.
 *
 * @remarks They are checked when they are received; each iteration reads them anew. Immutable, as the bytes have to be.
 */
export class UserProperties implements Iterable<UserProperty> {
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;

  /**
   * Takes a range of bytes, without a copy, that holds whole user properties and nothing else.
   *
   * @internal
   */
  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  /** @throws RangeError if a text is longer than 65,535 bytes: the caller's bug. */
  static of(pairs: Iterable<UserProperty>): UserProperties {
    const writer = new ByteWriter(64);
    writeUserProperties(writer, pairs);
    return new UserProperties(writer.bytes, 0, writer.offset);
  }

  /** The user properties of several places, one after the other. */
  static join(runs: readonly UserProperties[]): UserProperties {
    const writer = new ByteWriter(64);
    for (const run of runs) run.writeTo(writer);
    return new UserProperties(writer.bytes, 0, writer.offset);
  }

  /** What they take in a packet. */
  get byteLength(): number {
    return this.#end - this.#start;
  }

  /** Name and value, one pair after the other. */
  *[Symbol.iterator](): IterableIterator<UserProperty> {
    const reader = new ByteReader();
    reader.open(this.#bytes, this.#start, this.#end);
    while (!reader.isAtEnd) {
      reader.byte();
      yield [reader.text(), reader.text()];
    }
  }

  /** The value of the first one with a name, which is of ASCII; the others are passed over unread. */
  get(name: string): string | undefined {
    const bytes = this.#bytes;
    let offset = this.#start;
    while (offset < this.#end) {
      const nameStart = offset + 3;
      const nameEnd = nameStart + lengthAt(bytes, offset + 1);
      const valueStart = nameEnd + 2;
      const valueEnd = valueStart + lengthAt(bytes, nameEnd);
      if (nameEnd - nameStart === name.length && isAt(bytes, nameStart, name)) {
        return bytes.toString('utf8', valueStart, valueEnd);
      }
      offset = valueEnd;
    }
    return undefined;
  }

  /** The same for a long time: with bytes of their own, unless hardly any others are kept by them. */
  compact(): UserProperties {
    const foreignBytes = this.#bytes.buffer.byteLength - this.byteLength;
    if (foreignBytes <= this.byteLength + FOREIGN_BYTES_MAX) return this;
    const bytes = asBuffer(new Uint8Array(this.#bytes.subarray(this.#start, this.#end)));
    return new UserProperties(bytes, 0, bytes.length);
  }

  /** For whoever looks at them: logs and differences in tests. */
  toJSON(): readonly UserProperty[] {
    return [...this];
  }

  /** Writes them as a packet has them. */
  writeTo(writer: ByteWriter): void {
    writer.range(this.#bytes, this.#start, this.#end);
  }
}

function lengthAt(bytes: Buffer, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

function isAt(bytes: Buffer, offset: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (bytes[offset + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

/** The value of the first user property with a name, which is of ASCII. */
export function userPropertyNamed(
  properties: UserProperties | readonly UserProperty[],
  name: string,
): string | undefined {
  if (properties instanceof UserProperties) return properties.get(name);
  for (const [each, value] of properties) if (each === name) return value;
  return undefined;
}

/**
 * Passes over user properties that follow each other, as long as their texts are of ASCII.
 *
 * @returns the offset of the first byte that is something else, or may be.
 */
export function passUserProperties(bytes: Buffer, start: number, end: number): number {
  let offset = start;
  while (offset < end && bytes[offset] === USER_PROPERTY) {
    const value = passText(bytes, offset + 1, end);
    if (value < 0) break;
    const next = passText(bytes, value, end);
    if (next < 0) break;
    offset = next;
  }
  return offset;
}

/** Where the text that begins here ends; -1 if it is not complete or not of ASCII. */
function passText(bytes: Buffer, offset: number, end: number): number {
  const start = offset + 2;
  if (start > end) return -1;
  const next = start + (((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0));
  return next <= end && isAsciiText(bytes, start, next) ? next : -1;
}

/** Writes user properties, each with its identifier. */
export function writeUserProperties(writer: ByteWriter, pairs: Iterable<UserProperty>): void {
  if (pairs instanceof UserProperties) return pairs.writeTo(writer);
  for (const [name, value] of pairs) {
    writer.byte(USER_PROPERTY);
    writer.text(name);
    writer.text(value);
  }
}
