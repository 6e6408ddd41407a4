import type { AclRule } from './acl/acl-rule.ts';

/** Who a connection is: fixed when its client has proven it, and replaced when the client proves it again. */
export interface Principal {
  /** The name in its prepared form; undefined for an anonymous client. */
  readonly user: string | undefined;
  readonly clientId: string;
  /** The address that the client connects from. */
  readonly address: string;
  readonly listener: string;
  readonly groups: readonly string[];
  /** What the client's certificate says, if it has shown one that was verified. */
  readonly certificate?: {
    readonly commonName?: string;
    /** Subject alternative names. */
    readonly sans: readonly string[];
    /** When it ends. */
    readonly notAfterMs?: number;
  };
  /** Rules of the user or of the token; they come before the general ones. */
  readonly rules: readonly AclRule[];
  /** When the credential ends; undefined for never. */
  readonly expiresAtMs?: number;
}
