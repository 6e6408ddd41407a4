import { ProblemError } from './problem-error.ts';

/** The ETag of a revision. */
export function etagOf(revision: number): string {
  return `"${revision}"`;
}

/** Whether a list of entity tags, as If-Match and If-None-Match have it, names this one. Weak tags name nothing. */
export function namesTag(header: string, tag: string): boolean {
  return header === '*' || header.split(',').some((each) => each.trim() === tag);
}

/**
 * Holds a change to the state its author saw.
 *
 * @throws ProblemError 428 without If-Match, 412 when it names another revision.
 */
export function requireMatch(header: string | undefined, revision: number): void {
  if (header === undefined) {
    throw new ProblemError('precondition-required', 'Send If-Match with the ETag last read');
  }
  if (!namesTag(header, etagOf(revision))) {
    throw new ProblemError('precondition-failed', 'The resource has another ETag by now', {
      headers: { etag: etagOf(revision) },
    });
  }
}
