import type { Identity } from './identity.ts';
import type { PasswordHash } from './password-hash.ts';
import type { ScramCredential } from './scram-credential.ts';

/** A user whose password somebody knows. */
export interface KnownUser {
  /** Of the password itself; without it, it is checked by one of the credentials. */
  readonly hash?: PasswordHash | undefined;
  /** One for a mechanism. As long as the objects stay the same, so does the password: it may be recognised by them. */
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

/** Users who are changed while nodes run. */
export interface ChangingDirectory extends UserDirectory {
  /** Calls back with the names of users who have changed; with undefined, any may have. */
  follow(changed: (users: readonly string[] | undefined) => void): void;
}
