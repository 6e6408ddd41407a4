import type { AuthExchange, Authenticator, Login, LoginVerdict } from './authenticator.ts';
import { saslprep } from './saslprep.ts';
import {
  deriveScramCredential,
  saltOf,
  type ScramCredential,
  type ScramCredentials,
} from './scram-credential.ts';
import type { ScramCrypto } from './scram-crypto.ts';
import { ScramExchange } from './scram-exchange.ts';
import {
  HASH_BYTES,
  SCRAM_MECHANISMS,
  isScramMechanism,
  type ScramMechanism,
} from './scram-mechanism.ts';

/** What users are authenticated with. */
export interface UserAuthenticatorParts {
  readonly credentials: ScramCredentials;
  readonly crypto: ScramCrypto;
  /** Makes salts for users who do not exist: whoever knows it can tell them from others. */
  readonly saltSecret: string;
  /** Iterations that a user who does not exist seems to have: those of the others. */
  readonly iterations: number;
}

/** Logins being verified at a time; one more is refused as busy, so that the others are answered in time. */
const VERIFICATIONS_MAX = 1000;
const CREDENTIALS_WRONG: LoginVerdict = { kind: 'denied', reason: 'credentials' };

/**
 * Authenticates users by SCRAM credentials: by an exchange in MQTT 5, by user name and password in every version.
 *
 * @remarks A user who does not exist costs the same time and gets the same answers as one with a wrong password.
 * A password that was right is recognised without the slow derivation the next time, for fleets that come back at once.
 */
export class UserAuthenticator implements Authenticator {
  readonly #parts: UserAuthenticatorParts;
  readonly #digestKey: string;
  /** Digests of passwords that were right, under a key of this process; forgotten with the credential. */
  readonly #verified = new WeakMap<ScramCredential, Uint8Array>();
  #verifying = 0;

  constructor(parts: UserAuthenticatorParts) {
    this.#parts = parts;
    this.#digestKey = parts.crypto.nonce();
  }

  exchange(method: string): AuthExchange | undefined {
    if (!isScramMechanism(method)) return undefined;
    const { credentials, crypto } = this.#parts;
    return new ScramExchange(method, { credentials, crypto, decoyOf: this.#decoyOf });
  }

  async login({ username, password }: Login): Promise<LoginVerdict> {
    if (username === undefined) return { kind: 'denied', reason: 'anonymous' };
    const user = saslprep(username);
    const secret = passwordOf(password);
    if (user.kind === 'refused' || secret === undefined) return CREDENTIALS_WRONG;
    if (this.#verifying >= VERIFICATIONS_MAX) return { kind: 'busy' };
    this.#verifying += 1;
    try {
      const isRight = await this.#verify(user.text, secret);
      return isRight ? { kind: 'allowed', user: user.text } : CREDENTIALS_WRONG;
    } finally {
      this.#verifying -= 1;
    }
  }

  async #verify(user: string, password: string): Promise<boolean> {
    const { crypto } = this.#parts;
    const found = await this.#find(user);
    const credential = found ?? this.#decoyOf(SCRAM_MECHANISMS[0], user);
    const { mechanism, storedKey } = credential;
    const digest = crypto.hmac(mechanism, this.#digestKey, password);
    const verified = this.#verified.get(credential);
    if (verified !== undefined && crypto.isEqual(verified, digest)) return true;
    const shown = await deriveScramCredential(crypto, password, credential);
    if (!crypto.isEqual(shown.storedKey, storedKey) || found === undefined) return false;
    this.#verified.set(credential, digest);
    return true;
  }

  async #find(user: string): Promise<ScramCredential | undefined> {
    for (const mechanism of SCRAM_MECHANISMS) {
      const credential = await this.#parts.credentials.find(mechanism, user);
      if (credential !== undefined) return credential;
    }
    return undefined;
  }

  readonly #decoyOf = (mechanism: ScramMechanism, user: string): ScramCredential => {
    const { crypto, saltSecret, iterations } = this.#parts;
    const key = new Uint8Array(HASH_BYTES[mechanism]);
    return {
      mechanism,
      salt: saltOf(crypto, { mechanism, secret: saltSecret, user }),
      iterations,
      storedKey: key,
      serverKey: key,
    };
  };
}

/** The prepared text of a password; undefined for what nobody's password can be. */
function passwordOf(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const prepared = saslprep(text);
  return prepared.kind === 'prepared' ? prepared.text : undefined;
}
