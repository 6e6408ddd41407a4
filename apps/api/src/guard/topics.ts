import type { Operation, TopicPlace } from '#libs/api-contracts';
import { ProblemError } from '../http/problem-error.ts';
import type { CheckedRequest } from '../http/request-check.ts';
import type { Caller } from './caller.ts';

/** A shared subscription is one of the filter behind its group. */
const SHARED = /^\$share\/[^/]+\//;

/**
 * Whether a topic, or a filter, is a prefix or below it, level by level. A filter with a wildcard among the levels of the
 * prefix would reach beyond.
 */
export function isBelow(topic: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => {
    const levels = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
    return topic === levels || topic.startsWith(`${levels}/`);
  });
}

/**
 * Holds a caller to its topics. Who is bound to some has to say which one it means.
 *
 * @throws ProblemError 403.
 */
export function requireTopics(
  { topics }: Pick<Operation, 'topics'>,
  request: CheckedRequest,
  { topicPrefixes }: Pick<Caller, 'topicPrefixes'>,
): void {
  if (topics === undefined || topicPrefixes === undefined) return;
  const named = topics.flatMap((place) => {
    const values = valuesAt(place, request);
    // `$share/...` as a topic name is no subscription.
    const isFilter = place.field.endsWith('filter');
    return isFilter ? values.map((value) => unshared(value)) : values;
  });
  const isOurs = (topic: unknown) => typeof topic === 'string' && isBelow(topic, topicPrefixes);
  if (named.length > 0 && named.every(isOurs)) return;
  throw new ProblemError('topic-not-allowed', 'The key of the caller is for other topics');
}

function unshared(filter: unknown): unknown {
  return typeof filter === 'string' ? filter.replace(SHARED, '') : filter;
}

function valuesAt(place: TopicPlace, request: CheckedRequest): readonly unknown[] {
  let values: readonly unknown[] = [request[place.in]];
  for (const name of place.field.split('.')) {
    values = values.flatMap((value): readonly unknown[] => {
      if (name === '*') return Array.isArray(value) ? value : [];
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return [];
      return [(value as Readonly<Record<string, unknown>>)[name]];
    });
  }
  return values.filter((value) => value !== undefined);
}
