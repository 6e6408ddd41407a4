import { decodeBase64, encodeBase64 } from './base64.ts';
import type { ScramCrypto } from './scram-crypto.ts';
import { HASH_BYTES, isScramMechanism, type ScramMechanism } from './scram-mechanism.ts';

/** RFC 7677, section 4. */
export const SCRAM_ITERATIONS_MIN = 4096;

const ITERATIONS_MAX = 10_000_000;
const SALT_BYTES = 16;
const SALT_BYTES_MIN = 8;
const SALT_BYTES_MAX = 1024;

/** What a server keeps of a password: enough to recognise it, not enough to log in elsewhere. */
export interface ScramCredential {
  readonly mechanism: ScramMechanism;
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/**
 * A salt for a user: the same every time, and unlike those of others.
 *
 * @remarks Whoever knows the secret can tell which users exist. The name is the one after saslprep().
 */
export function saltOf(
  crypto: ScramCrypto,
  {
    mechanism,
    secret,
    user,
  }: { readonly mechanism: ScramMechanism; readonly secret: string; readonly user: string },
): Uint8Array {
  return crypto.hmac(mechanism, secret, user).subarray(0, SALT_BYTES);
}

/**
 * Makes the credential of a password.
 *
 * @param password - after saslprep().
 */
export async function deriveScramCredential(
  crypto: ScramCrypto,
  password: string,
  options: Pick<ScramCredential, 'mechanism' | 'salt' | 'iterations'>,
): Promise<ScramCredential> {
  const { mechanism, salt, iterations } = options;
  const salted = await crypto.stretch(mechanism, password, { salt, iterations });
  const clientKey = crypto.hmac(mechanism, salted, 'Client Key');
  return {
    mechanism,
    salt,
    iterations,
    storedKey: crypto.hash(mechanism, clientKey),
    serverKey: crypto.hmac(mechanism, salted, 'Server Key'),
  };
}

const CREDENTIAL =
  /^(?<mechanism>SCRAM-SHA-(?:256|512))\$(?<iterations>\d{1,8}):(?<salt>[^$:]+)\$(?<storedKey>[^$:]+):(?<serverKey>[^$:]+)$/;

/** Reads the form in which PostgreSQL keeps credentials; undefined when it is not that, or weaker than it may be. */
export function parseScramCredential(text: string): ScramCredential | undefined {
  const groups = CREDENTIAL.exec(text)?.groups;
  const mechanism = groups?.['mechanism'] ?? '';
  const iterations = Number(groups?.['iterations']);
  const salt = decodeBase64(groups?.['salt'] ?? '');
  const storedKey = decodeBase64(groups?.['storedKey'] ?? '');
  const serverKey = decodeBase64(groups?.['serverKey'] ?? '');
  if (!isScramMechanism(mechanism)) return undefined;
  if (!salt || salt.length < SALT_BYTES_MIN || salt.length > SALT_BYTES_MAX) return undefined;
  if (iterations < SCRAM_ITERATIONS_MIN || iterations > ITERATIONS_MAX) return undefined;
  const bytes = HASH_BYTES[mechanism];
  if (storedKey?.length !== bytes || serverKey?.length !== bytes) return undefined;
  return { mechanism, salt, iterations, storedKey, serverKey };
}

/** `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`, bytes in base64. */
export function formatScramCredential(credential: ScramCredential): string {
  const { mechanism, iterations, salt, storedKey, serverKey } = credential;
  const keys = `${encodeBase64(storedKey)}:${encodeBase64(serverKey)}`;
  return `${mechanism}$${String(iterations)}:${encodeBase64(salt)}$${keys}`;
}
