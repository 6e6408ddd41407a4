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
