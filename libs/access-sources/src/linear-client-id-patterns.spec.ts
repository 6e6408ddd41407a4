import { describe, expect, it } from '@jest/globals';
import { MATCHED_CHARACTERS_MAX, PATTERN_COST_MAX } from '#libs/access';
import { LinearClientIdPatterns } from './linear-client-id-patterns.ts';

const patterns = new LinearClientIdPatterns();

describe('patterns of client ids', () => {
  it('are found anywhere in the text, unless they say where', () => {
    const match = patterns.compile(['^probe-', 'x', '(?i)BOT$', 'never']);
    const places = (text: string) => [...match(text)].toSorted((a, b) => a - b);
    expect(places('probe-x-bot')).toEqual([0, 1, 2]);
    expect(places('a-probe-')).toEqual([]);
    expect(places('é😀x')).toEqual([1]);
  });

  it.each(['', '(', '(?=a)', '(a)\\1', 'a{2000}', '((a{100}){100}){100}', 'a'.repeat(257)])(
    'are none: %s',
    (pattern) => {
      expect(patterns.costOf(pattern)).toBeUndefined();
    },
  );

  it('cost more the larger they are', () => {
    const small = patterns.costOf('a{10}') ?? 0;
    expect(patterns.costOf('a{500}') ?? 0).toBeGreaterThan(10 * small);
  });

  it('take bounded time when they are as bad as they may be', () => {
    // Seconds and minutes for an engine that goes back.
    const bad = ['(a+)+$', '(a|a)+$', '(a|aa)+$', '(.*a){20}$', '(a?){99}a{99}$'];
    const cost = bad.reduce((sum, pattern) => sum + (patterns.costOf(pattern) ?? 0), 0);
    expect(cost).toBeLessThanOrEqual(PATTERN_COST_MAX);
    const match = patterns.compile(bad);
    const begun = performance.now();
    expect([...match(`${'a'.repeat(MATCHED_CHARACTERS_MAX - 1)}!`)]).toEqual([]);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});
