import { randomBytes } from 'node:crypto';
import {
  Gate,
  PASSWORD_SALT_BYTES,
  SCRAM_MECHANISMS,
  deriveScramCredential,
  formatPasswordHash,
  formatScramCredential,
  hashCostOf,
  saslprep,
} from '#libs/access';
import { NodeScramCrypto } from './node-scram-crypto.ts';

/** What is made of a password. */
export interface CredentialOptions {
  /** Two to the power of it is what a hash takes of scrypt's blocks. */
  readonly hashCost: number;
  /** Iterations of SCRAM credentials. */
  readonly iterations: number;
  /** Whether the user may prove itself by SCRAM too: what is stored then is cheaper to try passwords on. */
  readonly scram: boolean;
}

/** The credentials of a password, or why it can be nobody's; `busy`: too many are being made. */
export type MadeCredentials =
  | { readonly kind: 'made'; readonly credentials: readonly string[] }
  | { readonly kind: 'refused'; readonly fault: string }
  | { readonly kind: 'busy' };

const WAITING_MAX = 64;

/** Makes what is stored of passwords, two at a time. */
export class StoredCredentials {
  readonly #crypto = new NodeScramCrypto();
  readonly #gate = new Gate(2, WAITING_MAX);

  /** Makes a hash of a password, and SCRAM credentials if they are wanted, with fresh salts. */
  async make(password: string, options: CredentialOptions): Promise<MadeCredentials> {
    const prepared = saslprep(password);
    if (prepared.kind === 'refused') return prepared;
    if (prepared.text === '') return { kind: 'refused', fault: 'is empty' };
    const credentials = await this.#gate.run(() => this.#make(prepared.text, options));
    return credentials === undefined ? { kind: 'busy' } : { kind: 'made', credentials };
  }

  async #make(password: string, options: CredentialOptions): Promise<readonly string[]> {
    const cost = hashCostOf(options.hashCost);
    const salt = randomBytes(PASSWORD_SALT_BYTES);
    const key = await this.#crypto.hashPassword(password, salt, cost);
    const credentials = [formatPasswordHash({ ...cost, salt, key })];
    for (const mechanism of options.scram ? SCRAM_MECHANISMS : []) {
      const how = { mechanism, salt: randomBytes(PASSWORD_SALT_BYTES), ...options };
      const credential = await deriveScramCredential(this.#crypto, password, how);
      credentials.push(formatScramCredential(credential));
    }
    return credentials;
  }
}
