import {
  Ajv,
  type AnySchemaObject,
  type FuncKeywordDefinition,
  type Options,
  type ValidateFunction,
} from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { RE2JS } from 're2js';
import {
  SchemaError,
  ValueError,
  asValueError,
  parseJson,
  type RegisteredSchema,
  type ValueCodec,
} from './codec.ts';

/** Patterns meet what devices send, so they are matched in linear time. */
const linearRegExp = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(pattern);
    return { test: (text: string) => compiled.matcher(text).find() };
  },
  { code: 'linearRegExp' },
);

/** How often a value may go through the schemas that a schema refers to: branches that hold themselves are tried in all combinations. */
const STEPS_MAX = 50_000;
/** Where a function of the library begins, after its parameters with their defaults. */
const FUNCTION_BEGIN = /^(.*?\bfunction validate\d+\(data, .*?\}=\{\}\)\{)/s;

const OPTIONS: Options = {
  // As the specification has it: unknown keywords and formats are notes to people.
  strict: false,
  validateFormats: false,
  logger: false,
  code: {
    regExp: linearRegExp as NonNullable<NonNullable<Options['code']>['regExp']>,
    // `self` is the validator.
    process: (code) => code.replace(FUNCTION_BEGIN, '$1self.step();'),
  },
};

/** The library compares each item with each, which takes minutes for what a device can send. */
const UNIQUE_ITEMS = {
  keyword: 'uniqueItems',
  type: 'array',
  schemaType: 'boolean',
  compile: (isWanted: boolean) => (items: readonly unknown[]) =>
    !isWanted || new Set(items.map(canonical)).size === items.length,
  error: { message: 'must NOT have duplicate items' },
} satisfies FuncKeywordDefinition;

/**
 * Makes the codec of a JSON Schema: draft 7, 2019-09 or 2020-12, as its `$schema` says, else draft 7. Values stay as they are.
 *
 * @throws SchemaError
 */
export function jsonSchemaCodec(schema: RegisteredSchema): ValueCodec {
  const { validate, steps } = compile(schema);
  const checked = (json: Buffer): Buffer => {
    const value = parseJson(json);
    steps.left = STEPS_MAX;
    if (!isValid(validate, value)) {
      const [error] = validate.errors ?? [];
      const place = error?.instancePath.slice(1).replaceAll('/', '.') || 'the value';
      throw new ValueError(`${place} ${error?.message ?? 'does not fit the schema'}`);
    }
    return json;
  };
  return { format: 'json-schema', encode: checked, decode: checked };
}

function isValid(validate: ValidateFunction, value: unknown): boolean {
  try {
    return validate(value) === true;
  } catch (error) {
    throw asValueError(error);
  }
}

interface Compiled {
  readonly validate: ValidateFunction;
  readonly steps: { left: number };
}

function compile({ text, references }: RegisteredSchema): Compiled {
  try {
    const schema = JSON.parse(text) as AnySchemaObject | boolean;
    const { $schema = '', $id, $async } = typeof schema === 'boolean' ? {} : schema;
    // The library's own: it would answer by a promise.
    if ($async !== undefined) throw new SchemaError('`$async` is no part of JSON Schema');
    const steps = { left: Infinity };
    const step = (): void => {
      steps.left -= 1;
      if (steps.left < 0) throw new ValueError('the value takes too many steps to check');
    };
    const ajv = Object.assign(validatorOf(String($schema)), { step });
    ajv.removeKeyword(UNIQUE_ITEMS.keyword).addKeyword(UNIQUE_ITEMS);
    for (const { name, text: other } of references) {
      // A name stands in `$ref`, which is relative to `$id`.
      const key = URL.parse(name, String($id))?.href ?? name;
      ajv.addSchema(JSON.parse(other) as AnySchemaObject, key);
    }
    return { validate: ajv.compile(schema), steps };
  } catch (error) {
    throw new SchemaError((error as Error).message);
  }
}

/** The same text for equal values. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(
          Object.entries(inner).toSorted(([left], [right]) => (left < right ? -1 : 1)),
        )
      : inner,
  );
}

function validatorOf(version: string): Ajv {
  if (version.includes('2020-12')) return new Ajv2020(OPTIONS);
  return version.includes('2019-09') ? new Ajv2019(OPTIONS) : new Ajv(OPTIONS);
}
