import type { ScramMechanism } from './scram-mechanism.ts';

/** What SCRAM asks of a cryptographic library; the hash is the one in the mechanism's name. */
export interface ScramCrypto {
  /** `H()` of RFC 5802. */
  hash(mechanism: ScramMechanism, data: Uint8Array): Uint8Array;
  /** `HMAC()` of RFC 5802; a text counts as its UTF-8 bytes. */
  hmac(mechanism: ScramMechanism, key: Uint8Array | string, data: Uint8Array | string): Uint8Array;
  /** Compares in a time that does not depend on where the first difference is. */
  isEqual(one: Uint8Array, other: Uint8Array): boolean;
  /** `Hi()` of RFC 5802, which is PBKDF2: slow on purpose, so never on the event loop. */
  stretch(
    mechanism: ScramMechanism,
    password: string,
    options: { readonly salt: Uint8Array; readonly iterations: number },
  ): Promise<Uint8Array>;
  /** Fresh visible ASCII without commas, with at least 128 bits that nobody can guess. */
  nonce(): string;
}
