import type { Meter, NodeTotals } from '#libs/broker-ports';

/** A meter that counts how often each of its methods was called, and drops one by one; its totals are these counts. */
export interface CountingMeter {
  readonly meter: Meter;
  /** Calls by method name; under `deliveryDropped` the deliveries that were not made. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Makes a meter for a test. */
export function countingMeter(): CountingMeter {
  const counts = new Map<string, number>();
  const called = (name: keyof Meter): number => counts.get(name) ?? 0;
  const totals = (): NodeTotals => ({
    connects: called('connectFinished'),
    packetsReceived: called('packetReceived'),
    packetsSent: called('packetSent'),
    bytesReceived: called('bytesReceived'),
    bytesSent: called('bytesSent'),
    publishReceived: called('publishReceived'),
    publishSent: called('publishSent'),
    publishBytesReceived: 0,
    publishBytesSent: 0,
    deliveriesDropped: called('deliveryDropped'),
    queueFullDropped: 0,
    sessionsExpired: 0,
  });
  const count =
    (_target: object, name: string | symbol) =>
    (...[, amount]: readonly unknown[]) => {
      const more = name === 'deliveryDropped' ? Number(amount) : 1;
      counts.set(String(name), (counts.get(String(name)) ?? 0) + more);
    };
  const get = (target: object, name: string | symbol): unknown =>
    name === 'totals' ? totals : count(target, name);
  return { meter: new Proxy({}, { get }) as Meter, counts };
}
