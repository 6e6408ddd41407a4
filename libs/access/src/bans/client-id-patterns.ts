/** Most characters of a pattern. */
export const PATTERN_CHARACTERS_MAX = 256;

/** Most that all patterns in force may cost together, in the measure of {@link ClientIdPatterns.costOf}. */
export const PATTERN_COST_MAX = 2_000;

/** Longer client ids are not looked at: with the costliest patterns this many characters take some ten milliseconds. */
export const MATCHED_CHARACTERS_MAX = 1_024;

/** Says which of some patterns are found in a text, by their places. */
export type PatternMatch = (text: string) => readonly number[];

/** Regular expressions whose time is linear in the text, whatever they are and whoever wrote the text. */
export interface ClientIdPatterns {
  /** What one character costs at worst; undefined for what is no such expression, or has more than {@link PATTERN_CHARACTERS_MAX}. */
  costOf(pattern: string): number | undefined;
  /** Makes one matcher of all; each of them has a cost. */
  compile(patterns: readonly string[]): PatternMatch;
}
