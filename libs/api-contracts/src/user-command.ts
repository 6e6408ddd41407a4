import type { WireAclRule } from './access-command.ts';

/** A stored user as nodes show it: nothing of it tells a password. */
export interface WireUser {
  /** The name in its prepared form. */
  readonly id: string;
  readonly groups: readonly string[];
  readonly rules: readonly WireAclRule[];
  /** Whether it may prove itself by SCRAM as well. */
  readonly hasScram: boolean;
  readonly passwordSetAtMs: number;
  readonly revision: number;
}

/** A stored user with what its password is checked by. */
export interface WireDefinedUser {
  readonly id: string;
  readonly credentials: readonly string[];
  readonly groups: readonly string[];
  readonly rules: readonly WireAclRule[];
  readonly revision: number;
}

/** What came of a change of a user. `conflict`: it exists, or has another revision. `invalid`: a rule of it cannot be. */
export type WireUserChange =
  | { readonly kind: 'stored'; readonly user: WireUser }
  | { readonly kind: 'conflict' | 'absent' }
  | { readonly kind: 'invalid'; readonly detail: string };

/** Which users are wanted: those that meet all of it. */
export interface WireUserFilter {
  readonly names?: readonly string[] | undefined;
  readonly namePrefix?: string | undefined;
  readonly group?: string | undefined;
}

/** What the API asks of a node about stored users. */
export type UserCommand =
  | {
      readonly kind: 'users';
      readonly after?: string;
      readonly limit: number;
      readonly filter?: WireUserFilter | undefined;
    }
  /** For export alone: hashes are in it. */
  | { readonly kind: 'users-with-credentials'; readonly after?: string; readonly limit: number }
  | { readonly kind: 'user'; readonly id: string }
  | {
      /** Creates a user without a revision, else replaces exactly that one. */
      readonly kind: 'put-user';
      readonly id: string;
      readonly groups: readonly string[];
      readonly rules: readonly WireAclRule[];
      /** What is made of a password. Absent: the one before stays, and a user cannot be created. */
      readonly credentials?: readonly string[];
      readonly revision?: number;
    }
  | { readonly kind: 'remove-user'; readonly id: string; readonly revision: number };

/** The answers by kind of command. */
export interface UserAnswers {
  /** `next`: the list goes on after this id; a page may be short, and even empty, when few users meet the filter. */
  readonly users: { readonly items: readonly WireUser[]; readonly next?: string | undefined };
  readonly 'users-with-credentials': {
    readonly items: readonly WireDefinedUser[];
    readonly hasMore: boolean;
  };
  readonly user: { readonly user?: WireUser | undefined };
  readonly 'put-user': WireUserChange;
  readonly 'remove-user': { readonly kind: 'stored' | 'conflict' | 'absent' };
}
