import net from 'node:net';

/** Networks that are not the internet's: of the machine, of links and sites, of carriers, for tests and for many receivers. */
const OWN = new net.BlockList();

for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  OWN.addSubnet(network, prefix, 'ipv4');
}

/** All that the internet has of IPv6 so far, without what leads to IPv4 addresses (Teredo, 6to4) or nowhere. */
const GLOBAL = new net.BlockList();
GLOBAL.addSubnet('2000::', 3, 'ipv6');
const EXCEPT = new net.BlockList();
EXCEPT.addSubnet('2001::', 23, 'ipv6');
EXCEPT.addSubnet('2001:db8::', 32, 'ipv6');
EXCEPT.addSubnet('2002::', 16, 'ipv6');
EXCEPT.addSubnet('3fff::', 20, 'ipv6');

/** Whether an address is one of the internet, not of the machine itself, its link or a private network. */
export function isPublicAddress(address: string): boolean {
  if (net.isIPv4(address)) return !OWN.check(address, 'ipv4');
  if (!net.isIPv6(address)) return false;
  return GLOBAL.check(address, 'ipv6') && !EXCEPT.check(address, 'ipv6');
}
