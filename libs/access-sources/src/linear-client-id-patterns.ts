import { RE2JS, RE2Set } from 're2js';
import { PATTERN_CHARACTERS_MAX, type ClientIdPatterns, type PatternMatch } from '#libs/access';

/** For the states that a matcher remembers, of all patterns together; with more it begins to forget. */
const MATCHER_BYTES_MAX = 4 * 1024 * 1024;

/** Patterns in the syntax of RE2, which knows nothing that could take more than linear time. */
export class LinearClientIdPatterns implements ClientIdPatterns {
  costOf(pattern: string): number | undefined {
    if (pattern === '' || pattern.length > PATTERN_CHARACTERS_MAX) return undefined;
    try {
      return RE2JS.compile(pattern).programSize();
    } catch {
      return undefined;
    }
  }

  compile(patterns: readonly string[]): PatternMatch {
    const set = new RE2Set(RE2Set.UNANCHORED, 0, MATCHER_BYTES_MAX);
    for (const pattern of patterns) set.add(pattern);
    return (text) => set.match(text);
  }
}
