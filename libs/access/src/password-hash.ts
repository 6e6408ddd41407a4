import { decodeBase64, encodeBase64 } from './base64.ts';

/** What `scrypt` (RFC 7914) costs: 2^`cost` blocks of `blockSize` times 128 bytes, `parallelism` times. */
export interface HashCost {
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelism: number;
}

/** A password as it is stored: enough to recognise it, of no use elsewhere. */
export interface PasswordHash extends HashCost {
  readonly salt: Uint8Array;
  readonly key: Uint8Array;
}

/** Hashes passwords: slow on purpose and hungry for memory, so never on the event loop, and few at a time. */
export interface PasswordHasher {
  /** The key of a password after saslprep(). */
  hashPassword(password: string, salt: Uint8Array, cost: HashCost): Promise<Uint8Array>;
}

/** Bytes of a salt. */
export const PASSWORD_SALT_BYTES = 16;
/** Bytes of a key. */
export const PASSWORD_KEY_BYTES = 32;

const COST_MIN = 10;
const COST_MAX = 18;

/** The cost of hashes that are made now. */
export function hashCostOf(cost: number): HashCost {
  return { cost, blockSize: 8, parallelism: 1 };
}

const HASH =
  /^\$scrypt\$ln=(?<cost>\d{1,2}),r=(?<blockSize>\d{1,2}),p=(?<parallelism>\d{1,2})\$(?<salt>[^$]+)\$(?<key>[^$]+)$/;

/** Reads the PHC string format, with padding; undefined for what is not that, or costs too little or too much. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const groups = HASH.exec(text)?.groups;
  const cost = Number(groups?.['cost']);
  const blockSize = Number(groups?.['blockSize']);
  const parallelism = Number(groups?.['parallelism']);
  const salt = decodeBase64(groups?.['salt'] ?? '');
  const key = decodeBase64(groups?.['key'] ?? '');
  if (!(cost >= COST_MIN && cost <= COST_MAX)) return undefined;
  if (blockSize !== 8 || parallelism < 1 || parallelism > 16) return undefined;
  if (salt?.length !== PASSWORD_SALT_BYTES || key?.length !== PASSWORD_KEY_BYTES) return undefined;
  return { cost, blockSize, parallelism, salt, key };
}

/** `$scrypt$ln=<cost>,r=<block size>,p=<parallelism>$<salt>$<key>`, bytes in base64. */
export function formatPasswordHash(hash: PasswordHash): string {
  const { cost, blockSize, parallelism, salt, key } = hash;
  const costs = `ln=${String(cost)},r=${String(blockSize)},p=${String(parallelism)}`;
  return `$scrypt$${costs}$${encodeBase64(salt)}$${encodeBase64(key)}`;
}
