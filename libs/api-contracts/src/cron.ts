const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** The 29th of February comes after eight years at the latest, where a century begins without one. */
const DAYS_LOOKED_AT = 366 * 8 + 3;

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** What stands for its values from the least one on. */
  readonly names?: readonly string[];
}

const FIELDS: readonly [Field, Field, Field, Field, Field] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of the month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of the week', min: 0, max: 7, names: WEEKDAYS },
];

/** The times that a cron expression names, to the minute, in UTC. */
export interface CronTimes {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** Undefined: any; where both are given, a day has to be in one of them. */
  readonly days: ReadonlySet<number> | undefined;
  /** 0 is Sunday. */
  readonly weekdays: ReadonlySet<number> | undefined;
}

/**
 * Reads a cron expression of five fields: minute, hour, day of the month, month, day of the week. Each is `*`, or a list of numbers and
 * ranges, with steps; months and days of the week have names as well.
 *
 * @returns the times, or what is wrong with it as a text.
 */
export function parseCron(text: string): CronTimes | string {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== FIELDS.length) {
    return 'A cron expression has five fields: minute, hour, day of the month, month, day of the week';
  }
  const sets: (ReadonlySet<number> | undefined)[] = [];
  for (const [at, field] of FIELDS.entries()) {
    const set = parseField(parts[at] ?? '', field);
    if (set === undefined) return `The ${field.name} of the cron expression is not valid`;
    sets.push(set);
  }
  const [minutes, hours, days, months, weekdays] = sets;
  if (!minutes || !hours || !days || !months || !weekdays) return 'The cron expression is empty';
  const times: CronTimes = {
    ...{ minutes, hours, months },
    days: parts[2] === '*' ? undefined : days,
    // 7 is Sunday as well.
    weekdays: parts[4] === '*' ? undefined : new Set([...weekdays].map((day) => day % 7)),
  };
  return nextCronTime(times, 0) === undefined ? 'The cron expression names no day' : times;
}

/** The first time after another one, both in milliseconds since 1970; undefined when there is none. */
export function nextCronTime(times: CronTimes, afterMs: number): number | undefined {
  const fromMs = (Math.floor(afterMs / MINUTE_MS) + 1) * MINUTE_MS;
  const firstDayMs = Math.floor(fromMs / DAY_MS) * DAY_MS;
  for (let day = 0; day < DAYS_LOOKED_AT; day += 1) {
    const dayMs = firstDayMs + day * DAY_MS;
    if (!isDay(times, new Date(dayMs))) continue;
    const found = minuteOf(times, dayMs, fromMs);
    if (found !== undefined) return found;
  }
  return undefined;
}

function minuteOf({ hours, minutes }: CronTimes, dayMs: number, fromMs: number) {
  for (let hour = 0; hour < 24; hour += 1) {
    if (!hours.has(hour)) continue;
    for (let minute = 0; minute < 60; minute += 1) {
      const atMs = dayMs + (hour * 60 + minute) * MINUTE_MS;
      if (minutes.has(minute) && atMs >= fromMs) return atMs;
    }
  }
  return undefined;
}

function isDay({ months, days, weekdays }: CronTimes, date: Date): boolean {
  if (!months.has(date.getUTCMonth() + 1)) return false;
  if (days === undefined && weekdays === undefined) return true;
  return days?.has(date.getUTCDate()) === true || weekdays?.has(date.getUTCDay()) === true;
}

function parseField(text: string, field: Field): ReadonlySet<number> | undefined {
  const values = new Set<number>();
  for (const item of text.split(',')) {
    const found = /^(\*|[\dA-Z]+)(?:-([\dA-Z]+))?(?:\/(\d{1,2}))?$/i.exec(item);
    if (found === null) return undefined;
    const [, begin = '', end, step] = found;
    if (begin === '*' && end !== undefined) return undefined;
    const first = begin === '*' ? field.min : valueOf(begin, field);
    // A single value with a step goes on to the last one.
    const isOpen = begin === '*' || (end === undefined && step !== undefined);
    const last = isOpen ? field.max : end === undefined ? first : valueOf(end, field);
    const by = step === undefined ? 1 : Number(step);
    if (first === undefined || last === undefined || last < first || by < 1) return undefined;
    for (let value = first; value <= last; value += by) values.add(value);
  }
  return values;
}

function valueOf(text: string, { min, max, names = [] }: Field): number | undefined {
  const name = names.indexOf(text.toUpperCase());
  const value = name >= 0 ? min + name : /^\d{1,2}$/.test(text) ? Number(text) : NaN;
  return value >= min && value <= max ? value : undefined;
}
