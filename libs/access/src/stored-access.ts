import type { AclRule } from './acl/acl-rule.ts';

/** A user that was made at run time. No secret is in it that could be used elsewhere. */
export interface StoredUser {
  /** The name in its prepared form. */
  readonly id: string;
  /** Credentials of the password: SCRAM ones as formatScramCredential() writes them, and one for the password itself. */
  readonly credentials: readonly string[];
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
