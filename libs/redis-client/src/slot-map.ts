import type { RedisAddress } from './redis-target.ts';
import { addressText } from './redis-target.ts';

const SLOTS = 16_384;

/** Which master of a Redis Cluster serves which slot, as one of its nodes said. */
export class SlotMap {
  /** The masters by their `host:port`. */
  readonly masters: ReadonlyMap<string, RedisAddress>;
  /** Masters and replicas. */
  readonly nodes: readonly RedisAddress[];
  readonly #masterOf: readonly (string | undefined)[];

  /**
   * @param reply - the reply of CLUSTER SLOTS.
   * @param asked - who gave it; stands for a node that does not know its own address.
   */
  constructor(reply: unknown, asked: RedisAddress) {
    const masters = new Map<string, RedisAddress>();
    const nodes: RedisAddress[] = [];
    const masterOf: (string | undefined)[] = Array.from({ length: SLOTS });
    for (const range of Array.isArray(reply) ? (reply as unknown[]) : []) {
      const [from, to, ...served] = range as [number, number, ...[string | null, number][]];
      const addresses = served.map(([host, port]) => ({ host: host || asked.host, port }));
      const [master] = addresses;
      if (master === undefined) continue;
      masters.set(addressText(master), master);
      nodes.push(...addresses);
      masterOf.fill(addressText(master), from, to + 1);
    }
    this.masters = masters;
    this.nodes = nodes;
    this.#masterOf = masterOf;
  }

  /** Whether every slot has a master. */
  get isWhole(): boolean {
    return !this.#masterOf.includes(undefined);
  }

  /** The `host:port` of the master of a key; undefined when nobody serves its slot. */
  masterOf(key: string): string | undefined {
    return this.#masterOf[keySlot(key)];
  }
}

/** The slot of a key: CRC-16 (XMODEM) of its hash tag, or of all of it. */
export function keySlot(key: string): number {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
    }
  }
  return crc % SLOTS;
}
