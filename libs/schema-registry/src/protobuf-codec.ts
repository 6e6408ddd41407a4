import protobuf from 'protobufjs';
import protojson from 'protobufjs/ext/protojson.js';
import {
  SchemaError,
  ValueError,
  asValueError,
  parseJson,
  type RegisteredSchema,
  type ValueCodec,
} from './codec.ts';
import { messageIndexes, readMessageIndexes } from './wire-format.ts';

/** A message with its place in the schema. */
interface PlacedMessage {
  readonly path: readonly number[];
  readonly type: protobuf.Type;
}

/**
 * Makes the codec of a Protobuf schema. JSON is as Protobuf itself maps it, and unknown fields are refused.
 *
 * @param messageType - which message is written; by default the first of the schema. What is read says it by itself.
 * @throws SchemaError
 */
export function protobufCodec(schema: RegisteredSchema, messageType?: string): ValueCodec {
  const messages = messagesOf(schema);
  const written = messageType === undefined ? messages[0] : find(messages, messageType);
  if (written === undefined) throw new SchemaError('the schema has no message');
  const prefix = messageIndexes(written.path);
  const byPath = new Map(messages.map(({ path, type }) => [path.join(), type]));
  return {
    format: 'protobuf',
    encode: (json) => {
      const value = parseJson(json);
      try {
        const message = protojson.fromJson(written.type, value);
        return Buffer.concat([prefix, written.type.encode(message).finish()]);
      } catch (error) {
        throw asValueError(error);
      }
    },
    decode: (body) => {
      const { path, message } = readMessageIndexes(body);
      const type = byPath.get(path.join());
      if (type === undefined)
        throw new ValueError('the value is of a message that its schema lacks');
      try {
        return Buffer.from(protojson.toJsonString(type, type.decode(message)));
      } catch (error) {
        throw asValueError(error);
      }
    },
  };
}

function find(messages: readonly PlacedMessage[], name: string): PlacedMessage {
  const full = `.${name}`;
  const found =
    messages.find(({ type }) => type.fullName === full) ??
    messages.find(({ type }) => type.fullName.endsWith(full));
  if (found !== undefined) return found;
  const names = messages.map(({ type }) => type.fullName.slice(1)).join(', ');
  throw new SchemaError(`the schema has no message ${name}; it has ${names}`);
}

/** The messages of a schema in the order of their definition, which is what their paths go by. */
function messagesOf({ text, references }: RegisteredSchema): readonly PlacedMessage[] {
  const root = new protobuf.Root();
  const files = [text, ...references.map((reference) => reference.text)];
  const imports = files.flatMap((file) => parse(file, root).imports ?? []);
  for (const name of new Set(imports)) {
    // What comes with Protobuf itself, and is in no registry.
    const nested = protobuf.common.get(name)?.nested;
    if (nested !== undefined) root.addJSON(nested);
    else if (!references.some((reference) => reference.name === name)) {
      throw new SchemaError(`the schema imports ${name}, and does not refer to it`);
    }
  }
  try {
    root.resolveAll();
  } catch (error) {
    throw new SchemaError((error as Error).message);
  }
  // Imported files may share its package: alone it shows what it defines itself.
  const own = new protobuf.Root();
  const name = parse(text, own).package;
  const places = placesIn(name === undefined ? own : own.lookup(name));
  return places.map(({ path, fullName }) => ({ path, type: root.lookupType(fullName) }));
}

function parse(text: string, root: protobuf.Root): protobuf.IParserResult {
  try {
    return protobuf.parse(text, root);
  } catch (error) {
    throw new SchemaError((error as Error).message);
  }
}

function placesIn(
  space: protobuf.ReflectionObject | null,
  outer: readonly number[] = [],
): readonly { readonly path: readonly number[]; readonly fullName: string }[] {
  if (!(space instanceof protobuf.Namespace)) return [];
  return space.nestedArray
    .filter((nested) => nested instanceof protobuf.Type)
    .flatMap((type, index) => {
      const path = [...outer, index];
      return [{ path, fullName: type.fullName }, ...placesIn(type, path)];
    });
}
