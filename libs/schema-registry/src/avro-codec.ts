import { AvroReader, AvroWriter } from './avro-bytes.ts';
import {
  PRIMITIVES,
  arrayType,
  enumType,
  fixedType,
  isFields,
  laterType,
  mapType,
  recordType,
  unionType,
  type AvroField,
  type AvroType,
  type Fields,
} from './avro-type.ts';
import {
  SchemaError,
  ValueError,
  asValueError,
  parseJson,
  type RegisteredSchema,
  type ValueCodec,
} from './codec.ts';

/**
 * Makes the codec of an Avro schema (1.12, binary encoding). Logical types are what they are made of.
 *
 * @throws SchemaError
 */
export function avroCodec({ text, references }: RegisteredSchema): ValueCodec {
  const names = new Names();
  for (const reference of references) names.parse(documentOf(reference.text), '');
  const type = names.parse(documentOf(text), '');
  names.check();
  return {
    format: 'avro',
    encode: (json) => {
      const value = parseJson(json);
      const to = new AvroWriter();
      try {
        type.write(value, to);
      } catch (error) {
        throw told(error);
      }
      return to.take();
    },
    decode: (body) => {
      const from = new AvroReader(body);
      try {
        const value = type.read(from);
        if (!from.isAtEnd) throw new ValueError('is longer than its schema says');
        return Buffer.from(JSON.stringify(value));
      } catch (error) {
        throw told(error);
      }
    },
  };
}

/** The message begins with the place, or says something of the whole value. */
function told(error: unknown): ValueError {
  const { message } = asValueError(error);
  const isPlaced = /^[.[]/.test(message);
  return new ValueError(isPlaced ? message.replace(/^\./, '') : `the value ${message}`);
}

function documentOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A name alone may stand without quotes.
    return text.trim();
  }
}

/** The types of a schema by their full names. */
class Names {
  readonly #types = new Map(PRIMITIVES.map((type) => [type.name, type]));
  readonly #wanted = new Set<string>();

  /** @throws SchemaError when a name was used that nothing defines. */
  check(): void {
    const missing = [...this.#wanted].find((name) => !this.#types.has(name));
    if (missing !== undefined) throw new SchemaError(`the schema has no type ${missing}`);
  }

  parse(schema: unknown, namespace: string): AvroType {
    if (typeof schema === 'string') return this.#named(schema, namespace);
    if (Array.isArray(schema)) {
      return unionType(schema.map((branch) => this.parse(branch, namespace)));
    }
    if (!isFields(schema)) throw new SchemaError('the schema has a type that is none');
    switch (schema['type']) {
      case 'record':
      case 'error':
        return this.#record(schema, namespace);
      case 'enum':
        return this.#define(schema, namespace, (name) => enumType(name, symbolsOf(schema)));
      case 'fixed':
        return this.#define(schema, namespace, (name) => fixedType(name, sizeOf(schema)));
      case 'array':
        return arrayType(this.parse(schema['items'], namespace));
      case 'map':
        return mapType(this.parse(schema['values'], namespace));
      default:
        return this.parse(schema['type'], namespace);
    }
  }

  #named(name: string, namespace: string): AvroType {
    const inside = namespace === '' || name.includes('.') ? name : `${namespace}.${name}`;
    const existing = PRIMITIVES.find((type) => type.name === name) ?? this.#types.get(inside);
    if (existing !== undefined) return existing;
    const outside = this.#types.get(name);
    if (outside !== undefined) return outside;
    this.#wanted.add(inside);
    return laterType(inside, () => this.#types.get(inside));
  }

  #record(schema: Fields, namespace: string): AvroType {
    const fields: AvroField[] = [];
    const type = this.#define(schema, namespace, (name) => recordType(name, fields));
    const inner = type.name.slice(0, Math.max(0, type.name.lastIndexOf('.')));
    const listed = schema['fields'];
    if (!Array.isArray(listed)) throw new SchemaError(`${type.name} has no fields`);
    for (const field of listed) {
      if (!isFields(field) || typeof field['name'] !== 'string') {
        throw new SchemaError(`${type.name} has a field without a name`);
      }
      fields.push({
        name: field['name'],
        type: this.parse(field['type'], inner),
        fallback: Object.hasOwn(field, 'default') ? { value: field['default'] } : undefined,
      });
    }
    return type;
  }

  #define(schema: Fields, namespace: string, make: (name: string) => AvroType): AvroType {
    const { name, namespace: own } = schema;
    if (typeof name !== 'string') throw new SchemaError('the schema has a type without a name');
    const space = typeof own === 'string' ? own : namespace;
    const full = name.includes('.') || space === '' ? name : `${space}.${name}`;
    const type = make(full);
    this.#types.set(full, type);
    return type;
  }
}

function symbolsOf({ symbols }: Fields): readonly string[] {
  if (Array.isArray(symbols)) return symbols.map(String);
  throw new SchemaError('the schema has an enum without symbols');
}

function sizeOf({ size }: Fields): number {
  if (Number.isSafeInteger(size) && Number(size) >= 0) return Number(size);
  throw new SchemaError('the schema has a fixed type without a size');
}
