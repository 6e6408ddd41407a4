import type { PingreqPacket, PingrespPacket } from './packet.ts';

/*
 * PINGREQ, PINGRESP (sections 3.12 and 3.13): the fixed header alone
 */

const PINGREQ: PingreqPacket = Object.freeze({ kind: 'pingreq' });
const PINGRESP: PingrespPacket = Object.freeze({ kind: 'pingresp' });

/** Decodes PINGREQ, which holds nothing. */
export function decodePingreq(): PingreqPacket {
  return PINGREQ;
}

/** Decodes PINGRESP, which holds nothing. */
export function decodePingresp(): PingrespPacket {
  return PINGRESP;
}
