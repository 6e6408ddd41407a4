import { decodeBatch } from '#libs/broker-ports';
import { decodeNumbers } from '../faults/payload.ts';

const ROUTED = 1;
const TAKEN = 3;
const KINDS = ['', 'routed', 'directed', 'taken', 'grouped'];

/** How a trace names the message in a payload: its publisher and its number. */
export function nameOf(payload: Uint8Array): string {
  if (payload.length < 8) return `"${Buffer.from(payload).toString()}"`;
  const { publisher, number } = decodeNumbers(payload);
  return messageName(publisher, number);
}

/** The same of a message that is known. */
export function messageName(publisher: number, number: number): string {
  return `m${String(publisher)}/${String(number)}`;
}

/** How a trace names a frame between nodes. */
export function describeFrame(bytes: Uint8Array): string {
  const [kind = 0, high = 0, low = 0] = bytes;
  const nameBytes = high * 256 + low;
  const name =
    kind === ROUTED ? '' : ` ${Buffer.from(bytes.subarray(3, 3 + nameBytes)).toString()}`;
  if (kind === TAKEN) return `taken${name}`;
  const batch = decodeBatch(bytes.subarray(kind === ROUTED ? 1 : 3 + nameBytes)) ?? [];
  return `${KINDS[kind] ?? '?'}${name} ${batch.map(({ payload }) => nameOf(payload)).join(' ')}`;
}
