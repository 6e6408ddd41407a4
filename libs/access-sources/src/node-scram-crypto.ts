import { createHmac, hash, pbkdf2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import {
  PASSWORD_KEY_BYTES,
  type HashCost,
  type PasswordHasher,
  type ScramCrypto,
  type ScramMechanism,
} from '#libs/access';

const DIGESTS = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' } as const;
const HASH_BYTES = { 'SCRAM-SHA-256': 32, 'SCRAM-SHA-512': 64 } as const;
const NONCE_BYTES = 18;

const stretch = promisify(pbkdf2);

/** ScramCrypto and PasswordHasher on node:crypto; passwords are stretched and hashed on the thread pool. */
export class NodeScramCrypto implements ScramCrypto, PasswordHasher {
  hash(mechanism: ScramMechanism, data: Uint8Array): Uint8Array {
    return hash(DIGESTS[mechanism], data, 'buffer');
  }

  hmac(mechanism: ScramMechanism, key: Uint8Array | string, data: Uint8Array | string): Uint8Array {
    return createHmac(DIGESTS[mechanism], key).update(data).digest();
  }

  isEqual(one: Uint8Array, other: Uint8Array): boolean {
    return one.length === other.length && timingSafeEqual(one, other);
  }

  stretch(
    mechanism: ScramMechanism,
    password: string,
    { salt, iterations }: { readonly salt: Uint8Array; readonly iterations: number },
  ): Promise<Uint8Array> {
    return stretch(password, salt, iterations, HASH_BYTES[mechanism], DIGESTS[mechanism]);
  }

  /** The key of a password, by scrypt. */
  hashPassword(
    password: string,
    salt: Uint8Array,
    { cost, blockSize, parallelism }: HashCost,
  ): Promise<Uint8Array> {
    const blocks = 2 ** cost;
    // Twice what it takes: the default bound is too low for most costs.
    const maxmem = 256 * blocks * blockSize;
    const options = { N: blocks, r: blockSize, p: parallelism, maxmem };
    return new Promise((resolve, reject) => {
      scrypt(password, salt, PASSWORD_KEY_BYTES, options, (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      });
    });
  }

  nonce(): string {
    return randomBytes(NONCE_BYTES).toString('base64');
  }
}
