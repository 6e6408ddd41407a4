import type { CheckedRequest } from '../http/request-check.ts';
import { requireScope, type Caller } from './caller.ts';

/**
 * Holds a caller that asks for the content of messages to the right to see it. Every operation that shows some has a query
 * parameter `payload`, and shows none with `none`; the content of a trace leaves payloads out for those who may not see them.
 *
 * @throws ProblemError 403.
 */
export function requireContent({ query }: CheckedRequest, caller: Caller): void {
  const { payload } = (query ?? {}) as { readonly payload?: unknown };
  if (payload !== undefined && payload !== 'none') requireScope(caller, 'payloads:read');
}
