const V4_BITS = 32;
const V6_BITS = 128;
/** `::ffff:0:0/96`: the IPv4 addresses among the IPv6 ones. */
const MAPPED = 0xffffn;

/** An address as a number. @internal */
export interface Address {
  /** 32 or 128. */
  readonly bits: number;
  readonly value: bigint;
}

/** A network of IPv4 or IPv6 addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address. An IPv4-mapped IPv6 address is the IPv4 one. */
export class AddressRange {
  /** How long its addresses are: 32 or 128 bits. */
  readonly bits: number;
  /** How many of them the addresses of the network have in common. */
  readonly prefixBits: number;
  /** Those, as a number. */
  readonly prefix: bigint;
  readonly #shift: bigint;

  private constructor({ bits, value }: Address, prefixBits: number) {
    this.bits = bits;
    this.prefixBits = prefixBits;
    this.#shift = BigInt(bits - prefixBits);
    this.prefix = value >> this.#shift;
  }

  /** The one way to write it: networks that are the same have the same text. */
  get text(): string {
    const { bits, prefixBits } = this;
    const value = this.prefix << this.#shift;
    const host = bits === V4_BITS ? formatV4(value) : formatV6(value);
    return prefixBits === bits ? host : `${host}/${String(prefixBits)}`;
  }

  /** @returns undefined for what is neither an address nor a network. */
  static parse(text: string): AddressRange | undefined {
    const [, host = '', prefix] = /^([^/%]+)(?:\/(\d{1,3}))?$/u.exec(text) ?? [];
    const address = parseAddress(host);
    if (address === undefined) return undefined;
    // A mapped network may be written with the bits of IPv6.
    const isMapped = address.bits === V4_BITS && host.includes(':');
    const own = prefix === undefined ? address.bits : Number(prefix) - (isMapped ? 96 : 0);
    if (own < 0 || own > address.bits) return undefined;
    return new AddressRange(address, own);
  }

  /** Whether an address is in the network; no for what is no address. */
  has(address: string): boolean {
    const parsed = parseClientAddress(address);
    return parsed?.bits === this.bits && parsed.value >> this.#shift === this.prefix;
  }
}

/** The address of a client, as a socket gives it: with a zone, perhaps. @internal */
export function parseClientAddress(address: string): Address | undefined {
  const [host = ''] = address.split('%', 1);
  return parseAddress(host);
}

function formatV4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
}

/** As RFC 5952 wants it: the longest run of zeros, of two groups at least, becomes `::`. */
function formatV6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  );
  const text = groups.join(':');
  let run = '';
  for (const [found] of text.matchAll(/(?<![\da-f])0(?::0)+(?![\da-f])/gu)) {
    if (found.length > run.length) run = found;
  }
  if (run === '') return text;
  const at = text.search(new RegExp(`(?<![\\da-f])${run}(?![\\da-f])`, 'u'));
  const [head, tail] = [text.slice(0, at), text.slice(at + run.length)];
  return `${head === '' ? ':' : head}${tail === '' ? ':' : tail}`;
}

/**
 * The network that stands for whoever has an address: an IPv4 address itself, of an IPv6 address its /64.
 *
 * @returns the text itself for what is no address.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const parsed = parseClientAddress(address);
  if (parsed === undefined) return address;
  const { bits, value } = parsed;
  return bits === V4_BITS ? formatV4(value) : `${(value >> 64n).toString(16)}::/64`;
}

function parseAddress(text: string): Address | undefined {
  const value = text.includes(':') ? parseV6(text) : parseV4(text);
  if (value === undefined) return undefined;
  if (!text.includes(':')) return { bits: V4_BITS, value };
  const isMapped = value >> BigInt(V4_BITS) === MAPPED;
  return isMapped ? { bits: V4_BITS, value: value & 0xffff_ffffn } : { bits: V6_BITS, value };
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    // No leading zeros: some read them as octal.
    if (!/^(?:0|[1-9]\d{0,2})$/u.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head = '', tail] = halves;
  const front = groupsOf(head);
  const back = tail === undefined ? [] : groupsOf(tail);
  if (front === undefined || back === undefined) return undefined;
  const missing = 8 - front.length - back.length;
  // `::` stands for one group at least.
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  let value = 0n;
  for (const group of [...front, ...Array.from({ length: missing }, () => 0n), ...back]) {
    value = (value << 16n) | group;
  }
  return value;
}

/** The groups of one side of `::`; the last two may be written as an IPv4 address. */
function groupsOf(text: string): readonly bigint[] | undefined {
  if (text === '') return [];
  const groups: bigint[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1 && part.includes('.')) {
      const value = parseV4(part);
      if (value === undefined) return undefined;
      groups.push(value >> 16n, value & 0xffffn);
    } else if (/^[\da-f]{1,4}$/iu.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
}
