/**
 * A set of values, by identity, that is not empty: the value itself while it is the only one, since most filters have one
 * subscriber.
 */
export type ValueBag<Value> = Value | Several<Value>;

/** Above this, finding a value in an array costs more than a Set costs memory. */
const ARRAY_MAX = 8;

/** Two values or more, or one that is left of them. */
class Several<Value> {
  values: Value[] | Set<Value>;

  constructor(values: Value[]) {
    this.values = values;
  }

  /** @returns false when it was there already. */
  add(value: Value): boolean {
    const { values } = this;
    if (values instanceof Set) return values.size !== values.add(value).size;
    if (values.includes(value)) return false;
    if (values.length === ARRAY_MAX) this.values = new Set(values).add(value);
    else values.push(value);
    return true;
  }

  /** @returns false when it was not there. */
  delete(value: Value): boolean {
    const { values } = this;
    if (values instanceof Set) return values.delete(value);
    const index = values.indexOf(value);
    if (index === -1) return false;
    values.splice(index, 1);
    return true;
  }

  get isEmpty(): boolean {
    const { values } = this;
    return (values instanceof Set ? values.size : values.length) === 0;
  }
}

/** Adds a value that may be there already; returns the bag to keep, or undefined when nothing changed. */
export function bagWith<Value>(
  bag: ValueBag<Value> | undefined,
  value: Value,
): ValueBag<Value> | undefined {
  if (bag === undefined) return value;
  if (bag instanceof Several) return bag.add(value) ? bag : undefined;
  return bag === value ? undefined : new Several([bag, value]);
}

/** Takes a value out: whether it was there, and whether the bag is empty now. */
export function takeFromBag<Value>(
  bag: ValueBag<Value>,
  value: Value,
): 'absent' | 'taken' | 'emptied' {
  if (!(bag instanceof Several)) return bag === value ? 'emptied' : 'absent';
  if (!bag.delete(value)) return 'absent';
  return bag.isEmpty ? 'emptied' : 'taken';
}

/** Appends the values to a list. */
export function appendBag<Value>(bag: ValueBag<Value>, into: Value[]): void {
  if (bag instanceof Several) for (const value of bag.values) into.push(value);
  else into.push(bag);
}
