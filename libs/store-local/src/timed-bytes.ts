import type { TableFormat } from './journal.ts';

/** Something encoded, so that it pins nothing and its size is known, and a time. */
export interface TimedBytes {
  readonly dueAtMs: number;
  readonly bytes: Uint8Array;
}

const TIME_BYTES = 8;

/** A table of such values: the time as a double, and the bytes behind it. */
export function timedFormat(table: number): TableFormat<TimedBytes> {
  return {
    table,
    encode: ({ dueAtMs, bytes }) => {
      const value = Buffer.allocUnsafe(TIME_BYTES + bytes.length);
      value.writeDoubleBE(dueAtMs);
      value.set(bytes, TIME_BYTES);
      return value;
    },
    decode: (bytes) => {
      if (bytes.length <= TIME_BYTES) return undefined;
      const value = Buffer.from(bytes);
      return { dueAtMs: value.readDoubleBE(), bytes: value.subarray(TIME_BYTES) };
    },
  };
}
