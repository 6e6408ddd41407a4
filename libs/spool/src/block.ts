import type { SpoolEntry } from '#libs/broker-ports';
import type { SpoolBlock } from './spool-store.ts';

/*
 * Layout of a block, numbers big endian:
 *
 *   uint32   count of records
 *   per record:
 *     uint32   length
 *     float64  when it was appended (ms since 1970)
 *     bytes
 */
const COUNT_BYTES = 4;
const LENGTH_BYTES = 4;
const FRAME_BYTES = LENGTH_BYTES + 8;

/** A record that is on its way into a block. */
export interface UnstoredRecord {
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

/** What a record adds to a block. */
export function recordBytes(bytes: Uint8Array): number {
  return FRAME_BYTES + bytes.length;
}

/** Packs records into one block. */
export function encodeBlock(records: readonly UnstoredRecord[]): Uint8Array {
  const size = records.reduce((sum, { bytes }) => sum + recordBytes(bytes), COUNT_BYTES);
  const block = new Uint8Array(size);
  const view = new DataView(block.buffer);
  view.setUint32(0, records.length);
  let at = COUNT_BYTES;
  for (const { bytes, atMs } of records) {
    view.setUint32(at, bytes.length);
    view.setFloat64(at + LENGTH_BYTES, atMs);
    block.set(bytes, at + FRAME_BYTES);
    at += recordBytes(bytes);
  }
  return block;
}

/** How many records a block says it has. */
export function blockCount({ bytes }: SpoolBlock): number {
  return bytes.length < COUNT_BYTES ? 0 : viewOf(bytes).getUint32(0);
}

/**
 * The records of a block, whose bytes they share.
 *
 * @returns undefined when encodeBlock() did not make it.
 */
export function decodeBlock(block: SpoolBlock): SpoolEntry[] | undefined {
  const { bytes, last } = block;
  const view = viewOf(bytes);
  const count = blockCount(block);
  const entries: SpoolEntry[] = [];
  let at = COUNT_BYTES;
  for (let sequence = last - count + 1; sequence <= last; sequence += 1) {
    const from = at + FRAME_BYTES;
    at = from > bytes.length ? from : from + view.getUint32(at);
    if (at > bytes.length) break;
    const atMs = view.getFloat64(from - FRAME_BYTES + LENGTH_BYTES);
    entries.push({ sequence, atMs, bytes: bytes.subarray(from, at) });
  }
  return count === 0 || at !== bytes.length ? undefined : entries;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
