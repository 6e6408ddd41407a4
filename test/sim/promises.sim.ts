import { describe, expect, it } from '@jest/globals';
import { check, report } from './simulation.ts';

const SEEDS = 200;
const PER_TEST = 20;

describe('whatever fails, the promises to clients hold', () => {
  const firsts = Array.from({ length: SEEDS / PER_TEST }, (_, index) => index * PER_TEST);

  it.each(firsts)(
    `for ${String(PER_TEST)} seeds from %i`,
    async (first) => {
      const reports: string[] = [];
      for (let seed = first; seed < first + PER_TEST; seed += 1) {
        const outcome = await check({ seed });
        if (outcome.failures.length > 0) reports.push(report(outcome));
      }
      expect(reports.join('\n')).toBe('');
    },
    120_000,
  );
});
