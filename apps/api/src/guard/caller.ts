import type { FastifyRequest } from 'fastify';
import type { Scope } from '#libs/api-contracts';
import { ProblemError } from '../http/problem-error.ts';

/** Whoever sends a request, and what it may do. */
export interface Caller {
  /** `local`: a program on this machine, where no key is asked for; `bootstrap`: the key of the configuration. */
  readonly kind: 'local' | 'bootstrap' | 'api_key' | 'jwt';
  /** The same for every request of this caller, and of nobody else: `local`, `bootstrap`, `key:ID` or `jwt:SUBJECT`. */
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly scopes: ReadonlySet<Scope>;
  /** Undefined: any topic. */
  readonly topicPrefixes: readonly string[] | undefined;
  /** Where it may come from; empty: anywhere. */
  readonly cidrs: readonly string[];
  readonly expiresAtMs: number | undefined;
}

const callers = new WeakMap<FastifyRequest, Caller>();

/** Remembers who sends a request. @internal */
export function setCaller(request: FastifyRequest, caller: Caller): void {
  callers.set(request, caller);
}

/** Who sends a request; undefined for an operation that needs no credential, and for one that was refused. */
export function callerOf(request: FastifyRequest): Caller | undefined {
  return callers.get(request);
}

/** Who sends a request to an operation that needs a credential. */
export function knownCaller(request: FastifyRequest): Caller {
  const caller = callers.get(request);
  if (caller === undefined) throw new Error('the operation needs no credential');
  return caller;
}

/**
 * Holds a caller to a scope, for example one that only a part of an operation needs.
 *
 * @throws ProblemError 403.
 */
export function requireScope({ scopes }: Caller, scope: Scope): void {
  if (scopes.has(scope)) return;
  throw new ProblemError('forbidden', `The caller has not the scope ${scope}`);
}
