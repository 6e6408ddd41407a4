import net from 'node:net';
import { isPublicAddress } from './public-address.ts';

/** Why nothing is posted to a URL. */
export interface PlaceFault {
  readonly kind: 'private' | 'plain';
  readonly problem: string;
}

/**
 * What can be told of an endpoint without looking up its name: addresses of the machine, its link and private networks are refused, and what goes
 * over the internet is to be encrypted. Undefined when nothing speaks against it.
 */
export function placeFault({ protocol, hostname }: URL): PlaceFault | undefined {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const isOwn = host === 'localhost' || host.endsWith('.localhost');
  if (isOwn || (net.isIP(host) !== 0 && !isPublicAddress(host))) {
    return { kind: 'private', problem: `leads to ${host}, which is no address of the internet` };
  }
  if (protocol === 'https:') return undefined;
  return { kind: 'plain', problem: 'would carry secrets over the internet as they are' };
}
