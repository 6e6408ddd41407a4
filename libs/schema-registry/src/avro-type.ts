import type { AvroReader, AvroWriter } from './avro-bytes.ts';
import { SchemaError, ValueError } from './codec.ts';

/** How values of one Avro type are written and read. */
export interface AvroType {
  /** What a union calls it. */
  readonly name: string;
  /** Whether a value looks like one of the type, as far as that is known without looking into it. */
  takes(value: unknown): boolean;
  /** @throws ValueError when the value is none of the type. */
  write(value: unknown, to: AvroWriter): void;
  /** @throws ValueError when the bytes hold none of the type. */
  read(from: AvroReader): unknown;
}

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface Primitive<Value> {
  readonly name: string;
  readonly is: (value: unknown) => value is Value;
  readonly write: (value: Value, to: AvroWriter) => void;
  readonly read: (from: AvroReader) => unknown;
}

function primitive<Value>({ name, is, write, read }: Primitive<Value>): AvroType {
  return {
    name,
    takes: is,
    write: (value, to) => {
      if (!is(value)) throw new ValueError(`is no ${name}`);
      write(value, to);
    },
    read,
  };
}

const INT_MAX = 2 ** 31 - 1;
const FLOAT_MAX = 3.4028234663852886e38;
const LONG = /^-?\d{1,19}$/;
/** Has no bytes in UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const SPECIAL = new Set(['NaN', 'Infinity', '-Infinity']);

const isText = (value: unknown): value is string =>
  typeof value === 'string' && !LONE_SURROGATE.test(value);
const isLatin = (value: unknown): value is string =>
  typeof value === 'string' && !/[^\0-\xff]/.test(value);
const isReal = (value: unknown): value is number | string =>
  typeof value === 'number' || (typeof value === 'string' && SPECIAL.has(value));
const isLong = (value: unknown): value is number | string =>
  Number.isSafeInteger(value) ||
  (typeof value === 'string' &&
    LONG.test(value) &&
    BigInt.asIntN(64, BigInt(value)) === BigInt(value));

/** JSON knows no infinity. */
const real = (value: number): number | string => (Number.isFinite(value) ? value : String(value));

/** The types that need no definition. */
export const PRIMITIVES: readonly AvroType[] = [
  primitive({
    name: 'null',
    is: (value): value is null => value === null,
    write: () => undefined,
    read: () => null,
  }),
  primitive({
    name: 'boolean',
    is: (value): value is boolean => typeof value === 'boolean',
    write: (value, to) => to.byte(value ? 1 : 0),
    read: (from) => from.byte() !== 0,
  }),
  primitive({
    name: 'int',
    is: (value): value is number =>
      Number.isInteger(value) && Number(value) <= INT_MAX && Number(value) >= -INT_MAX - 1,
    write: (value, to) => to.long(value),
    read: (from) => from.long(),
  }),
  primitive({
    name: 'long',
    is: isLong,
    write: (value, to) => to.long(typeof value === 'number' ? value : BigInt(value)),
    read: (from) => from.long(),
  }),
  primitive({
    name: 'float',
    is: (value): value is number | string =>
      isReal(value) && (typeof value === 'string' || Math.abs(value) <= FLOAT_MAX),
    write: (value, to) => to.float(Number(value)),
    read: (from) => real(from.float()),
  }),
  primitive({
    name: 'double',
    is: isReal,
    write: (value, to) => to.double(Number(value)),
    read: (from) => real(from.double()),
  }),
  primitive({
    name: 'bytes',
    is: isLatin,
    write: (value, to) => {
      to.long(value.length);
      to.text(value, 'latin1');
    },
    read: (from) => from.text(from.count(), 'latin1'),
  }),
  primitive({
    name: 'string',
    is: isText,
    write: (value, to) => {
      to.long(Buffer.byteLength(value));
      to.text(value, 'utf8');
    },
    read: (from) => from.text(from.count(), 'utf8'),
  }),
];

/** Bytes of one length, as a text of as many characters up to U+00FF. */
export function fixedType(name: string, size: number): AvroType {
  return primitive({
    name,
    is: (value): value is string => isLatin(value) && value.length === size,
    write: (value, to) => to.text(value, 'latin1'),
    read: (from) => from.text(size, 'latin1'),
  });
}

export function enumType(name: string, symbols: readonly string[]): AvroType {
  const indexes = new Map(symbols.map((symbol, index) => [symbol, index]));
  return primitive({
    name,
    is: (value): value is string => typeof value === 'string' && indexes.has(value),
    write: (value, to) => to.long(indexes.get(value) ?? 0),
    read: (from) => {
      const symbol = symbols[from.count()];
      if (symbol === undefined) throw new ValueError(`holds no symbol of ${name}`);
      return symbol;
    },
  });
}

export function arrayType(items: AvroType): AvroType {
  return primitive({
    name: 'array',
    is: (value): value is unknown[] => Array.isArray(value),
    write: (values, to) => {
      if (values.length > 0) to.long(values.length);
      to.nested(() => {
        for (const [index, value] of values.entries()) {
          within(`[${index}]`, () => items.write(value, to));
        }
      });
      to.long(0);
    },
    read: (from) =>
      from.nested(() => {
        const values: unknown[] = [];
        from.blocks(() => values.push(items.read(from)));
        return values;
      }),
  });
}

export function mapType(values: AvroType): AvroType {
  return primitive({
    name: 'map',
    is: isFields,
    write: (fields, to) => {
      const entries = Object.entries(fields);
      if (entries.length > 0) to.long(entries.length);
      to.nested(() => {
        for (const [key, value] of entries) {
          if (!isText(key)) throw new ValueError('has a key that is no text');
          to.long(Buffer.byteLength(key));
          to.text(key, 'utf8');
          within(`.${key}`, () => values.write(value, to));
        }
      });
      to.long(0);
    },
    read: (from) =>
      from.nested(() => {
        const fields = plainObject();
        from.blocks(() => {
          const key = from.text(from.count(), 'utf8');
          fields[key] = values.read(from);
        });
        return fields;
      }),
  });
}

/** A field of a record. */
export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  /** What a record that lacks it has; undefined when it may not. */
  readonly fallback: { readonly value: unknown } | undefined;
}

/** A record. The fields are asked for when it is first used, since they may hold the record itself. */
export function recordType(name: string, fields: readonly AvroField[]): AvroType {
  const known = (value: Fields): boolean => {
    const unknown = Object.keys(value).find((key) => !fields.some((field) => field.name === key));
    if (unknown === undefined) return true;
    throw new ValueError(`has ${unknown}, and ${name} has no such field`);
  };
  const valueOf = (record: Fields, field: AvroField): unknown => {
    if (Object.hasOwn(record, field.name)) return record[field.name];
    if (field.fallback === undefined) throw new ValueError('is missing');
    return field.fallback.value;
  };
  return primitive({
    name,
    is: isFields,
    write: (record, to) => {
      to.nested(() => {
        for (const field of fields) {
          within(`.${field.name}`, () => field.type.write(valueOf(record, field), to));
        }
      });
      known(record);
    },
    read: (from) =>
      from.nested(() => {
        const record = plainObject();
        for (const { name: field, type } of fields) record[field] = type.read(from);
        return record;
      }),
  });
}

/**
 * One of several types.
 *
 * @remarks A value takes the first branch that it fits, and a text the branch `string` before others. It may also name its
 * branch as in Avro's own JSON: `{"long": 5}`. What is read does not name it.
 */
export function unionType(branches: readonly AvroType[]): AvroType {
  const text = branches.findIndex(({ name }) => name === 'string');
  const candidates = (value: unknown): readonly number[] => {
    if (text !== -1 && isText(value)) return [text];
    return branches.flatMap((branch, index) => (branch.takes(value) ? [index] : []));
  };
  const attempt = (index: number, value: unknown, to: AvroWriter): void => {
    to.long(index);
    branches[index]?.write(value, to);
  };
  return {
    name: 'union',
    takes: () => true,
    write: (value, to) => {
      const begin = to.length;
      let misfit: ValueError | undefined;
      for (const index of candidates(value)) {
        try {
          return attempt(index, value, to);
        } catch (error) {
          if (!(error instanceof ValueError)) throw error;
          misfit ??= error;
          to.takeBack(begin);
        }
      }
      const [named] = isFields(value) ? Object.entries(value) : [];
      const index = branches.findIndex(({ name }) => name === named?.[0]);
      if (isFields(value) && index !== -1 && Object.keys(value).length === 1) {
        return attempt(index, named?.[1], to);
      }
      const names = branches.map(({ name }) => name).join(', ');
      throw misfit ?? new ValueError(`is none of ${names}`);
    },
    read: (from) => {
      const branch = branches[from.count()];
      if (branch === undefined) throw new ValueError('holds a branch that the union lacks');
      return branch.read(from);
    },
  };
}

/** Stands for a type that is named before it is defined. */
export function laterType(name: string, find: () => AvroType | undefined): AvroType {
  const type = (): AvroType => {
    const found = find();
    if (found === undefined) throw new SchemaError(`${name} is not defined`);
    return found;
  };
  return {
    name,
    takes: (value) => type().takes(value),
    write: (value, to) => type().write(value, to),
    read: (from) => type().read(from),
  };
}

/** Says where in the value something is wrong. */
function within(place: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const { message } = error;
    throw new ValueError(/^[.[]/.test(message) ? place + message : `${place} ${message}`);
  }
}

/** Without a prototype, so that every name is one of a field. */
function plainObject(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}
