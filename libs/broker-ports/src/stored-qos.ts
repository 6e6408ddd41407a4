import type { QoS } from '#libs/mqtt-codec';

/** @internal The QoS that two bits of a flags byte say; undefined for 3. */
export function qosOf(bits: number): QoS | undefined {
  return bits === 0 || bits === 1 || bits === 2 ? bits : undefined;
}
