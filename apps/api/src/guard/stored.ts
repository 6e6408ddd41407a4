import type { Scope } from '#libs/api-contracts';

/** A secret of a key, as it is kept. */
export interface StoredSecret {
  readonly hash: string;
  /** Set when another one has taken its place. */
  readonly expiresAtMs?: number;
}

/** An API key, as it is kept. */
export interface StoredApiKey {
  readonly id: string;
  readonly name: string;
  readonly role?: string;
  /** Besides those of its roles. */
  readonly scopes: readonly Scope[];
  readonly topicPrefixes?: readonly string[];
  readonly cidrs: readonly string[];
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly expiresAtMs?: number;
  /** The one in force, and the one before it while it is still taken. */
  readonly secrets: readonly StoredSecret[];
}

/** When a key was used last; apart from it, so that its revision tells of changes only. */
export interface StoredKeyUse {
  readonly id: string;
  readonly atMs: number;
}

/** A role that was made. */
export interface StoredRole {
  readonly id: string;
  readonly description: string;
  readonly scopes: readonly Scope[];
}

/** Whom a role is given to. */
export interface RoleSubject {
  readonly kind: 'subject' | 'group' | 'api_key';
  readonly name: string;
}

/** A role binding. */
export interface StoredRoleBinding {
  readonly id: string;
  readonly role: string;
  readonly subject: RoleSubject;
  readonly createdAtMs: number;
}
