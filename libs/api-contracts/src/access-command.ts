/** A rule of who may do what; see AclRule. */
export interface WireAclRule {
  readonly id?: string;
  readonly effect: 'allow' | 'deny';
  readonly who?: {
    readonly users?: readonly string[];
    readonly clientIds?: readonly string[];
    readonly groups?: readonly string[];
    readonly addresses?: readonly string[];
  };
  readonly actions: readonly ('publish' | 'subscribe')[];
  readonly topics: readonly string[];
  readonly qos?: readonly (0 | 1 | 2)[];
  readonly retain?: boolean;
}

/** The general rules of a cluster, as a node has them. */
export interface WireAcl {
  /** Those of the configuration: they come first, and cannot be changed. */
  readonly configured: readonly WireAclRule[];
  /** Those that were set over REST. */
  readonly stored: readonly WireAclRule[];
  /** Of the stored list; 0 when there has been none. */
  readonly revision: number;
  readonly fallback: 'allow' | 'deny';
}

/** What came of new rules. `invalid`: one of them cannot be. */
export type WireAclChange =
  | { readonly kind: 'stored'; readonly revision: number }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'invalid'; readonly detail: string };

/** Who wants to do something. */
export interface WireSubject {
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly groups: readonly string[];
  readonly address: string;
  readonly certificateName?: string | undefined;
}

/** What somebody wants to do. */
export type WireAccessRequest =
  | {
      readonly kind: 'publish';
      readonly topic: string;
      readonly qos: 0 | 1 | 2;
      readonly retain: boolean;
    }
  | { readonly kind: 'subscribe'; readonly filter: string; readonly qos: 0 | 1 | 2 }
  | { readonly kind: 'receive'; readonly topic: string; readonly qos: 0 | 1 | 2 };

/** Where a rule stands, and its effect. */
export interface WireRulePlace {
  readonly source: 'user' | 'config' | 'api';
  /** Its place in the list that it is in, from 0. */
  readonly index: number;
  readonly rule: WireAclRule;
}

/** Whether somebody may do something, and what says so; without a rule the default does. */
export interface WireAccessVerdict {
  readonly allowed: boolean;
  readonly rule?: WireRulePlace | undefined;
  /** A rule that denies some of the topics of a filter that is allowed otherwise. */
  readonly except?: WireRulePlace | undefined;
}

/** What the API asks of a node about who may do what. */
export type AccessCommand =
  | { readonly kind: 'acl' }
  /** Replaces exactly this revision of the stored rules; 0 when there are none. */
  | { readonly kind: 'put-acl'; readonly rules: readonly WireAclRule[]; readonly revision: number }
  | {
      readonly kind: 'simulate-access';
      readonly subject: WireSubject;
      readonly requests: readonly WireAccessRequest[];
    };

/** The answers by kind of command. */
export interface AccessAnswers {
  readonly acl: WireAcl;
  readonly 'put-acl': WireAclChange;
  readonly 'simulate-access': { readonly verdicts: readonly WireAccessVerdict[] };
}
