import { networkOf } from './acl/address-range.ts';
import { Gate } from './gate.ts';
import {
  PASSWORD_KEY_BYTES,
  PASSWORD_SALT_BYTES,
  type HashCost,
  type PasswordHash,
  type PasswordHasher,
} from './password-hash.ts';
import { saslprep } from './saslprep.ts';
import { deriveScramCredential, saltOf, type ScramCredential } from './scram-credential.ts';
import type { ScramCrypto } from './scram-crypto.ts';
import { HASH_BYTES, SCRAM_MECHANISMS, type ScramMechanism } from './scram-mechanism.ts';
import type { KnownUser } from './user-directory.ts';

/** What passwords are checked with. */
export interface PasswordCheckParts {
  readonly crypto: ScramCrypto;
  /** Makes salts for users who do not exist: whoever knows it can tell them from others. */
  readonly saltSecret: string;
  /** Iterations that a user who does not exist seems to have: those of the others. */
  readonly iterations: number;
  /** For users whose passwords are hashed; without it there are none. */
  readonly hashing?: { readonly hasher: PasswordHasher; readonly cost: HashCost } | undefined;
}

/** How a password was found. */
export type PasswordVerdict = 'right' | 'wrong' | 'busy';

/** What a password is recognised by. */
type Proof = PasswordHash | ScramCredential;

/** Passwords being checked at a time; one more is refused as busy, so that the others are answered in time. */
const CHECKS_MAX = 1000;
/** Hashes take two of the four threads that files and look-ups of names need as well, and 16 MiB each. */
const HASHES_MAX = 2;
/** Some four seconds of them. */
const WAITING_HASHES_MAX = 256;

/**
 * Checks passwords by hashes and SCRAM credentials.
 *
 * @remarks A password that was right is recognised without the slow derivation the next time, for fleets that come back at once.
 * One that is wrong costs all that any user's would, so that nobody can tell by the time who exists, or where.
 * All sources of a node share one, so that the bounds hold for all of them. One address, or one /64, has not all the places: whoever
 * tries passwords does not keep others from logging in.
 */
export class PasswordCheck {
  readonly crypto: ScramCrypto;
  readonly #parts: PasswordCheckParts;
  readonly #digestKey: string;
  /** Digests of passwords that were right, under a key of this process; forgotten with the proof. */
  readonly #verified = new WeakMap<Proof, Uint8Array>();
  readonly #derivations = new Gate(CHECKS_MAX, 0);
  readonly #hashes = new Gate(HASHES_MAX, WAITING_HASHES_MAX);

  constructor(parts: PasswordCheckParts) {
    this.#parts = parts;
    this.crypto = parts.crypto;
    this.#digestKey = parts.crypto.nonce();
  }

  /** Checks the password of a user who exists. @param address - where the client is. */
  async check(
    { hash, credentials }: Pick<KnownUser, 'hash' | 'credentials'>,
    password: Uint8Array | undefined,
    address = '',
  ): Promise<PasswordVerdict> {
    const shown = passwordOf(password);
    const proof = hash ?? preferredOf(credentials);
    if (shown === undefined || proof === undefined) return 'wrong';
    const { crypto } = this.#parts;
    const digest = crypto.hmac(SCRAM_MECHANISMS[0], this.#digestKey, shown);
    const verified = this.#verified.get(proof);
    if (verified !== undefined && crypto.isEqual(verified, digest)) return 'right';
    const isRight = await this.#proves(shown, proof, address);
    if (isRight === undefined) {
      // How soon somebody is told so does not say by which of the two the user is recognised.
      await this.#spend(shown, this.#decoysBut(proof), address);
      return 'busy';
    }
    if (!isRight) return await this.#spend(shown, this.#decoysBut(proof), address);
    this.#verified.set(proof, digest);
    return 'right';
  }

  /** Costs what the check of a wrong password does: for a user who does not exist. @param address - where the client is. */
  async pretend(
    username: string,
    password: Uint8Array | undefined,
    address = '',
  ): Promise<Exclude<PasswordVerdict, 'right'>> {
    const user = saslprep(username);
    const shown = passwordOf(password);
    if (user.kind === 'refused' || shown === undefined) return 'wrong';
    return await this.#spend(shown, this.#decoysBut(undefined), address);
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

  async #spend(
    password: string,
    decoys: readonly Proof[],
    address: string,
  ): Promise<Exclude<PasswordVerdict, 'right'>> {
    for (const decoy of decoys) {
      if ((await this.#proves(password, decoy, address)) === undefined) return 'busy';
    }
    return 'wrong';
  }

  /** One of each way that passwords are recognised in, but that of another proof. */
  #decoysBut(proof: Proof | undefined): readonly Proof[] {
    const { hashing } = this.#parts;
    const decoys: Proof[] = [];
    if (proof === undefined || 'key' in proof) decoys.push(this.decoyOf(SCRAM_MECHANISMS[0], ''));
    if (hashing !== undefined && (proof === undefined || !('key' in proof))) {
      decoys.push({ ...hashing.cost, ...NO_KEY });
    }
    return decoys;
  }

  /** Undefined when too many are being checked. */
  #proves(password: string, proof: Proof, address: string): Promise<boolean | undefined> {
    const { crypto, hashing } = this.#parts;
    if ('key' in proof) {
      return this.#hashes.run(async () => {
        const key = await hashing?.hasher.hashPassword(password, proof.salt, proof);
        return key !== undefined && crypto.isEqual(key, proof.key);
      }, networkOf(address));
    }
    return this.#derivations.run(async () => {
      const derived = await deriveScramCredential(crypto, password, proof);
      return crypto.isEqual(derived.storedKey, proof.storedKey);
    }, networkOf(address));
  }
}

/** Of a hash that no password has. */
const NO_KEY = {
  salt: new Uint8Array(PASSWORD_SALT_BYTES),
  key: new Uint8Array(PASSWORD_KEY_BYTES),
};

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
