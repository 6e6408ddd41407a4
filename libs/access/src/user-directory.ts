import type { Identity } from './identity.ts';
import type { ScramCredential } from './scram-credential.ts';

/** A user whose password somebody knows. */
export interface KnownUser {
  /** One for a mechanism. As long as the object stays the same, so does the password: it may be recognised by it. */
  readonly credentials: readonly ScramCredential[];
  /** Who the user is once it is proven. */
  readonly identity: Identity;
}

/** Where users with passwords are kept. */
export interface UserDirectory {
  /**
   * Finds a user.
   *
   * @param user - the name after saslprep().
   * @returns undefined when there is none; rejects when nobody can tell.
   */
  find(user: string): Promise<KnownUser | undefined>;
}
