import type { Operation } from '#libs/api-contracts';
import { ProblemError } from '../http/problem-error.ts';
import type { CheckedRequest } from '../http/request-check.ts';
import { requireScope, type Caller } from './caller.ts';

/**
 * Holds a caller that asks for the content of messages to the right to see it. Every operation that shows some has a query
 * parameter `payload`, and shows none with `none`; the content of a trace leaves payloads out for those who may not see them.
 * Whoever is bound to topics sees the content of those alone: not what waits for a client, whatever its topics.
 *
 * @throws ProblemError 403.
 */
export function requireContent(
  { topics }: Pick<Operation, 'topics'>,
  { query }: CheckedRequest,
  caller: Caller,
): void {
  const { payload } = (query ?? {}) as { readonly payload?: unknown };
  if (payload === undefined || payload === 'none') return;
  requireScope(caller, 'payloads:read');
  if (topics !== undefined || caller.topicPrefixes === undefined) return;
  throw new ProblemError('topic-not-allowed', 'The key of the caller is for some topics alone');
}
