import { createHmac, hash, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { ScramCrypto, ScramMechanism } from '#libs/access';

const DIGESTS = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' } as const;
const HASH_BYTES = { 'SCRAM-SHA-256': 32, 'SCRAM-SHA-512': 64 } as const;
const NONCE_BYTES = 18;

const stretch = promisify(pbkdf2);

/** ScramCrypto on node:crypto; passwords are stretched on the thread pool. */
export class NodeScramCrypto implements ScramCrypto {
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

  nonce(): string {
    return randomBytes(NONCE_BYTES).toString('base64');
  }
}
