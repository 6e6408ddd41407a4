import { expect, it } from '@jest/globals';
import { nextCronTime, parseCron } from './cron.ts';

function nextOf(cron: string, after: string): string | undefined {
  const times = parseCron(cron);
  if (typeof times === 'string') throw new Error(times);
  const found = nextCronTime(times, Date.parse(after));
  return found === undefined ? undefined : new Date(found).toISOString().slice(0, 16);
}

it.each([
  ['* * * * *', '2026-01-02T03:04:05Z', '2026-01-02T03:05'],
  ['* * * * *', '2026-01-02T03:04:00Z', '2026-01-02T03:05'],
  ['0 * * * *', '2026-12-31T23:00:00Z', '2027-01-01T00:00'],
  ['*/20 4-5 * * *', '2026-01-02T04:40:00Z', '2026-01-02T05:00'],
  ['5/20 * * * *', '2026-01-02T04:26:00Z', '2026-01-02T04:45'],
  ['1,30,45 6 * * *', '2026-01-02T06:30:00Z', '2026-01-02T06:45'],
  ['0 0 31 * *', '2026-01-31T00:00:00Z', '2026-03-31T00:00'],
  ['0 0 29 FEB *', '2026-01-01T00:00:00Z', '2028-02-29T00:00'],
  ['0 0 29 2 *', '2096-03-01T00:00:00Z', '2104-02-29T00:00'],
  ['0 9 * * mon-fri', '2026-01-02T09:00:00Z', '2026-01-05T09:00'],
  ['0 9 * * 7', '2026-01-02T09:00:00Z', '2026-01-04T09:00'],
  // Where both days are given, either will do.
  ['0 0 13 * FRI', '2026-01-09T00:00:00Z', '2026-01-13T00:00'],
])('%s after %s is at %s', (cron, after, expected) => {
  expect(nextOf(cron, after)).toBe(expected);
});

it.each([
  ['', 'five fields'],
  ['* * * *', 'five fields'],
  ['60 * * * *', 'minute'],
  ['* 24 * * *', 'hour'],
  ['* * 0 * *', 'day of the month'],
  ['* * * XYZ *', 'month'],
  ['* * * * 8', 'day of the week'],
  ['5-1 * * * *', 'minute'],
  ['*/0 * * * *', 'minute'],
  ['*-5 * * * *', 'minute'],
  ['1, * * * *', 'minute'],
  ['0 0 30 2 *', 'names no day'],
])('%j is refused for its %s', (cron, fault) => {
  expect(parseCron(cron)).toContain(fault);
});
