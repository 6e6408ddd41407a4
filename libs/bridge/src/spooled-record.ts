import type { SpoolEntry } from '#libs/broker-ports';
import { letterMark } from './dead-letter.ts';
import type { OutboundRecord } from './outbound-record.ts';
import { RECORD_OVERHEAD_BYTES } from './record-maker.ts';
import { decodeRecord } from './spool-record.ts';

/** A record as it comes out of a spool; undefined when it is none. */
export function spooledRecord({ sequence, bytes, atMs }: SpoolEntry): OutboundRecord | undefined {
  const record = decodeRecord(bytes, atMs);
  if (record === undefined) return undefined;
  const size = RECORD_OVERHEAD_BYTES + bytes.length;
  // A rule may give the header another value: then the order of a client that changes nodes is lost on the way over the disk.
  const { 'mqtt-client-id': client } = record.headers;
  const publisher = typeof client === 'string' ? client : '';
  const kept = { publisher, bytes: size, gate: undefined, sequence, place: 0, isDone: false };
  return { ...record, ...kept, letter: letterMark(record) };
}
