/** A set of values, by identity: an array while small, since most filters have one subscriber. */
export type ValueBag<Value> = Value[] | Set<Value>;

/** Above this, finding a value in an array costs more than a Set costs memory. */
const ARRAY_MAX = 8;

/** Adds a value that may be there already; returns the bag to keep, or undefined when nothing changed. */
export function bagWith<Value>(
  bag: ValueBag<Value> | undefined,
  value: Value,
): ValueBag<Value> | undefined {
  if (bag === undefined) return [value];
  if (bag instanceof Set) {
    if (bag.has(value)) return undefined;
    return bag.add(value);
  }
  if (bag.includes(value)) return undefined;
  if (bag.length === ARRAY_MAX) return new Set(bag).add(value);
  bag.push(value);
  return bag;
}

/** Takes a value out; false when it was not there. */
export function takeFromBag<Value>(bag: ValueBag<Value>, value: Value): boolean {
  if (bag instanceof Set) return bag.delete(value);
  const index = bag.indexOf(value);
  if (index === -1) return false;
  bag.splice(index, 1);
  return true;
}

/** How many values the bag holds. */
export function bagSize<Value>(bag: ValueBag<Value>): number {
  return bag instanceof Set ? bag.size : bag.length;
}
