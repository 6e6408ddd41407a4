import type { AclRule } from './acl/acl-rule.ts';

/** A user that was made at run time. No secret is in it that could be used elsewhere. */
export interface StoredUser {
  /** The name in its prepared form. */
  readonly id: string;
  /** Of the password: its hash as formatPasswordHash() writes it, and SCRAM ones as formatScramCredential() does. */
  readonly credentials: readonly string[];
  /** When the password was set. */
  readonly passwordSetAtMs: number;
  readonly groups: readonly string[];
  /** Come before the general rules. */
  readonly rules: readonly AclRule[];
}

/** The general rules that were set at run time: one list, changed as a whole. */
export interface AclDocument {
  readonly id: 'general';
  readonly rules: readonly AclRule[];
}

/** The only id of an {@link AclDocument}. */
export const ACL_DOCUMENT_ID = 'general';

/** When coming and going is too much, as it was set at run time. */
export interface FlappingDocument {
  readonly id: 'flapping';
  readonly settings: {
    readonly connectionsMax: number;
    readonly connectionsPerAddressMax: number;
    readonly windowSeconds: number;
    readonly banSeconds: number;
  };
}

/** The only id of a {@link FlappingDocument}. */
export const FLAPPING_DOCUMENT_ID = 'flapping';

/** A source that was made at run time, with its settings as the configuration has them. */
export interface StoredAuthBackend {
  readonly id: string;
  readonly settings: { readonly kind: string; readonly [name: string]: unknown };
}

/** Who is asked who a client is, as it was set at run time: one document, changed as a whole. */
export interface AuthDocument {
  readonly id: 'auth';
  readonly backends: readonly StoredAuthBackend[];
  /** The ids of all that are asked, those of the configuration too. */
  readonly order: readonly string[];
  /** The ids of those that are asked at listeners that differ, by their names. */
  readonly chains: Readonly<Record<string, readonly string[]>>;
}

/** The only id of an {@link AuthDocument}. */
export const AUTH_DOCUMENT_ID = 'auth';
