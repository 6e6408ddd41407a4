import { isIPv4, isIPv6 } from 'node:net';

/** What the first bytes of a connection from a proxy are. */
export type ProxyHeader =
  /** More bytes are needed. */
  | { readonly kind: 'partial' }
  /** They are no header. */
  | { readonly kind: 'faulty' }
  /** The header takes `bytes`; without an address the connection is the proxy's own, for example a health check. */
  | { readonly kind: 'complete'; readonly bytes: number; readonly address?: string };

const PARTIAL: ProxyHeader = { kind: 'partial' };
const FAULTY: ProxyHeader = { kind: 'faulty' };
/** A header of version 1 is a line of at most 107 bytes. */
const LINE_BYTES_MAX = 107;
/** More than any proxy has to tell, with a client certificate; the format would allow 64 KiB. */
const BLOCK_BYTES_MAX = 4_096;
const PREFIX = Buffer.from('PROXY ', 'latin1');
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
/** Signature, version and command, family and transport, length. */
const HEAD_BYTES = 16;
const LINE =
  /^PROXY (?:UNKNOWN(?: [^\r\n]*)?|(?<family>TCP[46]) (?<source>[\da-fA-F:.]+) [\da-fA-F:.]+ \d{1,5} \d{1,5})$/;
/** An IPv4 address among the IPv6 ones, as URLs write it. */
const MAPPED = /^::ffff:(?<high>[\da-f]{1,4}):(?<low>[\da-f]{1,4})$/;

/**
 * Reads a header of the PROXY protocol, version 1 or 2, from the first bytes of a connection.
 *
 * @remarks Pure, and bounded: it is never partial beyond 4,096 bytes. Addresses are written in one way only, so that they can be compared.
 */
export function readProxyHeader(data: Buffer): ProxyHeader {
  if (startsAlike(data, SIGNATURE)) return readBlock(data);
  return startsAlike(data, PREFIX) ? readLine(data) : FAULTY;
}

function startsAlike(data: Buffer, start: Buffer): boolean {
  const length = Math.min(data.length, start.length);
  return data.subarray(0, length).equals(start.subarray(0, length));
}

function readLine(data: Buffer): ProxyHeader {
  const end = data.subarray(0, LINE_BYTES_MAX).indexOf('\r\n');
  if (end === -1) return data.length < LINE_BYTES_MAX ? PARTIAL : FAULTY;
  const found = LINE.exec(data.toString('latin1', 0, end));
  if (found === null) return FAULTY;
  const { family, source = '' } = found.groups ?? {};
  const bytes = end + 2;
  if (family === undefined) return { kind: 'complete', bytes };
  if (family === 'TCP4') {
    return isIPv4(source) ? { kind: 'complete', bytes, address: source } : FAULTY;
  }
  return isIPv6(source) ? { kind: 'complete', bytes, address: plain(source) } : FAULTY;
}

function readBlock(data: Buffer): ProxyHeader {
  if (data.length < HEAD_BYTES) return PARTIAL;
  const [command = 0, family = 0] = data.subarray(SIGNATURE.length);
  const bytes = HEAD_BYTES + data.readUInt16BE(14);
  if (command >> 4 !== 2 || (command & 15) > 1 || bytes > BLOCK_BYTES_MAX) return FAULTY;
  if (data.length < bytes) return PARTIAL;
  if ((command & 15) === 0) return { kind: 'complete', bytes };
  const block = data.subarray(HEAD_BYTES, bytes);
  if (family === 0x11) {
    return block.length < 12
      ? FAULTY
      : { kind: 'complete', bytes, address: block.subarray(0, 4).join('.') };
  }
  if (family === 0x21) {
    return block.length < 36
      ? FAULTY
      : { kind: 'complete', bytes, address: plain(groupsOf(block)) };
  }
  // Unix sockets and what is unspecified have no address; a datagram is none of ours.
  return family === 0 || family === 0x31 ? { kind: 'complete', bytes } : FAULTY;
}

function groupsOf(block: Buffer): string {
  return Array.from({ length: 8 }, (_, at) => block.readUInt16BE(at * 2).toString(16)).join(':');
}

/** The shortest form of an IPv6 address; of an IPv4 address among them, that one. */
function plain(address: string): string {
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const { high, low } = MAPPED.exec(short)?.groups ?? {};
  if (high === undefined || low === undefined) return short;
  const [first, second] = [parseInt(high, 16), parseInt(low, 16)];
  return [first >> 8, first & 255, second >> 8, second & 255].join('.');
}
