import { decodeAck } from './ack.ts';
import { decodeAuth } from './auth.ts';
import { ByteReader, asBuffer, type DecodeFailure } from './byte-reader.ts';
import { decodeConnack } from './connack.ts';
import { decodeConnect } from './connect.ts';
import { decodeDisconnect } from './disconnect.ts';
import { packetNameOf, reservedFlagsOf, type PacketName } from './packet-name.ts';
import type { Packet, ProtocolVersion } from './packet.ts';
import { decodePingreq, decodePingresp } from './ping.ts';
import { decodePublish } from './publish.ts';
import { REASON, type ReasonCode } from './reason-code.ts';
import { decodeSuback } from './suback.ts';
import { decodeSubscribe } from './subscribe.ts';
import { decodeUnsuback } from './unsuback.ts';
import { decodeUnsubscribe } from './unsubscribe.ts';
import {
  INCOMPLETE,
  MALFORMED,
  decodeVariableByteInteger,
  variableByteIntegerBytes,
} from './variable-byte-integer.ts';

/** The lower half of the first byte. */
const FLAGS = 0x0f;

const NO_BYTES = Buffer.allocUnsafe(0);

/** What a packet that spans chunks is given at first: enough for most. */
const PARTIAL_BYTES_MIN = 64;

/** One reader serves all decoders: decoding neither waits nor calls back. */
const READER = new ByteReader();

/** What a {@link PacketDecoder} must know from the start. */
export interface PacketDecoderOptions {
  /** See {@link PacketDecoder.packetBytesMax}. */
  readonly packetBytesMax: number;
}

/**
 * Turns the bytes of one connection into packets, however they are cut into chunks.
 *
 * @remarks Call {@link PacketDecoder.push} with a chunk, then {@link PacketDecoder.read} until it gives undefined; the
 * decoder then holds no chunk, only a copy of the last, unfinished packet. Payloads and other binary values are views
 * of the chunk when the packet lay in it whole. Every byte is copied at most twice, however small the chunks are.
 * No bytes make it throw. After a failure the decoder stays failed and drops what it is given: the connection is over.
 *
 * @example
 * ```ts
 * decoder.push(chunk);
 * for (let packet = decoder.read(); packet !== undefined; packet = decoder.read()) {
 *   if (packet.kind === 'failure') return close(packet.reasonCode);
 *   handle(packet);
 * }
 * ```
 */
export class PacketDecoder {
  /**
   * The largest packet accepted, fixed header included; a larger one fails as packetTooLarge as soon as its length is
   * known. May be changed between reads: small before authentication, larger after.
   */
  packetBytesMax: number;

  #version: ProtocolVersion = 4;
  #isVersionKnown = false;
  #failure: DecodeFailure | undefined = undefined;

  #chunk: Buffer = NO_BYTES;
  #offset = 0;
  /** Chunks pushed before earlier ones were read to their end. */
  #waiting: Buffer[] = [];
  #waitingIndex = 0;

  /** The beginning of a packet that its chunk did not hold whole; grows with what arrives, not with what is announced. */
  #partial: Buffer = NO_BYTES;
  #partialBytes = 0;
  #bufferedBytes = 0;

  constructor(options: PacketDecoderOptions) {
    this.packetBytesMax = options.packetBytesMax;
  }

  /**
   * The version of the connection: what CONNECT said, even a malformed one. Until then only CONNECT is accepted.
   * The client's side, which sent CONNECT, sets it.
   */
  get version(): ProtocolVersion {
    return this.#version;
  }

  set version(version: ProtocolVersion) {
    this.#version = version;
    this.#isVersionKnown = true;
  }

  /** Bytes received and not yet read as packets. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Takes the next bytes of the connection. They must not change until read() has given undefined. */
  push(chunk: Uint8Array): void {
    if (this.#failure !== undefined) return;
    this.#bufferedBytes += chunk.length;
    if (this.#offset < this.#chunk.length) {
      this.#waiting.push(asBuffer(chunk));
    } else {
      this.#chunk = asBuffer(chunk);
      this.#offset = 0;
    }
  }

  /** The next packet, the failure that ended the connection, or undefined when more bytes are needed. */
  read(): Packet | DecodeFailure | undefined {
    if (this.#failure !== undefined) return this.#failure;
    do {
      const packet = this.#partialBytes === 0 ? this.#readWhole() : this.#readPartial();
      if (packet !== undefined) return packet;
    } while (this.#nextChunk());
    return undefined;
  }

  #nextChunk(): boolean {
    this.#offset = 0;
    const next = this.#waiting[this.#waitingIndex];
    if (next === undefined) {
      this.#chunk = NO_BYTES;
      if (this.#waitingIndex > 0) this.#waiting = [];
      this.#waitingIndex = 0;
      return false;
    }
    this.#chunk = next;
    this.#waitingIndex += 1;
    return true;
  }

  /** Reads a packet out of the chunk; sets it aside if its end is missing. */
  #readWhole(): Packet | DecodeFailure | undefined {
    const start = this.#offset;
    const available = this.#chunk.length - start;
    if (available === 0) return undefined;
    const size = this.#packetBytes(this.#chunk, start, this.#chunk.length);
    if (size === MALFORMED) return this.#failure;
    if (size === INCOMPLETE || size > available) {
      this.#take(available, size);
      return undefined;
    }
    this.#offset = start + size;
    return this.#decode(this.#chunk, start, size);
  }

  /** Goes on with a packet that began in an earlier chunk. */
  #readPartial(): Packet | DecodeFailure | undefined {
    let size = this.#packetBytes(this.#partial, 0, this.#partialBytes);
    while (size === INCOMPLETE) {
      if (this.#offset === this.#chunk.length) return undefined;
      this.#take(1, size);
      size = this.#packetBytes(this.#partial, 0, this.#partialBytes);
    }
    if (size === MALFORMED) return this.#failure;
    this.#take(Math.min(size - this.#partialBytes, this.#chunk.length - this.#offset), size);
    if (this.#partialBytes < size) return undefined;
    const bytes = this.#partial;
    this.#partial = NO_BYTES;
    this.#partialBytes = 0;
    return this.#decode(bytes, 0, size);
  }

  /** Moves bytes of the chunk to the partial packet, whose size may be INCOMPLETE still. */
  #take(count: number, size: number): void {
    const needed = this.#partialBytes + count;
    if (needed > this.#partial.length) {
      const capacity = Math.max(needed, 2 * this.#partial.length, PARTIAL_BYTES_MIN);
      const grown = Buffer.allocUnsafe(size === INCOMPLETE ? capacity : Math.min(capacity, size));
      this.#partial.copy(grown, 0, 0, this.#partialBytes);
      this.#partial = grown;
    }
    this.#chunk.copy(this.#partial, this.#partialBytes, this.#offset, this.#offset + count);
    this.#partialBytes = needed;
    this.#offset += count;
  }

  /** The size of the packet that starts here, fixed header included; INCOMPLETE; or MALFORMED once it has failed. */
  #packetBytes(bytes: Buffer, start: number, end: number): number {
    const firstByte = bytes[start] ?? 0;
    const name = packetNameOf(firstByte);
    if (!this.#isVersionKnown && name !== 'connect') {
      return this.#reject(REASON.protocolError, 'the first packet is not CONNECT [MQTT-3.1.0-1]');
    }
    if (name === undefined || (name === 'auth' && this.#version < 5)) {
      return this.#reject(REASON.malformedPacket, 'the packet type is reserved');
    }
    if (name !== 'publish' && !mayHaveFlags(name, firstByte & FLAGS, this.#version)) {
      return this.#reject(REASON.malformedPacket, 'reserved flags are set [MQTT-2.1.3-1]');
    }
    const remainingLength = decodeVariableByteInteger(bytes, start + 1, end);
    if (remainingLength === INCOMPLETE) return INCOMPLETE;
    if (remainingLength === MALFORMED) {
      return this.#reject(REASON.malformedPacket, 'the remaining length is invalid');
    }
    const size = 1 + variableByteIntegerBytes(remainingLength) + remainingLength;
    if (size > this.packetBytesMax) {
      return this.#reject(REASON.packetTooLarge, 'the packet is larger than allowed');
    }
    return size;
  }

  #decode(bytes: Buffer, start: number, size: number): Packet | DecodeFailure {
    this.#bufferedBytes -= size;
    const firstByte = bytes[start] ?? 0;
    READER.open(bytes, bodyOffset(bytes, start), start + size);
    const packet = decodeBody(firstByte, this.#version);
    READER.expectEnd();
    const { failure } = READER;
    READER.close();
    // A second CONNECT is an error [MQTT-3.1.0-2], and the client is told so in the version of the first.
    if (packet.kind === 'connect' && !this.#isVersionKnown) this.version = packet.version;
    return failure === undefined ? packet : this.#fail(failure);
  }

  #reject(reasonCode: ReasonCode, message: string): typeof MALFORMED {
    this.#fail({ kind: 'failure', reasonCode, message });
    return MALFORMED;
  }

  #fail(failure: DecodeFailure): DecodeFailure {
    this.#failure = failure;
    this.#chunk = NO_BYTES;
    this.#waiting = [];
    this.#partial = NO_BYTES;
    this.#bufferedBytes = 0;
    return failure;
  }
}

/** Where the fixed header ends, which is known to be complete and valid. */
function bodyOffset(bytes: Buffer, start: number): number {
  let offset = start + 1;
  while ((bytes[offset] ?? 0) > 0x7f) offset += 1;
  return offset + 1;
}

/** Decodes what is in READER. The packet means something only if the reader has not failed. */
function decodeBody(firstByte: number, version: ProtocolVersion): Packet {
  const name = packetNameOf(firstByte) ?? 'connect';
  switch (name) {
    case 'publish':
      return decodePublish(READER, firstByte & FLAGS, version);
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return decodeAck(READER, name, version);
    case 'pingreq':
      return decodePingreq();
    case 'pingresp':
      return decodePingresp();
    case 'subscribe':
      return decodeSubscribe(READER, version);
    case 'suback':
      return decodeSuback(READER, version);
    case 'unsubscribe':
      return decodeUnsubscribe(READER, version);
    case 'unsuback':
      return decodeUnsuback(READER, version);
    case 'connect':
      return decodeConnect(READER);
    case 'connack':
      return decodeConnack(READER, version);
    case 'disconnect':
      return decodeDisconnect(READER, version);
    case 'auth':
      return decodeAuth(READER);
  }
}

/** MQTT 3.1 gives most flags no meaning, and marks a retry with DUP: there they may be anything. */
function mayHaveFlags(
  name: Exclude<PacketName, 'publish'>,
  flags: number,
  version: ProtocolVersion,
): boolean {
  return flags === reservedFlagsOf(name) || (version === 3 && name !== 'connect');
}
