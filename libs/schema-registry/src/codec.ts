import type { SchemaFormat } from '#libs/broker-ports';

/** Turns JSON into the bytes that follow the id of a schema, and back. */
export interface ValueCodec {
  readonly format: SchemaFormat;
  /**
   * Encodes a value that is given as JSON.
   *
   * @throws ValueError when the value does not fit the schema.
   */
  encode(json: Buffer): Buffer;
  /**
   * Decodes what encode() or another client made.
   *
   * @returns the value as JSON.
   * @throws ValueError when the bytes are none of the schema.
   */
  decode(body: Buffer): Buffer;
}

/** A value that does not fit a schema, or bytes that hold none; the message says where. Repeating is of no use. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
  readonly code = 'VALUE_UNFIT';
}

/** A schema that cannot be worked with; the message says why. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
  readonly code = 'SCHEMA_UNUSABLE';
}

/** A schema as the registry has it. */
export interface RegisteredSchema {
  readonly id: number;
  readonly format: SchemaFormat;
  readonly text: string;
  /** What it refers to, each after what it refers to itself. */
  readonly references: readonly SchemaReference[];
}

/** A schema that another one refers to. */
export interface SchemaReference {
  /** What the other one calls it, for example the path of an import. */
  readonly name: string;
  readonly text: string;
}

/** Parses a text as JSON, as a value of a record. */
export function parseJson(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString());
  } catch {
    throw new ValueError('the value is not JSON');
  }
}

/** Makes sure that whatever goes wrong with a value is an error of the value: libraries have errors of their own. */
export function asValueError(error: unknown): ValueError {
  if (error instanceof ValueError) return error;
  return new ValueError(error instanceof Error ? error.message : String(error));
}
