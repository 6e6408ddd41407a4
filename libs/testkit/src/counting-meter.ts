import type { Meter } from '#libs/broker-ports';

/** A meter that counts how often each of its methods was called. */
export interface CountingMeter {
  readonly meter: Meter;
  /** Calls by method name. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Makes a meter for a test. */
export function countingMeter(): CountingMeter {
  const counts = new Map<string, number>();
  const count = (_target: object, name: string | symbol) => () => {
    counts.set(String(name), (counts.get(String(name)) ?? 0) + 1);
  };
  return { meter: new Proxy({}, { get: count }) as Meter, counts };
}
