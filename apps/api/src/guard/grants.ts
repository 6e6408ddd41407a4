import { AddressRange } from '#libs/access';
import type { Scope } from '#libs/api-contracts';
import { ProblemError } from '../http/problem-error.ts';
import type { Caller } from './caller.ts';
import { isBelow } from './topics.ts';

/** What somebody is about to be given. */
export interface Grant {
  readonly scopes: ReadonlySet<Scope>;
  readonly topicPrefixes?: readonly string[] | undefined;
  readonly cidrs: readonly string[];
  readonly expiresAtMs?: number | undefined;
}

/**
 * Nobody gives a key more than they have: no other scope or topic, no other address, and no longer life than that of the key
 * they use.
 *
 * @throws ProblemError 403.
 */
export function requireGrantable(caller: Caller, grant: Grant): void {
  const missing = [...grant.scopes].filter((scope) => !caller.scopes.has(scope));
  if (missing.length > 0) throw escalation(`The caller has not ${missing.slice(0, 5).join(', ')}`);
  const { topicPrefixes, cidrs, expiresAtMs } = caller;
  if (topicPrefixes !== undefined) {
    const inner = grant.topicPrefixes;
    if (inner === undefined || !inner.every((each) => isBelow(each, topicPrefixes))) {
      throw escalation('The caller has fewer topics');
    }
  }
  if (cidrs.length > 0) {
    const isInside = (inner: string) => cidrs.some((outer) => holds(outer, inner));
    if (grant.cidrs.length === 0 || !grant.cidrs.every(isInside)) {
      throw escalation('The caller has fewer addresses');
    }
  }
  // A token is short-lived by nature: it shows anew, each time, who it is.
  if (caller.kind === 'api_key' && expiresAtMs !== undefined) {
    if ((grant.expiresAtMs ?? Infinity) > expiresAtMs) {
      throw escalation('The key of the caller expires before that');
    }
  }
}

/** Whether somebody is bound to no topics and addresses, and to no end that roles would outlive. */
export function isUnbound({ kind, topicPrefixes, cidrs, expiresAtMs }: Caller): boolean {
  const ends = kind === 'api_key' && expiresAtMs !== undefined;
  return topicPrefixes === undefined && cidrs.length === 0 && !ends;
}

/**
 * Roles and bindings know no topics and addresses: who is bound to some gives none.
 *
 * @throws ProblemError 403.
 */
export function requireRoleGrantable(caller: Caller, scopes: ReadonlySet<Scope>): void {
  requireGrantable(caller, { scopes, cidrs: [] });
}

/**
 * Nobody takes from others what they have not themselves: who may do more is changed, revoked or bound anew by such only.
 *
 * @param scopes - what somebody has before the change.
 * @throws ProblemError 403.
 */
export function requireNotAbove(caller: Caller, scopes: ReadonlySet<Scope>): void {
  const missing = [...scopes].filter((scope) => !caller.scopes.has(scope));
  if (missing.length === 0) return;
  throw escalation(`It has what the caller has not: ${missing.slice(0, 5).join(', ')}`);
}

function escalation(detail: string): ProblemError {
  return new ProblemError('scope-escalation', detail);
}

/** Whether a network lies in another one. */
function holds(outer: string, inner: string): boolean {
  const [one, other] = [AddressRange.parse(outer), AddressRange.parse(inner)];
  if (one === undefined || other === undefined || one.bits !== other.bits) return false;
  const more = other.prefixBits - one.prefixBits;
  return more >= 0 && other.prefix >> BigInt(more) === one.prefix;
}
