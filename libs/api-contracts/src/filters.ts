import { z } from 'zod';
import { MQTT_TEXT_MAX } from './schema.ts';

/** How a value is compared: equal, begins with, at least, at most, one of. */
export type FilterOperator = 'eq' | 'like' | 'gte' | 'lte' | 'in';

/** What a filter compares with. Moments are milliseconds since 1970. */
export type FilterValue = string | number | boolean;

/** What an item of a list has to meet, as nodes get it. */
export interface Condition {
  readonly field: string;
  readonly operator: FilterOperator;
  readonly value: FilterValue | readonly FilterValue[];
}

/** A field that a list can be filtered by. */
export interface FilterField {
  readonly type: z.ZodType<FilterValue, string>;
  readonly operators: readonly FilterOperator[];
  readonly description: string;
}

type Fields = Readonly<Record<string, FilterField>>;

/** The query parameters of a field: its own name, or with an operator in brackets. */
type KeysOf<Name extends string, Operator> = Operator extends 'eq'
  ? Name
  : Operator extends string
    ? `${Name}[${Operator}]`
    : never;

type FilterKey<Own extends Fields> = {
  [Name in keyof Own & string]: KeysOf<Name, Own[Name]['operators'][number]>;
}[keyof Own & string];

/** The query parameters that filters add to a list. */
export type FilterShape<Own extends Fields> = {
  readonly [Key in FilterKey<Own>]: z.ZodOptional<
    z.ZodType<FilterValue | readonly FilterValue[], string>
  >;
};

const IN_MAX = 100;

const MEANINGS: Readonly<Record<FilterOperator, string>> = {
  eq: '',
  like: 'Begins with this.',
  gte: 'At least this.',
  lte: 'At most this.',
  in: `One of these, separated by commas; at most ${String(IN_MAX)}.`,
};

/** A field with a text. */
export function textField<const Operators extends readonly FilterOperator[]>(
  operators: Operators,
  description: string,
): FilterField & { readonly operators: Operators } {
  return { type: z.string().min(1).max(MQTT_TEXT_MAX), operators, description };
}

/** A field with a whole number. */
export function countField<const Operators extends readonly FilterOperator[]>(
  operators: Operators,
  description: string,
): FilterField & { readonly operators: Operators } {
  const type = z
    .string()
    .max(15)
    .regex(/^\d{1,15}$/, 'A whole number of at most 15 digits')
    .transform(Number);
  return { type, operators, description };
}

/** A field with a moment: RFC 3339, to the condition milliseconds since 1970. */
export function timeField<const Operators extends readonly FilterOperator[]>(
  operators: Operators,
  description: string,
): FilterField & { readonly operators: Operators } {
  const type = z.iso
    .datetime({ offset: true })
    .max(40)
    .transform((text) => Date.parse(text));
  return { type, operators, description };
}

/** A field that is true or false. */
export function flagField(
  description: string,
): FilterField & { readonly operators: readonly ['eq'] } {
  const type = z.enum(['true', 'false']).transform((text) => text === 'true');
  return { type, operators: ['eq'], description };
}

/** A field with one of a few values. */
export function choiceField<const Operators extends readonly FilterOperator[]>(
  choices: readonly [string, ...string[]],
  operators: Operators,
  description: string,
): FilterField & { readonly operators: Operators } {
  return { type: z.enum(choices), operators, description };
}

/** The query parameters of filters; spread them into the query of a list. */
export function filterQuery<const Own extends Fields>(fields: Own): FilterShape<Own> {
  const shape: Record<string, z.ZodType> = {};
  for (const [name, { type, operators, description }] of Object.entries(fields)) {
    for (const operator of operators) {
      const text = [description, MEANINGS[operator]].filter((part) => part !== '').join(' ');
      shape[keyOf(name, operator)] = typeOf(type, operator).optional().describe(text);
    }
  }
  return shape as FilterShape<Own>;
}

/** How a value of a filter may be written in a body; checked then as the same text in a query. */
const writtenValue = z
  .union([z.string().max(MQTT_TEXT_MAX), z.int(), z.boolean()])
  .transform(String);

/** Filters as an object of a body: `{"client_id": {"like": "press/"}, "state": "connected"}`. */
export function filterBody(fields: Fields) {
  const shape: Record<string, z.ZodType<unknown, unknown>> = {};
  for (const [name, { type, operators, description }] of Object.entries(fields)) {
    const value = writtenValue.pipe(type);
    const compared = Object.fromEntries(
      operators
        .filter((operator) => operator !== 'eq')
        .map((operator): [string, z.ZodType] => [
          operator,
          (operator === 'in' ? z.array(value).min(1).max(IN_MAX) : value).optional(),
        ]),
    );
    const isCompared = Object.keys(compared).length > 0;
    const object = z.strictObject(compared);
    const form = !isCompared ? value : operators.includes('eq') ? z.union([value, object]) : object;
    shape[name] = form.optional().describe(description);
  }
  return shape;
}

/** Whether filters of a body ask for anything. */
export function isSomeFilter(filter: object): boolean {
  return Object.values(filter).some(
    (value) => value !== undefined && JSON.stringify(value) !== '{}',
  );
}

/** The conditions that the checked filters of a body ask for. */
export function bodyConditionsOf(
  fields: Fields,
  filter: Readonly<Record<string, unknown>>,
): readonly Condition[] {
  return Object.keys(fields).flatMap((field) => {
    const given = filter[field];
    if (given === undefined) return [];
    if (typeof given !== 'object' || given === null) {
      return [{ field, operator: 'eq' as const, value: given as FilterValue }];
    }
    return Object.entries(given).flatMap(([operator, value]: [string, unknown]) =>
      value === undefined
        ? []
        : [{ field, operator: operator as FilterOperator, value: value as Condition['value'] }],
    );
  });
}

/** The conditions that a checked query asks for. */
export function conditionsOf(
  fields: Fields,
  query: Readonly<Record<string, unknown>>,
): readonly Condition[] {
  return Object.entries(fields).flatMap(([field, { operators }]) =>
    operators.flatMap((operator) => {
      const value = query[keyOf(field, operator)] as Condition['value'] | undefined;
      return value === undefined ? [] : [{ field, operator, value }];
    }),
  );
}

/**
 * Whether an item meets all conditions.
 *
 * @param valueOf - the value of a field; undefined, or null, where the item has none, which meets nothing.
 */
export function meets(
  conditions: readonly Condition[],
  valueOf: (field: string) => FilterValue | null | undefined,
): boolean {
  return conditions.every(({ field, operator, value }) => {
    const own = valueOf(field) ?? undefined;
    if (own === undefined) return false;
    if (typeof value === 'object') return operator === 'in' && value.includes(own);
    switch (operator) {
      case 'eq':
        return own === value;
      case 'like':
        return typeof own === 'string' && own.startsWith(String(value));
      case 'gte':
        return own >= value;
      case 'lte':
        return own <= value;
      case 'in':
        return false;
    }
  });
}

/** The `fields` parameter of a list: which fields of its items are wanted. */
export function fieldsQuery(schema: z.ZodObject) {
  const names = Object.keys(schema.shape) as [string, ...string[]];
  return {
    fields: z
      .string()
      .min(1)
      .max(1_024)
      .transform((text) => text.split(','))
      .pipe(z.array(z.enum(names)).min(1).max(names.length))
      .optional()
      .describe(
        `Only these fields of each item besides its id, separated by commas: ${names.join(', ')}.`,
      ),
  };
}

/** An item with the wanted fields only, and those that tell it from others; or as it is. */
export function sparse<Item extends object, Key extends keyof Item>(
  item: Item,
  wanted: readonly string[] | undefined,
  ...keys: readonly Key[]
): Partial<Item> & Pick<Item, Key> {
  if (wanted === undefined) return item;
  const names = new Set<PropertyKey>([...wanted, ...keys]);
  const entries = Object.entries(item).filter(([name]) => names.has(name));
  return Object.fromEntries(entries) as Partial<Item> & Pick<Item, Key>;
}

/** The `sort` parameter of a list: one of the fields, upwards, or downwards with a minus before it. */
export function sortQuery<const Names extends readonly [string, ...string[]]>(names: Names) {
  type Value = Names[number] | `-${Names[number]}`;
  const values = names.flatMap((name) => [name, `-${name}`]) as [Value, ...Value[]];
  // The compiler does not follow values of a type that is made of names.
  const value: z.ZodType<Value, Value> = z.enum(values) as never;
  return {
    sort: value.default(names[0] as never).describe('The order; a minus turns it around.'),
  };
}

function keyOf(field: string, operator: FilterOperator): string {
  return operator === 'eq' ? field : `${field}[${operator}]`;
}

function typeOf(type: FilterField['type'], operator: FilterOperator): z.ZodType {
  if (operator !== 'in') return type;
  return z
    .string()
    .min(1)
    .max(MQTT_TEXT_MAX)
    .transform((text) => text.split(','))
    .pipe(z.array(type).min(1).max(IN_MAX));
}
