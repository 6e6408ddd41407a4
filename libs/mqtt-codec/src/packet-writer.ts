import { hasConnackFor } from './connack.ts';
import { firstByteOf } from './packet-name.ts';
import type { AckPacket, Packet, ProtocolVersion } from './packet.ts';
import { encodePacket } from './packet-encoder.ts';
import { DUP, type PublishTemplate } from './publish.ts';
import { REASON, type ReasonCode } from './reason-code.ts';

/** Templates from this size on are handed out as they are: a chunk more costs less than the copy. */
const BY_REFERENCE_BYTES_MIN = 4096;

/** A connection's first slab of a turn: as large as its last turn was, within bounds. Each further one of the turn is larger. */
const SLAB_BYTES_MIN = 256;
const FIRST_SLAB_BYTES_MAX = 4_096;
const SLAB_BYTES_MAX = 16_384;
const SLAB_GROWTH = 4;

const NO_SLAB = Buffer.allocUnsafe(0);

const FIRST_BYTES: Readonly<Record<AckPacket['kind'], number>> = {
  puback: firstByteOf('puback'),
  pubrec: firstByteOf('pubrec'),
  pubrel: firstByteOf('pubrel'),
  pubcomp: firstByteOf('pubcomp'),
};

/**
 * Collects what a server writes to one connection in one turn of the event loop.
 *
 * @remarks Small packets are packed into slabs, so that a turn's output is few chunks; the bytes of a template that is
 * alone in its turn or large are handed out without a copy. The order of writes is kept. Memory that {@link PacketWriter.take}
 * has handed out is never written again, and a writer from which all is taken holds no slab.
 */
export class PacketWriter {
  /** The version that packets are written in; templates must have been encoded for it. */
  version: ProtocolVersion;
  /** The largest packet that the peer takes; whoever writes a template has measured it. */
  packetBytesMax = Infinity;

  #chunks: Uint8Array[] = [];
  /** A small QoS 0 template, as long as nothing else is written: then there is no slab, so no room either. */
  #single: Uint8Array | undefined = undefined;
  #slab: Buffer = NO_SLAB;
  /** The range of the slab that is written and not yet among the chunks. */
  #start = 0;
  #end = 0;
  #pendingBytes = 0;
  /** What the last turn wrote: the next one is likely to be alike, and one chunk is cheaper to send than several. */
  #lastBytes = 0;

  constructor(version: ProtocolVersion = 4) {
    this.version = version;
  }

  /** Bytes written since the last take(). */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * Writes any packet.
   *
   * @remarks A packet that is too large for the peer is written without its reason string and user properties
   * [MQTT-3.2.2-19] [MQTT-3.2.2-20], or not at all [MQTT-3.1.2-24]. What a version before MQTT 5 has no packet for is
   * left out, too: DISCONNECT of a server, and CONNACK for some reasons; the closed connection says it.
   *
   * @returns whether it was written.
   */
  write(packet: Packet): boolean {
    if (packet.kind === 'disconnect' && this.version < 5) return false;
    if (packet.kind === 'connack' && !hasConnackFor(packet.reasonCode, this.version)) return false;
    let bytes = encodePacket(packet, this.version);
    if (bytes.length > this.packetBytesMax) bytes = encodePacket(brief(packet), this.version);
    if (bytes.length > this.packetBytesMax) return false;
    this.#append(bytes, bytes.length >= BY_REFERENCE_BYTES_MIN ? 0 : bytes.length);
    return true;
  }

  /** Writes PUBACK, PUBREC, PUBREL or PUBCOMP without properties, and allocates nothing for it. */
  writeAck(kind: AckPacket['kind'], packetId: number, reasonCode: ReasonCode): void {
    const isShort = reasonCode === REASON.success || this.version < 5;
    const size = isShort ? 4 : 5;
    if (size > this.packetBytesMax) return;
    const offset = this.#claim(size);
    const slab = this.#slab;
    slab[offset] = FIRST_BYTES[kind];
    slab[offset + 1] = size - 2;
    slab[offset + 2] = packetId >>> 8;
    slab[offset + 3] = packetId;
    if (!isShort) slab[offset + 4] = reasonCode;
  }

  /**
   * Writes a PUBLISH encoded before, with this delivery's packet identifier and DUP.
   *
   * @remarks Of a large one only what stands up to the packet identifier is copied.
   */
  writePublish(template: PublishTemplate, packetId: number, dup: boolean): void {
    const { bytes, packetIdOffset } = template;
    const isLarge = bytes.length >= BY_REFERENCE_BYTES_MIN;
    if (packetIdOffset === 0) {
      if (this.#pendingBytes === 0 && !isLarge) this.#hold(bytes);
      else this.#append(bytes, isLarge ? 0 : bytes.length);
      return;
    }
    const offset = this.#append(bytes, isLarge ? packetIdOffset + 2 : bytes.length);
    const slab = this.#slab;
    if (dup) slab[offset] = (bytes[0] ?? 0) | DUP;
    slab[offset + packetIdOffset] = packetId >>> 8;
    slab[offset + packetIdOffset + 1] = packetId;
  }

  /** Hands out all that was written, in chunks that now belong to the caller, and starts anew. */
  take(): Uint8Array[] {
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#slab = NO_SLAB;
    this.#start = 0;
    this.#end = 0;
    this.#lastBytes = this.#pendingBytes;
    this.#pendingBytes = 0;
    return chunks;
  }

  #hold(bytes: Uint8Array): void {
    this.#single = bytes;
    this.#pendingBytes = bytes.length;
  }

  /** Copies the first bytes into the slab, appends the others by reference, and returns where the copy begins. */
  #append(bytes: Uint8Array, copiedBytes: number): number {
    let offset = 0;
    if (copiedBytes > 0) {
      offset = this.#claim(copiedBytes);
      this.#slab.set(copiedBytes === bytes.length ? bytes : bytes.subarray(0, copiedBytes), offset);
    }
    if (copiedBytes < bytes.length) {
      this.#cut();
      this.#chunks.push(copiedBytes === 0 ? bytes : bytes.subarray(copiedBytes));
      this.#pendingBytes += bytes.length - copiedBytes;
    }
    return offset;
  }

  /** Takes room in the slab and returns where it begins. */
  #claim(size: number): number {
    if (this.#end + size > this.#slab.length) this.#openSlab(size);
    const offset = this.#end;
    this.#end = offset + size;
    this.#pendingBytes += size;
    return offset;
  }

  #openSlab(size: number): void {
    const single = this.#single;
    this.#single = undefined;
    this.#cut();
    const first = Math.min(this.#lastBytes, FIRST_SLAB_BYTES_MAX);
    const next = Math.min(
      Math.max(SLAB_GROWTH * this.#slab.length, first, SLAB_BYTES_MIN),
      SLAB_BYTES_MAX,
    );
    this.#slab = Buffer.allocUnsafe(Math.max(next, size + (single?.length ?? 0)));
    this.#start = 0;
    this.#end = single?.length ?? 0;
    if (single !== undefined) this.#slab.set(single);
  }

  /** Closes the chunk that is being written. */
  #cut(): void {
    if (this.#single !== undefined) {
      this.#chunks.push(this.#single);
      this.#single = undefined;
    } else if (this.#end > this.#start) {
      this.#chunks.push(this.#slab.subarray(this.#start, this.#end));
      this.#start = this.#end;
    }
  }
}

/** An answer without what only explains it; the properties of a message are its own, and stay. */
function brief(packet: Packet): Packet {
  if (packet.kind === 'publish' || !('properties' in packet)) return packet;
  const { properties: explained, ...bare } = packet;
  const properties: Record<string, unknown> = { ...explained };
  delete properties['reasonString'];
  delete properties['userProperties'];
  // What is left are properties that the packet may have.
  return (Object.keys(properties).length === 0 ? bare : { ...bare, properties }) as Packet;
}
