import type { Random } from '../../fuzz/random.ts';
import type { JsonSchema } from '../contract/contract-check.ts';
import { HOSTILE_TEXTS, HOSTILE_VALUES } from './hostile-values.ts';

const DEPTH_MAX = 6;
const LETTERS = 'abcdefghij0123456789-_'.split('');

/** Makes values that a schema of the document takes, and spoils values. */
export class SchemaValues {
  readonly #random: Random;
  readonly #schemas: Readonly<Record<string, JsonSchema>>;

  constructor(random: Random, schemas: Readonly<Record<string, JsonSchema>>) {
    this.#random = random;
    this.#schemas = schemas;
  }

  /** A value that fits as far as can be told; patterns are not followed. */
  fitting(schema: JsonSchema, depth = 0): unknown {
    const own = this.#resolved(schema);
    const random = this.#random;
    const choices = (own['anyOf'] ?? own['oneOf']) as readonly JsonSchema[] | undefined;
    if (choices !== undefined) return this.fitting(random.pick(choices), depth + 1);
    if (Array.isArray(own['enum'])) return random.pick(own['enum'] as readonly unknown[]);
    if ('const' in own) return own['const'];
    switch (own['type']) {
      case 'string':
        return this.#text(own);
      case 'integer':
      case 'number':
        return this.#number(own);
      case 'boolean':
        return random.oneIn(2);
      case 'null':
        return null;
      case 'array':
        return this.#list(own, depth);
      case 'object':
        return this.#object(own, depth);
      default:
        return random.pick(HOSTILE_VALUES);
    }
  }

  /** The same value with one thing wrong somewhere in it. */
  spoiled(value: unknown, depth = 0): unknown {
    const random = this.#random;
    if (typeof value !== 'object' || value === null || depth > DEPTH_MAX || random.oneIn(8)) {
      return this.hostile();
    }
    if (Array.isArray(value)) return this.#spoiledList(value, depth);
    const entries = Object.entries(value);
    const kind = random.below(6);
    if (kind === 0 || entries.length === 0) {
      const name = random.pick(['x', '__proto__x', 'constructor', '', 'a/b~c', 'é', 'ID', 'id ']);
      return { ...value, [name]: this.hostile() };
    }
    const [name] = random.pick(entries);
    if (kind === 1) return Object.fromEntries(entries.filter(([each]) => each !== name));
    const spoiled = entries.map(([each, inner]) => [
      each,
      each === name ? this.spoiled(inner, depth + 1) : inner,
    ]);
    return Object.fromEntries(spoiled) as unknown;
  }

  /** Anything that is not meant. */
  hostile(): unknown {
    const random = this.#random;
    if (random.oneIn(40)) return nested(random.pick([10, 200, 3_000]));
    return random.oneIn(2) ? random.pick(HOSTILE_TEXTS) : random.pick(HOSTILE_VALUES);
  }

  #spoiledList(value: readonly unknown[], depth: number): unknown {
    const random = this.#random;
    if (value.length === 0 || random.oneIn(4)) return [...value, this.hostile()];
    if (random.oneIn(12)) return Array.from({ length: 1_001 }, () => value[0]);
    if (random.oneIn(6)) return [...value, ...value];
    const at = random.below(value.length);
    return value.map((each, index) => (index === at ? this.spoiled(each, depth + 1) : each));
  }

  #text({ format, minLength = 0, maxLength }: JsonSchema): string {
    const random = this.#random;
    if (format === 'date-time') {
      return new Date(random.below(2 ** 31) * 1_000 + random.below(1_000)).toISOString();
    }
    const least = Number(minLength);
    const most = Math.min(Number(maxLength ?? 40), 40);
    if (random.oneIn(3)) return random.pick(HOSTILE_TEXTS).slice(0, Number(maxLength ?? 70_000));
    const length = least + random.below(Math.max(most - least, 1));
    return Array.from({ length }, () => random.pick(LETTERS)).join('');
  }

  #number({ minimum = 0, maximum = 2 ** 31, type }: JsonSchema): number {
    const [least, most] = [Number(minimum), Number(maximum)];
    if (this.#random.oneIn(4)) return this.#random.pick([least, most]);
    const number = least + this.#random.below(Math.min(most - least + 1, 1_000));
    return type === 'integer' ? Math.floor(number) : number;
  }

  #list({ items, minItems = 0, maxItems = 4 }: JsonSchema, depth: number): readonly unknown[] {
    const most = depth > DEPTH_MAX ? 0 : Math.min(Number(maxItems), 4);
    const length = Math.max(Number(minItems), this.#random.below(most + 1));
    const item = (items ?? {}) as JsonSchema;
    return Array.from({ length: Math.min(length, 4) }, () => this.fitting(item, depth + 1));
  }

  #object({ properties = {}, required = [] }: JsonSchema, depth: number): unknown {
    const needed = new Set(required as readonly string[]);
    const entries = Object.entries(properties as Readonly<Record<string, JsonSchema>>);
    const wanted = entries.filter(
      ([name]) => needed.has(name) || (depth <= DEPTH_MAX && this.#random.oneIn(3)),
    );
    return Object.fromEntries(
      wanted.map(([name, inner]) => [name, this.fitting(inner, depth + 1)]),
    );
  }

  #resolved(schema: JsonSchema): JsonSchema {
    const { $ref } = schema as { readonly $ref?: string };
    const id = $ref?.split('/').at(-1);
    return id === undefined ? schema : (this.#schemas[id] ?? {});
  }
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? { a: value } : [value];
  return value;
}
