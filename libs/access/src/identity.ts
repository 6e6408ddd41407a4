import type { AclRule } from './acl/acl-rule.ts';
import type { Principal } from './principal.ts';

/** What a client shows of itself in a CONNECT. */
export interface Login {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  /** The address that the client connects from. */
  readonly address: string;
  readonly listener: string;
  /** The certificate of its TLS handshake; it was found valid. */
  readonly certificate?: Principal['certificate'];
}

/** What a source knows of a client that has proven who it is. */
export interface Identity {
  /** The name in its prepared form, the one to use from here on; undefined for an anonymous client. */
  readonly user: string | undefined;
  readonly groups?: readonly string[];
  /** Rules of the user or of the token; they come before the general ones. */
  readonly rules?: readonly AclRule[];
  /** When the credential ends, and the connection with it; undefined for never. */
  readonly expiresAtMs?: number;
  /**
   * When the password of a stored user was set: it is another one as soon as that changes. Undefined for everybody else: what
   * is stored under their name, if anything is, does not concern them.
   */
  readonly passwordSetAtMs?: number;
}

/** How a client has shown who it is, for the metrics. */
export type AuthBackend = 'anonymous' | 'password' | 'scram' | 'jwt' | 'certificate' | 'webhook';
