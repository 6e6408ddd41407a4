/** Where an entry of a journal is: in the order of their coming. */
export interface JournalPlace {
  readonly atMs: number;
  /** Tells those of one millisecond apart. */
  readonly number: number;
}

/** Orders places. */
export function comparePlaces(one: JournalPlace, other: JournalPlace): number {
  return one.atMs - other.atMs || one.number - other.number;
}

/** A place as callers name it: `milliseconds-number`. */
export function placeId({ atMs, number }: JournalPlace): string {
  return `${atMs}-${number}`;
}

/** The place that an id names. */
export function placeOf(id: string): JournalPlace {
  const [atMs = 0, number = 0] = id.split('-').map(Number);
  return { atMs, number };
}
