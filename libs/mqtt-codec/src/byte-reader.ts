import { REASON, type ReasonCode } from './reason-code.ts';
import { decodeUtf8 } from './utf8.ts';
import {
  INCOMPLETE,
  decodeVariableByteInteger,
  variableByteIntegerBytes,
} from './variable-byte-integer.ts';

/** Why bytes are not a packet. The message is for logs and reason strings: it repeats nothing of the bytes. */
export interface DecodeFailure {
  readonly kind: 'failure';
  readonly reasonCode: ReasonCode;
  readonly message: string;
}

const NO_BYTES = Buffer.allocUnsafe(0);

/** Sees the bytes as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Reads fields one after the other, big-endian.
 *
 * @remarks The first failure sticks and moves the reader to its end; fields read after it are zero or empty. So a
 * decoder reads straight on and its caller looks at `failure` once. Any bytes are taken; nothing throws.
 */
export class ByteReader {
  #bytes: Buffer = NO_BYTES;
  offset = 0;
  end = 0;
  failure: DecodeFailure | undefined = undefined;

  constructor(bytes: Uint8Array = NO_BYTES) {
    this.open(asBuffer(bytes), 0, bytes.length);
  }

  /** Begins anew on another range of bytes. */
  open(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    this.offset = start;
    this.end = end;
    this.failure = undefined;
  }

  /** Lets go of the bytes. */
  close(): void {
    this.open(NO_BYTES, 0, 0);
  }

  /** What is read, and what lies around it. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Whether every byte was read, or reading has failed. */
  get isAtEnd(): boolean {
    return this.offset >= this.end;
  }

  /** Records why reading cannot go on, unless it had failed before. */
  fail(reasonCode: ReasonCode, message: string): void {
    this.failure ??= { kind: 'failure', reasonCode, message };
    this.offset = this.end;
  }

  /** Fails if bytes are left. */
  expectEnd(): void {
    if (!this.isAtEnd) this.fail(REASON.malformedPacket, 'bytes after the last field');
  }

  /** One byte. */
  byte(): number {
    const start = this.#skip(1);
    return start < 0 ? 0 : (this.#bytes[start] ?? 0);
  }

  /** A Two Byte Integer (section 1.5.2). */
  twoBytes(): number {
    const start = this.#skip(2);
    if (start < 0) return 0;
    return ((this.#bytes[start] ?? 0) << 8) | (this.#bytes[start + 1] ?? 0);
  }

  /** A Four Byte Integer (section 1.5.3). */
  fourBytes(): number {
    const high = this.twoBytes();
    return high * 0x1_0000 + this.twoBytes();
  }

  /** A Variable Byte Integer (section 1.5.5). */
  variableByteInteger(): number {
    const value = decodeVariableByteInteger(this.#bytes, this.offset, this.end);
    if (value >= 0) {
      this.offset += variableByteIntegerBytes(value);
      return value;
    }
    this.fail(
      REASON.malformedPacket,
      value === INCOMPLETE
        ? 'the packet ends within a field'
        : 'a variable byte integer is invalid',
    );
    return 0;
  }

  /** A UTF-8 Encoded String (section 1.5.4). */
  text(): string {
    const length = this.twoBytes();
    const start = this.#skip(length);
    if (start < 0) return '';
    const text = decodeUtf8(this.#bytes, start, start + length);
    if (text !== undefined) return text;
    this.fail(REASON.malformedPacket, 'a text is not well-formed UTF-8');
    return '';
  }

  /** Binary Data (section 1.5.6): a view. */
  binary(): Uint8Array {
    return this.view(this.twoBytes());
  }

  /** A view of the next bytes. */
  view(length: number): Uint8Array {
    const start = this.#skip(length);
    return start < 0 ? NO_BYTES : this.#bytes.subarray(start, start + length);
  }

  /** A view of all bytes that are left; none after a failure. */
  rest(): Uint8Array {
    return this.view(this.end - this.offset);
  }

  /** Moves on and returns where the field starts; -1 if the bytes end within it. */
  #skip(length: number): number {
    const start = this.offset;
    if (this.end - start < length) {
      this.fail(REASON.malformedPacket, 'the packet ends within a field');
      return -1;
    }
    this.offset = start + length;
    return start;
  }
}
