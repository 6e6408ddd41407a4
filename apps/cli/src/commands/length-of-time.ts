import { UsageError } from '../exit-code.ts';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/**
 * A length of time in seconds.
 *
 * @param name - where it was given, for whoever wrote something else.
 * @throws UsageError for what is none.
 */
export function secondsOf(length: string | undefined, name = '--for'): number | undefined {
  if (length === undefined) return undefined;
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(length) ?? [];
  if (count === '')
    throw new UsageError(`${name}: write it like 30s, 10m, 2h or 7d, not '${length}'`);
  return Number(count) * (SECONDS[unit] ?? 0);
}

/** When something that lasts so long from now ends. @throws UsageError for what is no length of time. */
export function untilOf(length: string | undefined, nowMs = Date.now()): string | undefined {
  const seconds = secondsOf(length);
  return seconds === undefined ? undefined : new Date(nowMs + seconds * 1_000).toISOString();
}
