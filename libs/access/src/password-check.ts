import { saslprep } from './saslprep.ts';
import { deriveScramCredential, saltOf, type ScramCredential } from './scram-credential.ts';
import type { ScramCrypto } from './scram-crypto.ts';
import { HASH_BYTES, SCRAM_MECHANISMS, type ScramMechanism } from './scram-mechanism.ts';

/** What passwords are checked with. */
export interface PasswordCheckParts {
  readonly crypto: ScramCrypto;
  /** Makes salts for users who do not exist: whoever knows it can tell them from others. */
  readonly saltSecret: string;
  /** Iterations that a user who does not exist seems to have: those of the others. */
  readonly iterations: number;
}

/** How a password was found. */
export type PasswordVerdict = 'right' | 'wrong' | 'busy';

/** Passwords being checked at a time; one more is refused as busy, so that the others are answered in time. */
const CHECKS_MAX = 1000;

/**
 * Checks passwords by SCRAM credentials.
 *
 * @remarks A password that was right is recognised without the slow derivation the next time, for fleets that come back at once.
 * All sources of a node share one, so that the bound holds for all of them.
 */
export class PasswordCheck {
  readonly crypto: ScramCrypto;
  readonly #parts: PasswordCheckParts;
  readonly #digestKey: string;
  /** Digests of passwords that were right, under a key of this process; forgotten with the credential. */
  readonly #verified = new WeakMap<ScramCredential, Uint8Array>();
  #checking = 0;

  constructor(parts: PasswordCheckParts) {
    this.#parts = parts;
    this.crypto = parts.crypto;
    this.#digestKey = parts.crypto.nonce();
  }

  /** Checks the password of a user who exists. */
  async check(
    credentials: readonly ScramCredential[],
    password: Uint8Array | undefined,
  ): Promise<PasswordVerdict> {
    const shown = passwordOf(password);
    const credential = preferredOf(credentials);
    if (shown === undefined || credential === undefined) return 'wrong';
    const { crypto } = this.#parts;
    const { mechanism, storedKey } = credential;
    const digest = crypto.hmac(mechanism, this.#digestKey, shown);
    const verified = this.#verified.get(credential);
    if (verified !== undefined && crypto.isEqual(verified, digest)) return 'right';
    const derived = await this.#derive(shown, credential);
    if (derived === undefined) return 'busy';
    if (!crypto.isEqual(derived.storedKey, storedKey)) return 'wrong';
    this.#verified.set(credential, digest);
    return 'right';
  }

  /** Costs what the check of a wrong password does: for a user who does not exist. */
  async pretend(
    username: string,
    password: Uint8Array | undefined,
  ): Promise<Exclude<PasswordVerdict, 'right'>> {
    const user = saslprep(username);
    const shown = passwordOf(password);
    if (user.kind === 'refused' || shown === undefined) return 'wrong';
    const decoy = this.decoyOf(SCRAM_MECHANISMS[0], user.text);
    return (await this.#derive(shown, decoy)) === undefined ? 'busy' : 'wrong';
  }

  /** The credential shown for a user who has none: always the same for a name, and never proven. */
  decoyOf(mechanism: ScramMechanism, user: string): ScramCredential {
    const { crypto, saltSecret, iterations } = this.#parts;
    const key = new Uint8Array(HASH_BYTES[mechanism]);
    return {
      mechanism,
      salt: saltOf(crypto, { mechanism, secret: saltSecret, user }),
      iterations,
      storedKey: key,
      serverKey: key,
    };
  }

  async #derive(
    password: string,
    credential: ScramCredential,
  ): Promise<ScramCredential | undefined> {
    if (this.#checking >= CHECKS_MAX) return undefined;
    this.#checking += 1;
    try {
      return await deriveScramCredential(this.#parts.crypto, password, credential);
    } finally {
      this.#checking -= 1;
    }
  }
}

function preferredOf(credentials: readonly ScramCredential[]): ScramCredential | undefined {
  const found = SCRAM_MECHANISMS.map((mechanism) =>
    credentials.find((each) => each.mechanism === mechanism),
  );
  return found.find((credential) => credential !== undefined);
}

/** The prepared text of a password; undefined for what nobody's password can be. */
function passwordOf(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const prepared = saslprep(text);
  return prepared.kind === 'prepared' ? prepared.text : undefined;
}
