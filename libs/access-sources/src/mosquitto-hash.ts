import { SCRAM_ITERATIONS_MIN, formatScramCredential, parseScramCredential } from '#libs/access';
import { NodeScramCrypto } from './node-scram-crypto.ts';

const HASH =
  /^\$7\$(?<iterations>\d{1,8})\$(?<salt>[A-Za-z0-9+/]+=*)\$(?<key>[A-Za-z0-9+/]{86}==)$/;
const MECHANISM = 'SCRAM-SHA-512';

/** What is made of a hash of another broker; `weak`: it has fewer iterations than Skein takes. */
export type ForeignHash =
  { readonly kind: 'taken'; readonly credential: string } | { readonly kind: 'weak' };

/**
 * The credential that recognises the same password as a hash of mosquitto_passwd (`$7$`, PBKDF2 with SHA-512), which is what
 * SCRAM-SHA-512 derives its keys from. Undefined for what is no such hash.
 */
export function credentialOfMosquitto(text: string): ForeignHash | undefined {
  const groups = HASH.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const iterations = Number(groups['iterations']);
  if (iterations < SCRAM_ITERATIONS_MIN) return { kind: 'weak' };
  const crypto = new NodeScramCrypto();
  const salted = Buffer.from(groups['key'] ?? '', 'base64');
  const credential = formatScramCredential({
    ...{ mechanism: MECHANISM, iterations, salt: Buffer.from(groups['salt'] ?? '', 'base64') },
    storedKey: crypto.hash(MECHANISM, crypto.hmac(MECHANISM, salted, 'Client Key')),
    serverKey: crypto.hmac(MECHANISM, salted, 'Server Key'),
  });
  const isTaken = parseScramCredential(credential) !== undefined;
  return isTaken ? { kind: 'taken', credential } : undefined;
}
