import { expect, it } from '@jest/globals';
import { RecentLog } from './recent-log.ts';

it('keeps the latest lines, by their number and by their length', () => {
  const log = new RecentLog();
  for (let count = 1; count <= 1_010; count += 1) log.add(String(count));
  expect(log.shown().gone).toBe(10);
  expect(log.shown().lines).toHaveLength(1_000);
  expect(log.shown().lines.at(-1)).toBe('1010');

  for (let count = 0; count < 100; count += 1) log.add('x'.repeat(100_000));
  const { lines, gone } = log.shown();
  expect(lines.join('').length).toBeLessThanOrEqual(256 * 1024);
  expect(lines.length).toBeGreaterThan(20);
  expect(gone).toBe(1_110 - lines.length);
});
