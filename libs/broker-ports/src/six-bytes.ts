import type { ByteReader, ByteWriter } from '#libs/mqtt-codec';
import type { NodeRef } from './message.ts';

const TWO_TO_32 = 0x1_0000_0000;

/** Writes an integer below 2^48: a time in milliseconds, a count. */
export function writeSixBytes(writer: ByteWriter, value: number): void {
  writer.twoBytes(Math.floor(value / TWO_TO_32));
  writer.fourBytes(value % TWO_TO_32);
}

/** Reads what {@link writeSixBytes} wrote. */
export function readSixBytes(reader: ByteReader): number {
  const high = reader.twoBytes();
  return high * TWO_TO_32 + reader.fourBytes();
}

/** Writes an incarnation: text node id, 6 bytes incarnation. */
export function writeNode(writer: ByteWriter, { nodeId, incarnation }: NodeRef): void {
  writer.text(nodeId);
  writeSixBytes(writer, incarnation);
}

/** Reads what {@link writeNode} wrote. */
export function readNode(reader: ByteReader): NodeRef {
  return { nodeId: reader.text(), incarnation: readSixBytes(reader) };
}
